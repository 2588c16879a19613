//! The coordinator's daemon: the edges around the core that decides.
//!
//! ```text
//! http/, sessions/  ──command──>  engine/  ──record──>  journal/
//!        ▲                          │ publishes
//!        └───────── state ──────────┘        vault/, authority/, output/: what the edges need
//! ```

pub mod allocator;
#[cfg(test)]
mod alone;
pub mod authority;
mod comings;
pub mod configuration;
pub mod data_folder;
mod deadlines;
mod descriptors;
pub mod engine;
pub mod http;
pub mod installation;
pub mod journal;
mod listening;
#[cfg(test)]
mod logged;
pub mod output;
pub mod registry;
pub mod serve;
pub mod services;
pub mod sessions;
mod slots;
mod strangers;
mod trouble;
pub mod vault;
