//! Sessions with agents over QUIC: the only files of the coordinator that name quinn.
//!
//! ```text
//! endpoint ──> accept ──ALPN windlass-enrol/1──> enrol (one message, one answer)
//!                 └─────ALPN windlass/1────────> control stream (hello, heartbeats, nudges)
//!                                                request streams ──> authorise ──> requests/*
//! ```

mod accept;
mod admission;
mod connection_slot;
mod control;
mod counters;
mod delivery;
mod endpoint;
mod enrol;
mod frames;
mod last_sent;
mod pace;
mod queue;
mod requests;
mod resets;
mod throttle;
mod turns;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use tokio::sync::Semaphore;
use windlass_protocol::ids::TargetId;
use windlass_trust::{AssignmentSigner, SealingKey};

use crate::authority::Authority;
use crate::engine::Engine;
use crate::services::Services;
pub use endpoint::{BufferReport, Endpoint};

/// The certificate that agents see lasts for a month and is renewed once a day.
const RENEWAL: Duration = Duration::from_secs(24 * 3600);

/// Plans of pulls that are made at once: reading a manifest takes a hundred times the memory of what is kept of it, and
/// whoever comes next for the same package finds it read.
const PLANS: usize = 1;
/// What is worked out at once: the largest answer takes sixteen mebibytes while it is made.
const WORK: usize = 2;
/// And of one target, so that what it asks for keeps no other waiting.
const WORK_OF_TARGET: usize = 1;

/// What HPKE is told that sensitive output of a step is sealed for; agents seal with the same words.
const OUTPUT_PURPOSE: &[u8] = windlass_protocol::message::OUTPUT_PURPOSE;

const SIGNING_KEY: &str = "assignment-signing";
const OUTPUT_KEY: &str = "output-sealing";
/// The keys of sessions, which are made with the installation: no agent would take another one's work.
pub const OWN_KEYS: [&str; 2] = [SIGNING_KEY, OUTPUT_KEY];

/// Resets what an earlier process knew. Without it, agents only learn of a restart later.
pub const RESETS_KEY: &str = "connection-resets";

/// What every session works with.
pub struct Sessions {
    /// Decides and records.
    engine: Engine,
    services: Services,
    signer: AssignmentSigner,
    /// Opens sensitive output of steps.
    sealing_key: SealingKey,
    limits: Limits,
    turns: turns::Turns,
    /// Making plans for pulls.
    planning: Arc<Semaphore>,
    /// Working out what takes long.
    work: Arc<queue::Queue<TargetId>>,
    counters: Arc<counters::Counters>,
}

/// How many are served at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub pulls: usize,
    /// Peers that may be nobody yet. The others take each other's slots, or are refused and come back.
    pub strangers: usize,
}

impl Sessions {
    /// Sessions with the coordinator's own keys.
    pub fn new(engine: Engine, services: Services, limits: Limits) -> anyhow::Result<Arc<Self>> {
        let signer = AssignmentSigner::from_secret(&services.vault.own_key(SIGNING_KEY)?);
        let sealing_key = SealingKey::from_secret(&services.vault.own_key(OUTPUT_KEY)?);
        let turns = turns::Turns::new(limits.pulls);
        let planning = Arc::new(Semaphore::new(PLANS));
        let work = queue::Queue::new(WORK, WORK_OF_TARGET);
        let counters = Arc::new(counters::Counters::with(Arc::clone(&services.strangers)));
        Ok(Arc::new(Self { engine, services, signer, sealing_key, limits, turns, planning, work, counters }))
    }

    /// Takes one of the lines of the log that a target may cause by what it does; whether there was one left.
    fn takes_line(&self, target: TargetId) -> bool {
        self.services.registry.take_line(target)
    }

    /// Serves agents until the endpoint is closed, which it is where its socket fails. Nobody would be served any more, so
    /// the process has to end with what is returned.
    pub async fn serve(self: Arc<Self>, endpoint: &Endpoint) -> anyhow::Error {
        let sessions = Arc::clone(&self);
        tokio::select! {
            () = accept::accept_all(self, endpoint) => {}
            () = renew_daily(endpoint, &sessions.services.authority) => {}
            () = sessions.counters.record_every_minute(&sessions.engine) => {}
        }
        anyhow!("the UDP socket for agents does not work any more")
    }

    /// Records what was counted and not recorded yet: the coordinator is about to end.
    pub async fn record_counts(&self) {
        self.counters.record(&self.engine).await;
    }
}

/// A coordinator may run for longer than its certificate lasts. Never ends.
async fn renew_daily(endpoint: &Endpoint, authority: &Authority) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        if let Err(why) = endpoint.renew(authority) {
            tracing::error!(%why, "the coordinator's certificate for agents cannot be renewed");
        }
    }
}

/// Where a peer comes from, as it is recorded.
fn origin(address: SocketAddr) -> String {
    address.ip().to_canonical().to_string()
}
