//! What the tests and measurements of several crates make: bytes, trees of files, archives of them, and processes that
//! are killed at named points. It knows no other crate of Windlass, so that each of them can be tested with it.

mod bytes;
mod kills;
mod trees;

pub use bytes::{noise, words};
pub use kills::Killed;
pub use trees::{Tree, names, tar, tree};
