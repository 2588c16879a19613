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

use super::changes::Changes;

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
    /// Of open work alone.
    progress: HashMap<TargetId, HashMap<AssignmentId, Progress>>,
    changes: Changes,
    next: u64,
}

impl Inner {
    fn keep_progress_of_open_work(&mut self, target: TargetId, state: &State) {
        let Some(progress) = self.progress.get_mut(&target) else { return };
        let space = state.space_of(target);
        progress.retain(|id, _| space.is_some_and(|space| space.work_item(target, *id).is_some()));
        if progress.is_empty() {
            self.progress.remove(&target);
        }
    }
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

    /// How far the pulls for an assignment of a target have come.
    pub fn progress(&self, target: TargetId, assignment: AssignmentId) -> Option<Progress> {
        self.inner().progress.get(&target)?.get(&assignment).copied()
    }

    /// A target was heard of. `state` is asked for inside the lock, here and below: what [`Self::wake_changed`] has
    /// taken out because the state lost it must not come back from a state that had it.
    pub(super) fn seen(&self, target: TargetId, now: Timestamp, state: impl FnOnce() -> Arc<State>) {
        let mut inner = self.inner();
        if state().space_of(target).is_some() {
            inner.last_seen.insert(target, now);
        }
    }

    /// A pull of a target has come so far; what is not its work is not kept.
    pub(super) fn progressed(
        &self,
        target: TargetId,
        assignment: AssignmentId,
        progress: Progress,
        state: impl FnOnce() -> Arc<State>,
    ) {
        let mut inner = self.inner();
        let state = state();
        if state.space_of(target).is_some_and(|space| space.work_item(target, assignment).is_some()) {
            inner.progress.entry(target).or_default().insert(assignment, progress);
        }
    }

    /// Takes one of the changes that a target may tell of itself; whether there was one left.
    pub(super) fn take_change(&self, target: TargetId, now: Timestamp) -> bool {
        self.inner().changes.take(target, now)
    }

    /// Gives one back: there was nothing new.
    pub(super) fn give_change_back(&self, target: TargetId) {
        self.inner().changes.give_back(target);
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

    /// Wakes the sessions whose target, or whose work, is not what it was, and forgets what is no more. Costs what
    /// changed.
    pub fn wake_changed(&self, before: &State, after: &State) {
        let (mut changed, mut worked) = (Vec::new(), Vec::new());
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
            for difference in old.indexes.work.diff(&space.indexes.work) {
                worked.push(match difference {
                    DiffItem::Add(id, _)
                    | DiffItem::Remove(id, _)
                    | DiffItem::Update { new: (id, _), .. } => *id,
                });
            }
        }
        if changed.is_empty() && worked.is_empty() {
            return;
        }
        let mut inner = self.inner();
        for target in changed {
            if let Some(live) = inner.live.get(&target) {
                live.wake.notify_one();
            }
            if after.space_of(target).is_none() {
                inner.last_seen.remove(&target);
                inner.changes.forget(target);
            }
        }
        for target in worked {
            inner.keep_progress_of_open_work(target, after);
        }
    }
}
