//! What stands beside the engine, and is shared by all that answer: agents' sessions and the operators' API.
//!
//! The engine is no part of it: sessions hold it themselves, and of the API only `http/caller.rs` does, so that whoever
//! answers a person sees what that person may see.

use std::path::PathBuf;
use std::sync::Arc;

use windlass_packages::PackageStore;

use crate::authority::Authority;
use crate::output::Logs;
use crate::registry::Registry;
use crate::strangers::Strangers;
use crate::vault::Vault;

/// The parts. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// Seals sensitive values, and opens them for who may read them.
    pub vault: Arc<Vault>,
    /// Certifies agents and this coordinator.
    pub authority: Arc<Authority>,
    pub packages: Arc<PackageStore>,
    /// Keeps what steps print.
    pub output: Arc<dyn Logs>,
    pub registry: Arc<Registry>,
    /// Counts who is refused, and is nobody.
    pub strangers: Arc<Strangers>,
    pub data: PathBuf,
}
