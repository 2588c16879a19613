//! The HTTP API of the operators: `/api/v1/…`, described by `/api/v1/openapi.json`, which is made from this code.
//!
//! One file a noun. Every handler takes a [`caller::Reader`] or a [`caller::Changer`], by which the asker is
//! authorised; nothing is answered to anybody else. What is decided, the core decides; here requests become commands,
//! and state becomes answers.

mod answer;
mod apply;
mod audit;
mod body;
mod caller;
mod connection;
mod connection_state;
mod cost;
mod definitions;
mod deploy;
mod deployments;
mod display;
mod documents;
pub mod explain;
mod extract;
mod heavy;
mod limits;
mod logs;
mod pace;
mod packages;
mod pages;
mod presence;
mod quota;
mod refusal;
mod releases;
mod right;
mod routes;
mod seal;
mod server;
mod targets;
mod tenants;
#[cfg(test)]
mod tests;
mod tokens;
mod variables;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

pub use routes::{openapi, router};
pub use server::Server;

use crate::engine::Engine;
use crate::services::Services;
use caller::{Decider, Showings};
use pace::Pace;
use presence::Presence;
use quota::Quotas;

/// What the API works with. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    decider: Decider,
    services: Services,
    presence: Arc<dyn Presence>,
    /// Held while documents are sealed and applied, and while something is deleted: what is sealed is with keys that are there.
    edits: Arc<Mutex<()>>,
    quotas: Arc<Quotas>,
    showings: Arc<Showings>,
    plans: Arc<Pace>,
    /// How long a part of a body is waited for.
    pace: Duration,
    /// Cancelled when no more is answered.
    stopping: CancellationToken,
}

impl Context {
    /// Puts the parts together.
    pub fn new(engine: Engine, services: Services) -> Self {
        let quotas = Quotas::new();
        Self {
            decider: Decider::new(engine),
            presence: Arc::clone(&services.registry) as Arc<dyn Presence>,
            services,
            edits: Arc::default(),
            showings: Showings::new(Arc::clone(&quotas.small_answers)),
            quotas: Arc::new(quotas),
            plans: Arc::new(Pace::of_plans()),
            pace: body::PACE,
            stopping: CancellationToken::new(),
        }
    }
}
