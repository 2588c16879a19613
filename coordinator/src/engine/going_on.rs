//! What is left to go on with, space by space: asked for again until nothing is left.
//!
//! What came to nothing (the disk is full, or a mistake of this program) comes to nothing again at once, however often it
//! is asked for; so it is asked for less and less often, until something is recorded.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use windlass_coordinator_core::decide::has_more;
use windlass_coordinator_core::event::Stream;
use windlass_coordinator_core::state::State;
use windlass_protocol::ids::SpaceId;

use super::batch::Answer;

/// How long what came to nothing is left alone the first time; twice as long each time after.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest that it is left alone: nobody notices that a disk has room again much later.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What was asked for in each space that has something to go on with.
#[derive(Default)]
pub(super) struct GoingOn(BTreeMap<SpaceId, Tried>);

/// What was asked for in a space, the last time.
struct Tried {
    /// The space's last record then.
    sequence: u64,
    /// Until it is answered.
    answered: oneshot::Receiver<Answer>,
    /// Once it came to nothing: not before.
    again: Option<Instant>,
    /// How long it is left alone then.
    wait: Duration,
}

/// What is to be done about a space.
pub(super) enum Due {
    /// It is asked for, and how it is answered goes here.
    Now(oneshot::Sender<Answer>),
    /// It came to nothing, and is looked at again after so long.
    After(Duration),
}

impl GoingOn {
    /// The spaces of which something is to be done `now`.
    pub(super) fn due(&mut self, state: &State, now: Instant) -> Vec<(SpaceId, Due)> {
        self.0.retain(|space, _| has_more(state, *space));
        let left = state.spaces.keys().copied().filter(|space| has_more(state, *space));
        left.filter_map(|space| Some((space, self.due_in(state, space, now)?))).collect()
    }

    fn due_in(&mut self, state: &State, space: SpaceId, now: Instant) -> Option<Due> {
        let sequence = state.sequence(Stream::Space(space));
        let mut wait = FIRST_WAIT;
        if let Some(tried) = self.0.get_mut(&space).filter(|tried| tried.sequence == sequence) {
            match (tried.again, tried.answered.try_recv()) {
                (None, Err(TryRecvError::Empty)) => return None,
                // The queue was full, and it was not asked for.
                (None, Err(TryRecvError::Closed)) => wait = tried.wait,
                (None, Ok(answer)) => {
                    let why =
                        answer.err().map_or_else(|| "nothing came of it".to_owned(), |why| why.to_string());
                    tracing::error!(%space, %why, "what is left to do cannot be done now; it is tried again later");
                    tried.again = Some(now + tried.wait);
                    return Some(Due::After(tried.wait));
                }
                (Some(again), _) if now < again => return None,
                (Some(_), _) => wait = (tried.wait * 2).min(LONGEST_WAIT),
            }
        }
        let (answer, answered) = oneshot::channel();
        self.0.insert(space, Tried { sequence, answered, again: None, wait });
        Some(Due::Now(answer))
    }
}
