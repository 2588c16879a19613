//! The agent's daemon: the edges around the decisions of its core.
//!
//! ```text
//! link/ (the session)  ──assignments──>  ledger  ──>  tasks/ (fetch, run)  ──reports, output──>  link/
//! ```

pub mod agent;
mod clock;
pub mod configuration;
mod durable;
pub mod enrol;
pub mod identity;
mod ledger;
pub mod link;
mod reserve;
mod shared;
pub mod status;
pub mod supervisor;
mod tasks;
