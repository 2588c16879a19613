//! What peers do again and again, counted here and recorded now and then: each time is in the journal, and nobody can
//! fill it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use windlass_coordinator_core::decide::{Command, Repeat, Repeated, SpaceCommand};
use windlass_coordinator_core::state::{Space, State};
use windlass_protocol::ids::{EnrolmentId, SpaceId, TargetId};

use crate::engine::{Engine, now};
use crate::strangers::{OTHERS, Strangers, Times};

/// How often counts are recorded, where the first ones are recorded at once.
const INTERVAL: Duration = Duration::from_secs(60);
/// How long the first ones wait for more of their kind.
const SOON: Duration = Duration::from_secs(1);
/// Addresses that the counts of one target or token name; who has more of them is counted under [`OTHERS`].
const ORIGINS: usize = 16;
/// Repeats in one record, so that it stays one that can be read.
const RECORD: usize = 256;

#[derive(Default)]
struct Counts {
    denied: BTreeMap<TargetId, BTreeMap<String, u64>>,
    repeats: BTreeMap<Repeated, Times>,
    /// When a clone of a target was recorded the last time.
    clones: HashMap<TargetId, Instant>,
}

/// The counts since they were last recorded. What is counted here belongs to targets and tokens that exist, and to
/// their open work, so there is an end to it.
#[derive(Default)]
pub(super) struct Counters {
    counts: Mutex<Counts>,
    /// Held by who records: what has been taken is recorded, or counted again, before anybody looks again.
    recording: tokio::sync::Mutex<()>,
    news: tokio::sync::Notify,
    /// Who is nobody, counted where it is refused.
    pub(super) strangers: Arc<Strangers>,
}

impl Counters {
    /// Nothing counted; strangers are counted there.
    pub(super) fn with(strangers: Arc<Strangers>) -> Self {
        Self { strangers, ..Self::default() }
    }

    /// Counts denied requests of a kind.
    pub(super) fn denied(&self, target: TargetId, kind: &str, count: u64) {
        if count > 0 {
            *self.counts.lock().denied.entry(target).or_default().entry(kind.to_owned()).or_default() +=
                count;
            self.news.notify_one();
        }
    }

    /// Counts something that happened before, with the bytes that travelled.
    pub(super) fn again(&self, what: Repeated, bytes: u64) {
        let now = now();
        let mut counts = self.counts.lock();
        let what = counts.bounded(what);
        counts.add(what, Times { count: 1, bytes, first: now, last: now });
        drop(counts);
        self.news.notify_one();
    }

    /// Whether a clone that is met at this moment is to be recorded at once: none of this target was in the last period.
    /// Else it is counted.
    pub(super) fn is_first_clone(&self, target: TargetId, older: &str, newer: &str, at: Instant) -> bool {
        let mut counts = self.counts.lock();
        let told = counts.clones.get(&target);
        if told.is_none_or(|told| at.duration_since(*told) > INTERVAL) {
            counts.clones.insert(target, at);
            return true;
        }
        drop(counts);
        self.again(Repeated::Clone { target, older: older.to_owned(), newer: newer.to_owned() }, 0);
        false
    }

