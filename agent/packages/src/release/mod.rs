//! Releases: a package's tree written out of the cache, made current, and removed when its time has passed.

mod remove;
mod switch;
mod tree;
mod unpack;

pub use remove::remove_folder;
pub use switch::{Removed, publish, remove_others, switch, unprepare, unswitch};
pub use unpack::{Rewrite, Unpack, Unpacked};
