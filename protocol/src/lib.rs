//! What coordinator and agent say to each other: ids, names, digests, manifests, messages and their limits.
//!
//! Pure: no clock, no randomness, no sockets, no files. Both daemons and the tests build on this crate; it builds on
//! nothing of Windlass.

pub mod codec;
pub mod digest;
pub mod exit;
pub mod gathering;
pub mod ids;
pub mod limits;
pub mod manifest;
pub mod message;
pub mod names;
pub mod pattern;
pub mod secret;
pub mod time;
pub mod token;

pub use digest::Digest;
pub use names::{DisplayName, Slug};
pub use secret::Secret;
pub use time::Timestamp;
