//! Requests that were denied, counted per target and kind: each try is in the journal, and nobody can fill it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use windlass_coordinator_core::decide::{Command, SpaceCommand};
use windlass_protocol::ids::TargetId;
use windlass_protocol::message::Request;

use crate::engine::Engine;

/// How often counts are recorded, where the first of a kind is recorded at once.
const INTERVAL: Duration = Duration::from_secs(60);

type Counts = BTreeMap<String, u64>;

/// The counts since they were last recorded.
#[derive(Default)]
pub(super) struct Denials {
    counts: Mutex<HashMap<TargetId, Counts>>,
    news: tokio::sync::Notify,
}

impl Denials {
    /// Counts a denied request.
    pub(super) fn count(&self, target: TargetId, request: &Request) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(target).or_default().entry(request.kind().to_owned()).or_default();
        *count += 1;
        self.news.notify_one();
    }

    /// Records what was counted, again and again: soon after the first, then once a minute.
    pub(super) async fn record_every_minute(&self, engine: &Engine) {
        loop {
            self.news.notified().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.record(engine).await;
            tokio::time::sleep(INTERVAL).await;
        }
    }

    async fn record(&self, engine: &Engine) {
        let counts = std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner));
        for (target, counts) in counts {
            let state = engine.state();
            let Some(space) = state.space_of(target).map(|space| space.head.id) else { continue };
            let command = Command::Space(space, SpaceCommand::RecordDenials { target, counts });
            if let Err(why) = engine.submit(Engine::own_envelope(), command).await {
                tracing::error!(%why, "denied requests could not be recorded");
            }
        }
    }
}
