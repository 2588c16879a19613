//! What time brings about: targets that are lost or back, and work that is over its deadline.
//!
//! Presence is not in the journal, but for targets with open work: what an offline target means to a deployment counts from
//! when it was written down that it is lost, so that every decision and every replay sees the same.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use windlass_coordinator_core::decide::{Command, SpaceCommand};
use windlass_coordinator_core::state::Space;
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{SpaceId, TargetId};
use windlass_segments::fail;

use crate::comings;
use crate::engine::{Engine, now};
use crate::registry::Registry;

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// How long a target with work has no session before it is lost: a reconnect takes less, and a start of the coordinator
/// gives everybody this time to come back.
const LOST_SECONDS: u64 = 30;

/// Targets of which one record says that they are lost or back.
const MOST: usize = 1000;

/// Records of what is overdue that are made at one look; the next one goes on.
const MOST_RECORDS: usize = 64;

/// The coordinator serves, and last did at `before`. Where it was away since then for longer than a reconnect takes (it was
/// not running, or its process was stopped), that is written down, for meanwhile nobody could come back or report.
/// Answers the last moment for which that is settled: nothing may be given up before that is now.
pub async fn serve_again(engine: &Engine, before: Timestamp) -> Timestamp {
    let at = now();
    if at.since(before) < lost_after() {
        return at;
    }
    for id in engine.state().spaces.keys() {
        if submit(engine, *id, SpaceCommand::RecordReturn).await != Submitted::Done {
            return before;
        }
    }
    at
}

fn lost_after() -> Duration {
    Duration::from_secs(fail::number("LOST_SECONDS", LOST_SECONDS))
}

/// Looks for as long as the process serves, which it did until `served`.
pub async fn watch(engine: &Engine, registry: &Registry, mut served: Timestamp) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut absences = Absences::default();
    loop {
        ticks.tick().await;
        let before = served;
        served = serve_again(engine, before).await;
        if served == before && now().since(before) >= lost_after() {
            continue;
        }
        // While nothing can be recorded nobody can report either: that is time without a coordinator as well.
        let mut can_record = true;
        let state = engine.state();
        for (id, space) in &state.spaces {
            let online = |target| registry.is_online(target);
            let (lost, back) = absences.look(space, &online, Instant::now());
            if !lost.is_empty() || !back.is_empty() {
                let told = SpaceCommand::RecordPresence { lost: lost.clone(), back: back.clone() };
                let submitted = submit(engine, *id, told).await;
                can_record &= submitted.can_record();
                if submitted == Submitted::Done {
                    lost.into_iter().for_each(|target| comings::lost(&state, target));
                    back.into_iter().for_each(|target| comings::back(&state, target));
                }
            }
            let due = |space: &Space| {
                space.indexes.deadlines.get_min().is_some_and(|(deadline, _, _)| *deadline < now())
            };
            for _ in 0..MOST_RECORDS {
                if !engine.state().space(*id).is_some_and(due) {
                    break;
                }
                let submitted = submit(engine, *id, SpaceCommand::GiveUpOverdue).await;
                can_record &= submitted.can_record();
                if submitted != Submitted::Done {
                    break;
                }
            }
        }
        if !can_record {
            served = before;
        }
    }
}

/// What came of a command. What is not done is tried again at the next look.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Submitted {
    Done,
    Refused,
    /// The disk is full, the clock has jumped, or the coordinator is stopping.
    Unrecordable,
}

impl Submitted {
    fn can_record(self) -> bool {
        self != Self::Unrecordable
    }
}

async fn submit(engine: &Engine, space: SpaceId, command: SpaceCommand) -> Submitted {
    let submitted = engine.submit(Engine::own_envelope(), Command::Space(space, command)).await;
    let Err(why) = submitted else { return Submitted::Done };
    // A full disk and a clock that jumped are said once, by what finds them.
    if why.kind.is_of_the_moment() {
        return Submitted::Unrecordable;
    }
    tracing::error!(%why, "what is lost or overdue could not be written down");
    Submitted::Refused
}

/// Since when targets with work have had no session.
#[derive(Default)]
struct Absences(BTreeMap<(SpaceId, TargetId), Instant>);

impl Absences {
    /// Which targets of a space are newly lost, and which lost ones are back.
    fn look(
        &mut self,
        space: &Space,
        online: &dyn Fn(TargetId) -> bool,
        at: Instant,
    ) -> (Vec<TargetId>, Vec<TargetId>) {
        let back = space.lost.keys().copied().filter(|target| online(*target)).take(MOST).collect();
        let working = |target: &TargetId| space.indexes.work.contains_key(target);
        let id = space.head.id;
        self.0.retain(|(of, target), _| *of != id || (working(target) && !online(*target)));
        let lost_after = lost_after();
        let mut lost = Vec::new();
        for target in space.indexes.work.keys() {
            if online(*target) || space.lost.contains_key(target) || lost.len() == MOST {
                continue;
            }
            let since = *self.0.entry((id, *target)).or_insert(at);
            if at.duration_since(since) >= lost_after {
                lost.push(*target);
            }
        }
        (lost, back)
    }
}
