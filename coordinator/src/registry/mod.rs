//! The live sessions: who is connected, how to wake them, and what they are seen to do.
//!
//! Presence is derived and never in the journal.

mod allowance;
mod connections;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use imbl::ordmap::DiffItem;
use parking_lot::Mutex;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, Semaphore};
use windlass_coordinator_core::state::State;
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{AssignmentId, TargetId};

use allowance::Allowance;
use connections::Connections;
pub(crate) use connections::Counted;

use crate::slots::Origin;

/// Requests that a target may have under way, over all its sessions.
pub(crate) const REQUESTS: usize = 16;
/// Records of what a machine says of itself, and lines of the log, in an hour.
const AN_HOUR: u32 = 20;

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
pub(crate) struct Live {
    pub(crate) wake: Arc<Notify>,
    pub(crate) is_open: IsOpen,
    pub(crate) address: SocketAddr,
    requests: Arc<Semaphore>,
    number: u64,
}

/// Whether a session's connection still stands.
pub(crate) type IsOpen = Box<dyn Fn() -> bool + Send + Sync>;

/// A session in the registry. It leaves when this is dropped, however it came to that: also where whoever served it did
/// not come to its end, because its slot was given away or something panicked. Else its target would stay connected for
/// ever, and would never be lost.
pub(crate) struct Entered {
    registry: Arc<Registry>,
    target: TargetId,
    number: u64,
    requests: Arc<Semaphore>,
}

impl Entered {
    /// Places for the requests of its target: a session that takes another's place has them with it.
    pub(crate) fn requests(&self) -> Arc<Semaphore> {
        Arc::clone(&self.requests)
    }

    /// Its number, which no other session has.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// Whether no other session has taken the place of this one.
    pub(crate) fn is_newest(&self) -> bool {
        self.registry.is_newest(self.target, self.number)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut inner = self.registry.inner.lock();
        // Unless another one has taken its place.
        if inner.live.get(&self.target).is_some_and(|live| live.number == self.number) {
            inner.live.remove(&self.target);
            self.registry.news.notify_waiters();
        }
    }
}

struct Inner {
    live: HashMap<TargetId, Live>,
    last_seen: HashMap<TargetId, Timestamp>,
    /// Of open work alone.
    progress: HashMap<TargetId, HashMap<AssignmentId, Progress>>,
    /// Of what each says of itself, which is recorded.
    changes: Allowance<TargetId>,
    /// Of the log.
    lines: Allowance<TargetId>,
    connections: Connections,
    next: u64,
}

impl Default for Inner {
    fn default() -> Self {
        // More than anybody who sets a machine up needs, and few enough to be read.
        let an_hour = || Allowance::new(AN_HOUR, Duration::from_secs(3600));
        Self {
            live: HashMap::new(),
            last_seen: HashMap::new(),
            progress: HashMap::new(),
            changes: an_hour(),
            lines: an_hour(),
            connections: Connections::default(),
            next: 0,
        }
    }
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
    /// Told of every new state and every session that takes another's place.
    news: Notify,
}

impl Registry {
    pub fn is_online(&self, target: TargetId) -> bool {
        self.inner.lock().live.contains_key(&target)
    }