    /// Records what was counted, again and again: soon after the first, then once a minute. Never ends.
    pub(super) async fn record_every_minute(self: &Arc<Self>, engine: &Engine) {
        loop {
            tokio::select! {
                () = self.news.notified() => {}
                () = self.strangers.news.notified() => {}
            }
            tokio::time::sleep(SOON).await;
            // In a task of its own: what has been taken and not recorded yet would go with who waits here.
            let (counters, engine) = (Arc::clone(self), engine.clone());
            let _ = tokio::spawn(async move { counters.record(&engine).await }).await;
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Records what was counted so far, after what is being recorded. What cannot be recorded now is counted on. To be
    /// waited for: dropped on the way, it loses counts.
    pub(super) async fn record(&self, engine: &Engine) {
        let _one_at_a_time = self.recording.lock().await;
        self.strangers.record(engine).await;
        let Counts { denied, repeats, clones } = std::mem::take(&mut *self.counts.lock());
        let state = engine.state();
        self.counts.lock().clones.extend(clones.into_iter().filter(|(_, told)| told.elapsed() <= INTERVAL));
        for (target, counts) in denied {
            let Some(space) = state.space_of(target).map(|space| space.head.id) else { continue };
            let command = SpaceCommand::RecordDenials { target, counts: counts.clone() };
            if !submit(engine, space, command).await {
                counts.iter().for_each(|(kind, count)| self.denied(target, kind, *count));
            }
        }
        let mut by_space: BTreeMap<SpaceId, Vec<Repeat>> = BTreeMap::new();
        for (what, Times { count, bytes, first, last }) in repeats {
            let Some(space) = space_of(&state, &what) else { continue };
            by_space.entry(space).or_default().push(Repeat { what, count, bytes, first, last });
        }
        for (space, repeats) in by_space {
            for repeats in repeats.chunks(RECORD) {
                if !submit(engine, space, SpaceCommand::RecordRepeats(repeats.to_vec())).await {
                    let mut counts = self.counts.lock();
                    for Repeat { what, count, bytes, first, last } in repeats.iter().cloned() {
                        counts.add(what, Times { count, bytes, first, last });
                    }
                    drop(counts);
                    self.news.notify_one();
                }
            }
        }
    }
}

impl Counts {
    fn add(&mut self, what: Repeated, times: Times) {
        self.repeats.entry(what).and_modify(|known| known.add(times)).or_insert(times);
    }

    /// What is counted under an address of the peer's is counted under that of others, once there are enough.
    fn bounded(&self, what: Repeated) -> Repeated {
        if self.repeats.contains_key(&what) {
            return what;
        }
        let others = || OTHERS.to_owned();
        match what {
            Repeated::Clone { target, .. } if self.origins_of(Of::Target(target)) >= ORIGINS => {
                Repeated::Clone { target, older: others(), newer: others() }
            }
            Repeated::EnrolmentRefused { enrolment, rule, .. }
                if self.origins_of(Of::Token(enrolment)) >= ORIGINS =>
            {
                Repeated::EnrolmentRefused { enrolment, rule, origin: others() }
            }
            what => what,
        }
    }

    fn origins_of(&self, of: Of) -> usize {
        let is_of = |what: &&Repeated| match what {
            Repeated::Clone { target, .. } => of == Of::Target(*target),
            Repeated::EnrolmentRefused { enrolment, .. } => of == Of::Token(*enrolment),
            Repeated::Read { .. } | Repeated::PullBroken { .. } => false,
        };
        self.repeats.keys().filter(is_of).count()
    }
}

/// Whose addresses are counted.
#[derive(PartialEq)]
enum Of {
    Target(TargetId),
    Token(EnrolmentId),
}

/// The space that something happened in. What was read outlives the target that read it.
fn space_of(state: &State, what: &Repeated) -> Option<SpaceId> {
    let known = |space: &&Space| match what {
        Repeated::Read { target, assignment, .. } | Repeated::PullBroken { target, assignment, .. } => {
            space.assigned(*target, *assignment).is_some()
        }
        Repeated::Clone { target, .. } => space.targets.get(*target).is_some(),
        Repeated::EnrolmentRefused { enrolment, .. } => space.enrolments.contains_key(enrolment),
    };
    state.spaces.values().find(known).map(|space| space.head.id)
}

/// Whether it was recorded.
async fn submit(engine: &Engine, space: SpaceId, command: SpaceCommand) -> bool {
    let submitted = engine.submit(Engine::own_envelope(), Command::Space(space, command)).await;
    let Err(why) = submitted else { return true };
    // A full disk and a clock that jumped are said once, by what finds them.
    if !why.kind.is_of_the_moment() {
        tracing::error!(%why, "what peers repeat could not be recorded");
    }
    false
}

#[cfg(test)]
mod tests {
    use windlass_api::requests::EnrolmentRequest;
    use windlass_coordinator_core::event::Actor;
    use windlass_protocol::Digest;
    use windlass_protocol::ids::{KeyId, TokenId};
    use windlass_protocol::message::EnrolRefusal;

    use super::*;
    use crate::journal::{InMemory, Replayed};

    fn refused(origin: usize) -> Repeated {
        let enrolment = EnrolmentId::from_bytes([1; 16]);
        Repeated::EnrolmentRefused {
            enrolment,
            rule: EnrolRefusal::Used,
            origin: format!("192.0.2.{origin}"),
        }
    }

    #[test]
    fn whoever_has_many_addresses_takes_no_more_room_and_every_time_counts() {
        let counters = Counters::default();
        for round in 0..3 {
            for origin in 0..100 {
                counters.again(refused(origin), round);
            }
        }
        let counts = counters.counts.lock();
        assert_eq!(counts.repeats.len(), ORIGINS + 1, "16 addresses and the others");
        assert_eq!(counts.repeats.values().map(|times| times.count).sum::<u64>(), 300);
        assert_eq!(counts.repeats.values().map(|times| times.bytes).sum::<u64>(), 300);
        let others: u64 = counts
            .repeats
            .iter()
            .filter(|(what, _)| matches!(what, Repeated::EnrolmentRefused { origin, .. } if origin == OTHERS))
            .map(|(_, times)| times.count)
            .sum();
        assert_eq!(others, 3 * (100 - ORIGINS as u64));
        assert!(counts.repeats.values().all(|times| times.first <= times.last));
    }

    /// An engine, and what it has counted twice as much of as goes into one record.
    async fn engine_and_counts() -> (Engine, Arc<Counters>) {
        let replayed = Replayed::nothing();
        let (engine, _) = Engine::start(InMemory::default(), None, replayed, Box::new(|_, _| {})).unwrap();
        let installer = || Engine::envelope(Actor::Installer, None);
        let token = (TokenId::from_bytes([1; 16]), Digest::of("administrator"));
        let key = KeyId::from_bytes([2; 16]);
        let command = Command::Initialise { authority: Digest::of("ca"), token, key };
        engine.submit(installer(), command).await.unwrap();
        let space = *engine.state().spaces.keys().next().unwrap();
        let counters = Arc::new(Counters::default());
        for number in 0..2 * RECORD / ORIGINS {
            let enrolment = EnrolmentId::from_bytes([u8::try_from(number).unwrap(); 16]);
            let request = EnrolmentRequest::default();
            let command = SpaceCommand::CreateEnrolment { request, token: (enrolment, Digest::of("secret")) };
            engine.submit(installer(), Command::Space(space, command)).await.unwrap();
            for origin in 0..ORIGINS {
                let (rule, origin) = (EnrolRefusal::Used, format!("192.0.2.{origin}"));
                counters.again(Repeated::EnrolmentRefused { enrolment, rule, origin }, 0);
            }
        }
        (engine, counters)
    }

    #[tokio::test]
    async fn what_is_being_recorded_when_the_coordinator_stops_is_recorded() {
        let (engine, counters) = engine_and_counts().await;
        let before = engine.state().number;
        let stops = async {
            while engine.state().number == before {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            biased;
            () = stops => {}
            () = counters.record_every_minute(&engine) => {}
        }
        counters.record(&engine).await;
        assert_eq!(engine.state().number, before + 2, "two records");
    }

    #[test]
    fn the_first_clone_of_a_target_is_told_at_once_and_the_next_ones_are_counted_each_for_its_places() {
        let counters = Counters::default();
        let (target, met) = (TargetId::from_bytes([1; 16]), Instant::now());
        assert!(counters.is_first_clone(target, "a", "b", met));
        for (older, newer) in [("b", "a"), ("a", "b"), ("b", "a")] {
            assert!(!counters.is_first_clone(target, older, newer, met + INTERVAL));
        }
        assert!(
            counters.is_first_clone(TargetId::from_bytes([2; 16]), "a", "b", met),
            "each target for itself"
        );
        let later = met + 2 * INTERVAL;
        assert!(counters.is_first_clone(target, "a", "b", later), "another period, whatever the time is");
        let counts = counters.counts.lock();
        let counted: Vec<_> = counts.repeats.values().map(|times| times.count).collect();
        assert_eq!(counted, [1, 2]);
    }
}
