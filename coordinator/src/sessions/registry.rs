//! The live sessions: who is connected, how to wake them, and what they are seen to do.
//!
//! Presence is derived and never in the journal.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use imbl::ordmap::DiffItem;
use tokio::sync::Notify;
use windlass_coordinator_core::state::State;
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{AssignmentId, TargetId};

/// How far a pull has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that travelled.
    pub moved: u64,
    /// Bytes that did not have to.
    pub saved: u64,
    /// Bytes of the whole.
    pub total: u64,
}

/// A live session, as others see it.
pub(super) struct Live {
    pub(super) wake: Arc<Notify>,
    pub(super) connection: quinn::Connection,
    pub(super) address: SocketAddr,
    number: u64,
}

#[derive(Default)]
struct Inner {
    live: HashMap<TargetId, Live>,
    last_seen: HashMap<TargetId, Timestamp>,
    progress: HashMap<AssignmentId, Progress>,
    next: u64,
}

/// All live sessions.
#[derive(Default)]
pub struct Registry {
    inner: Mutex<Inner>,
}

impl Registry {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a target is connected.
    pub fn is_online(&self, target: TargetId) -> bool {
        self.inner().live.contains_key(&target)
    }

    /// How many targets are connected.
    pub fn len(&self) -> usize {
        self.inner().live.len()
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When a target was last heard of since this coordinator started.
    pub fn last_seen(&self, target: TargetId) -> Option<Timestamp> {
        self.inner().last_seen.get(&target).copied()
    }

    /// How far the pulls for an assignment have come.
    pub fn progress(&self, assignment: AssignmentId) -> Option<Progress> {
        self.inner().progress.get(&assignment).copied()
    }

    pub(super) fn seen(&self, target: TargetId, now: Timestamp) {
        self.inner().last_seen.insert(target, now);
    }

    pub(super) fn progressed(&self, assignment: AssignmentId, progress: Progress) {
        self.inner().progress.insert(assignment, progress);
    }

    pub(super) fn forget_progress(&self, assignment: AssignmentId) {
        self.inner().progress.remove(&assignment);
    }

    /// Registers a session; the one that it takes the place of, if any, is returned.
    pub(super) fn enter(
        &self,
        target: TargetId,
        wake: Arc<Notify>,
        connection: quinn::Connection,
        address: SocketAddr,
    ) -> (u64, Option<Live>) {
        let mut inner = self.inner();
        inner.next += 1;
        let number = inner.next;
        let older = inner.live.insert(target, Live { wake, connection, address, number });
        (number, older)
    }

    /// Whether no other session has taken the place of this one.
    pub(super) fn is_newest(&self, target: TargetId, number: u64) -> bool {
        self.inner().live.get(&target).is_some_and(|live| live.number == number)
    }

    /// Takes a session out, unless another one has taken its place.
    pub(super) fn leave(&self, target: TargetId, number: u64) {
        let mut inner = self.inner();
        if inner.live.get(&target).is_some_and(|live| live.number == number) {
            inner.live.remove(&target);
        }
    }

    /// Wakes the sessions whose target, or whose work, is not what it was. Costs what changed.
    pub fn wake_changed(&self, before: &State, after: &State) {
        let mut changed = Vec::new();
        for (id, space) in &after.spaces {
            let Some(old) = before.spaces.get(id) else { continue };
            for difference in old.generations.diff(&space.generations) {
                changed.push(match difference {
                    DiffItem::Add(id, _)
                    | DiffItem::Remove(id, _)
                    | DiffItem::Update { new: (id, _), .. } => *id,
                });
            }
            old.targets.changed_into(&space.targets, &mut changed);
        }
        if changed.is_empty() {
            return;
        }
        let inner = self.inner();
        for target in changed {
            if let Some(live) = inner.live.get(&target) {
                live.wake.notify_one();
            }
        }
    }
}
