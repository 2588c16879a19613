//! Releases: a package's tree written out of the cache, made current, and removed when its time has passed.

mod place;
mod tree;
mod unpack;

pub use place::{publish, remove_others, switch, unprepare, unswitch};
pub use unpack::{Unpack, Unpacked};
