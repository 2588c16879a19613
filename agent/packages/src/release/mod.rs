//! Releases: a package's tree written out of the cache, made current, and removed when its time has passed.

mod place;
mod tree;
mod unpack;

pub use place::{publish, remove_others, switch};
pub use unpack::{Unpack, Unpacked};
