//! The HTTP API of the operators: `/api/v1/…`, described by `/api/v1/openapi.json`, which is made from this code.
//!
//! One file a noun. Every handler takes a [`caller::Reader`] or a [`caller::Changer`], by which the asker is
//! authorised; nothing is answered to anybody else. What is decided, the core decides; here requests become commands,
//! and state becomes answers.

mod apply;
mod audit;
mod body;
mod caller;
mod connection;
mod connection_state;
mod definitions;
mod deploy;
mod deployments;
mod display;
mod documents;
pub mod explain;
mod extract;
mod heavy;
mod logs;
mod pace;
mod packages;
mod pages;
mod presence;
mod quota;
mod refusal;
mod releases;
mod routes;
mod seal;
mod server;
mod targets;
mod tenants;
#[cfg(test)]
mod tests;
mod tokens;
mod variables;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use windlass_packages::PackageStore;
use windlass_protocol::Digest;

pub use routes::{openapi, router};
pub use server::{Door, Server};

use crate::engine::Engine;
use crate::output::Logs;
use crate::sessions::Strangers;
use crate::vault::Vault;
use caller::Decider;
use pace::Pace;
use presence::Presence;
use quota::Quotas;

/// The parts of the coordinator that the API needs. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    decider: Decider,
    vault: Arc<Vault>,
    packages: Arc<PackageStore>,
    presence: Arc<dyn Presence>,
    logs: Arc<dyn Logs>,
    strangers: Arc<Strangers>,
    authority: Digest,
    data: PathBuf,
    /// Held while documents are read, changed and applied, so that no edit undoes another.
    edits: Arc<Mutex<()>>,
    quotas: Arc<Quotas>,
    plans: Arc<Pace>,
    /// How long a part of a body is waited for.
    pace: Duration,
    /// Cancelled when no more is answered.
    stopping: CancellationToken,
}

/// What a [`Context`] is made of.
pub struct Parts {
    /// Decides.
    pub engine: Engine,
    /// Seals.
    pub vault: Arc<Vault>,
    /// Stores packages.
    pub packages: Arc<PackageStore>,
    /// Knows who is connected.
    pub presence: Arc<dyn Presence>,
    /// Knows what steps printed.
    pub logs: Arc<dyn Logs>,
    /// Counts who is refused, and is nobody.
    pub strangers: Arc<Strangers>,
    /// SHA-256 of the CA's certificate, which new tokens carry.
    pub authority: Digest,
    /// The data folder.
    pub data: PathBuf,
}

impl Context {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let Parts { engine, vault, packages, presence, logs, strangers, authority, data } = parts;
        let (edits, quotas) = (Arc::default(), Arc::new(Quotas::new()));
        let (pace, stopping) = (body::PACE, CancellationToken::new());
        Self {
            decider: Decider::new(engine),
            vault,
            packages,
            presence,
            logs,
            strangers,
            authority,
            data,
            edits,
            quotas,
            plans: Arc::new(Pace::of_plans()),
            pace,
            stopping,
        }
    }
}
