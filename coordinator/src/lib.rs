//! The coordinator's daemon: the edges around the core that decides.

pub mod engine;
pub mod journal;
pub mod vault;
