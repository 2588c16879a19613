//! The agent's packages: a cache of files by content, pulls into it, and releases unpacked from it.
//!
//! [`Cache`] keeps what is complete and verified under its digest. A pull is [`Cache::begin`], which says how far an
//! interrupted one came, then [`Cache::receive`] on the answer's stream. [`Cache::unpack`] writes a package's tree,
//! [`switch`] makes it the current one. What does not live here: connections, what to pull and when, which releases
//! to keep.

mod cache;
mod error;
mod files;
mod pull;
pub mod recording;
mod release;
mod room;

pub use cache::{Cache, Evicted, EvictionGuard};
pub use error::{CacheError, PullError};
pub use pull::{PullState, Received};
pub use release::{
    Removed, Rewrite, Unpack, Unpacked, publish, remove_folder, remove_others, switch, unprepare, unswitch,
};
