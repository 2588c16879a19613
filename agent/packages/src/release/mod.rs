//! Releases: a package's tree written out of the cache, made current, and removed when its time has passed.

mod place;
mod remove;
mod tree;
mod unpack;

pub use place::{Removed, publish, remove_others, switch, unprepare, unswitch};
pub use remove::remove_folder;
pub use unpack::{Rewrite, Unpack, Unpacked};