    pub fn len(&self) -> usize {
        self.inner.lock().live.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When a target was last heard of since this coordinator started.
    pub fn last_seen(&self, target: TargetId) -> Option<Timestamp> {
        self.inner.lock().last_seen.get(&target).copied()
    }

    /// How far the pulls for an assignment of a target have come.
    pub fn progress(&self, target: TargetId, assignment: AssignmentId) -> Option<Progress> {
        self.inner.lock().progress.get(&target)?.get(&assignment).copied()
    }

    /// A target was heard of. `state` is asked for inside the lock, here and below: what [`Self::wake_changed`] has
    /// taken out because the state lost it must not come back from a state that had it.
    pub(crate) fn seen(&self, target: TargetId, now: Timestamp, state: impl FnOnce() -> Arc<State>) {
        let mut inner = self.inner.lock();
        if state().space_of(target).is_some() {
            inner.last_seen.insert(target, now);
        }
    }

    /// A pull of a target has come so far; what is not its work is not kept.
    pub(crate) fn progressed(
        &self,
        target: TargetId,
        assignment: AssignmentId,
        progress: Progress,
        state: impl FnOnce() -> Arc<State>,
    ) {
        let mut inner = self.inner.lock();
        let state = state();
        if state.space_of(target).is_some_and(|space| space.work_item(target, assignment).is_some()) {
            inner.progress.entry(target).or_default().insert(assignment, progress);
        }
    }

    /// Takes one of the changes that a target may tell of itself; whether there was one left.
    pub(crate) fn take_change(&self, target: TargetId) -> bool {
        self.inner.lock().changes.take(target, Instant::now())
    }

    /// Takes one of the lines of the log that a target may cause by what it does; whether there was one left.
    pub(crate) fn take_line(&self, target: TargetId) -> bool {
        self.inner.lock().lines.take(target, Instant::now())
    }

    /// A machine has come once more, from there; whether it may stay, as far as is known before it says anything.
    pub(crate) fn came(&self, target: TargetId, origin: Origin) -> bool {
        self.inner.lock().connections.came(target, origin, Instant::now())
    }

    /// Counts one more connection of a target, if it may have one, until what is returned is dropped.
    pub(crate) fn hold_connection(self: &Arc<Self>, target: TargetId, origin: Origin) -> Option<Counted> {
        let is_held = self.inner.lock().connections.hold(target, origin);
        is_held.then(|| Counted { registry: Arc::clone(self), target, origin })
    }

    /// Where the session of a target comes from, as long as its connection stands.
    pub(crate) fn address(&self, target: TargetId) -> Option<SocketAddr> {
        let inner = self.inner.lock();
        inner.live.get(&target).filter(|live| (live.is_open)()).map(|live| live.address)
    }

    pub(crate) fn give_change_back(&self, target: TargetId) {
        self.inner.lock().changes.give_back(target);
    }

    /// Registers a session; the one that it takes the place of, if any, is returned.
    pub(crate) fn enter(
        self: &Arc<Self>,
        target: TargetId,
        wake: Arc<Notify>,
        is_open: IsOpen,
        address: SocketAddr,
    ) -> (Entered, Option<Live>) {
        let mut inner = self.inner.lock();
        inner.next += 1;
        let number = inner.next;
        let requests = inner
            .live
            .get(&target)
            .map_or_else(|| Arc::new(Semaphore::new(REQUESTS)), |older| Arc::clone(&older.requests));
        let live = Live { wake, is_open, address, requests: Arc::clone(&requests), number };
        let older = inner.live.insert(target, live);
        drop(inner);
        self.news.notify_waiters();
        (Entered { registry: Arc::clone(self), target, number, requests }, older)
    }

    /// Ends with the next change that a right could rest on, counted from this call: of the state, before anybody is
    /// answered because of it, or of who has a session.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.news.notified()
    }

    /// Whether this is the session of a target: it has not ended, and no other one has taken its place.
    pub(crate) fn is_newest(&self, target: TargetId, number: u64) -> bool {
        self.inner.lock().live.get(&target).is_some_and(|live| live.number == number)
    }

    /// Wakes the sessions whose target, or whose work, is not what it was, and forgets what is no more. Costs what
    /// changed.
    pub fn wake_changed(&self, before: &State, after: &State) {
        self.news.notify_waiters();
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
        let mut inner = self.inner.lock();
        for target in changed {
            if let Some(live) = inner.live.get(&target) {
                live.wake.notify_one();
            }
            if after.space_of(target).is_none() {
                inner.last_seen.remove(&target);
            }
        }
        for target in worked {
            inner.keep_progress_of_open_work(target, after);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: TargetId = TargetId::from_bytes([1; 16]);

    fn enter(registry: &Arc<Registry>) -> (Entered, Option<Live>) {
        registry.enter(TARGET, Arc::default(), Box::new(|| true), ([192, 0, 2, 1], 1).into())
    }

    #[tokio::test]
    async fn a_session_whose_serving_is_dropped_on_the_way_is_not_connected_any_more() {
        let registry = Arc::default();
        let serving = async {
            let _entered = enter(&registry);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = serving => {}
            // As when its slot is given away.
            () = async { assert!(registry.is_online(TARGET)) } => {}
        }
        assert!(!registry.is_online(TARGET));
    }

    #[test]
    fn a_session_that_ends_leaves_the_one_that_took_its_place() {
        let registry = Arc::default();
        let (older, none) = enter(&registry);
        let (newer, found) = enter(&registry);
        assert!(none.is_none() && found.is_some_and(|live| (live.is_open)()));
        assert!(!older.is_newest() && newer.is_newest());
        let _under_way = older.requests().try_acquire_many_owned(REQUESTS as u32).expect("it has them all");
        assert!(newer.requests().try_acquire().is_err(), "a new session does not make them more");
        drop(older);
        assert!(registry.is_online(TARGET));
        drop(newer);
        assert!(!registry.is_online(TARGET));
    }
}
