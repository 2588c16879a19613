//! State: the fold of the journal, immutable and shared (ARCHITECTURE, "One idea").
//!
//! Copies share everything that is equal, so every reader has one moment and nobody waits. Nothing changes it but
//! [`State::apply`]. Indexes that can be computed from the rest are not written into snapshots.

mod apply;
mod assignments;
mod candidates;
mod definitions;
mod deployments;
mod finished;
mod history;
mod indexes;
mod indexing;
mod requests;
mod space;
mod tagging;
mod unsettled;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};
use windlass_protocol::ids::{SpaceId, TargetId, TokenId};
use windlass_protocol::message::Generation;
use windlass_protocol::{Digest, Timestamp};

pub use apply::DoesNotFit;
pub(crate) use candidates::{Found, count};
pub use finished::{Finished, REMEMBERED, REMEMBERED_OF_FLOW};
pub use history::{Attempt, Held, History, Success};
pub use indexes::{Asked, Assigned, Facet, Flow, Indexes, Turns, WorkItem, assignment_id};
pub use requests::Requests;
pub use space::{Caps, Space, SpaceHead};

pub use crate::graph::WorkKind;

use crate::event::Stream;
use crate::model::ApiToken;

/// Everything that the coordinator knows.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// The number of the last record.
    pub number: u64,
    /// The number of the last record of each stream.
    #[serde(with = "crate::map_as_list")]
    pub streams: OrdMap<Stream, u64>,
    /// Counts, from 1, how often the history was taken up again at an earlier place.
    pub epoch: u64,
    /// The time of the last record.
    pub time: Timestamp,
    /// SHA-256 of the CA's certificate, once there is one.
    pub authority: Option<Digest>,
    pub tokens: OrdMap<TokenId, ApiToken>,
    /// Requests that were answered lately, by the keys that they may be repeated with.
    pub requests: Requests,
    #[serde(serialize_with = "crate::map_as_list::serialize", deserialize_with = "spaces")]
    pub spaces: OrdMap<SpaceId, Space>,
}

/// Reads spaces, and computes what a snapshot does not hold.
fn spaces<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<OrdMap<SpaceId, Space>, D::Error> {
    let stored: Vec<(SpaceId, Space)> = Deserialize::deserialize(deserializer)?;
    let whole = stored.into_iter().map(|(id, mut space)| {
        space.rebuild_indexes();
        (id, space)
    });
    Ok(whole.collect())
}

impl State {
    /// The number of the last record of a stream, 0 before the first.
    pub fn sequence(&self, stream: Stream) -> u64 {
        self.streams.get(&stream).copied().unwrap_or(0)
    }

    pub fn space(&self, id: SpaceId) -> Option<&Space> {
        self.spaces.get(&id)
    }

    /// The space that a text names; the first one where there is no text.
    pub fn space_named(&self, text: Option<&str>) -> Option<&Space> {
        let Some(text) = text else { return self.spaces.values().next() };
        let matches = |space: &&Space| {
            space.head.slug.as_str() == text
                || space.head.name.folded() == windlass_protocol::names::fold(text)
                || space.head.id.to_string() == text
        };
        self.spaces.values().find(matches)
    }

    /// The space that a target belongs to. A target is in exactly one.
    pub fn space_of(&self, target: TargetId) -> Option<&Space> {
        self.spaces.values().find(|space| space.targets.get(target).is_some())
    }

    /// Whether the journal has come to a generation of work in a space, in this epoch or in the one that it was of. An agent
    /// that shows another one has seen a history that the journal does not know.
    pub fn has_come_to(&self, space: &Space, generation: Generation) -> bool {
        let Generation { epoch, sequence } = generation;
        let last = if epoch == self.epoch {
            self.sequence(Stream::Space(space.head.id))
        } else {
            space.ended_epochs.get(&epoch).copied().unwrap_or(0)
        };
        sequence <= last
    }

    /// A digest of the whole state: equal states have equal digests.
    pub fn digest(&self) -> Digest {
        Digest::of(serde_json::to_vec(self).expect("a state has nothing that JSON cannot hold"))
    }
}
