//! A decision while it is made: each event is applied at once, so that what follows sees it.

use std::sync::Arc;

use windlass_api::error::Problem;
use windlass_api::json;
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{DeploymentId, SpaceId};

use super::fresh::Fresh;
use super::{Envelope, Reply};
use crate::event::{Actor, Answered, Event, FORMAT, Header, Read, Record, Stream};
use crate::model::Deployment;
use crate::plan::Wanted;
use crate::state::{Space, State};

/// Bytes of the events of one record, as they are written: all or nothing is one record, and a record has to stay well
/// below what one line of the journal may have.
const MOST_BYTES: usize = 8 << 20;

/// Bytes after which what goes on in parts leaves the rest to the next part.
const FULL_BYTES: usize = 1 << 20;

/// Bytes of one of the things that go on in parts: with what the part has before it comes to it, a record stays below
/// [`MOST_BYTES`].
const MOST_PART_BYTES: usize = MOST_BYTES - FULL_BYTES;

/// What a command does: the record to append (none where nothing changes), the state after it, and the answer.
pub struct Decision {
    /// The record. `None`: nothing to write down, the answer holds as it is.
    pub record: Option<Record>,
    /// The state with the record applied.
    pub state: State,
    /// The answer, once the record is durable.
    pub reply: Reply,
}

pub(super) struct Draft<'a> {
    before: &'a State,
    after: State,
    envelope: &'a Envelope,
    stream: Stream,
    space: Option<SpaceId>,
    events: Vec<Event>,
    /// Bytes of the events, as they are written.
    bytes: usize,
    /// What to do instead where they are too many.
    instead: &'static str,
    /// Why an event did not fit: then there is no record.
    broken: Option<String>,
    pub(super) fresh: Fresh,
    wanted: Wanted<'a>,
}

impl<'a> Draft<'a> {
    /// A decision for a stream, about a space where it is about one.
    pub(super) fn new(
        before: &'a State,
        envelope: &'a Envelope,
        stream: Stream,
        space: Option<SpaceId>,
    ) -> Result<Self, Problem> {
        if space.is_some_and(|id| before.space(id).is_none()) {
            return Err(Problem::not_found("there is no such space"));
        }
        let mut after = before.clone();
        after.begin(stream, epoch(before), envelope.moment(before));
        let (fresh, events, instead) = (Fresh::new(envelope.seed), Vec::new(), "ask for less at once");
        Ok(Self {
            before,
            after,
            envelope,
            stream,
            space,
            events,
            bytes: 0,
            instead,
            broken: None,
            fresh,
            wanted: &|| Ok(()),
        })
    }

    /// The same, for as long as somebody waits for it.
    pub(super) fn wanted(self, wanted: Wanted<'a>) -> Self {
        Self { wanted, ..self }
    }

    /// An error where nobody waits for the decision any more.
    pub(super) fn expect_wanted(&self) -> Result<(), Problem> {
        (self.wanted)()
    }

    /// The one moment of the decision: never earlier than the record before.
    pub(super) const fn now(&self) -> Timestamp {
        self.after.time
    }

    pub(super) const fn envelope(&self) -> &Envelope {
        self.envelope
    }

    pub(super) const fn state(&self) -> &State {
        &self.after
    }

    /// A deployment as it is now, to be kept while the draft goes on.
    pub(super) fn deployment(&self, id: DeploymentId) -> Option<Arc<Deployment>> {
        self.space().deployments.get(&id).cloned()
    }

    /// The space that the decision is about, with the events so far.
    pub(super) fn space(&self) -> &Space {
        let Some(id) = self.space else { unreachable!("commands of a space name it") };
        self.after.space(id).expect("it was looked up, and spaces are not deleted")
    }

    /// The space as it was before the command.
    pub(super) fn space_before(&self) -> &'a Space {
        let Some(id) = self.space else { unreachable!("commands of a space name it") };
        self.before.space(id).expect("it was looked up, and spaces are not deleted")
    }

    /// The number of the stream's last record before the command.
    pub(super) fn sequence_before(&self) -> u64 {
        self.before.sequence(self.stream)
    }

    /// Adds an event and applies it. One that does not fit the state is a mistake of this program: nothing is recorded
    /// then, and whoever asked is told.
    pub(super) fn emit(&mut self, event: impl Into<Event>) {
        if self.is_broken() {
            return;
        }
        let event = event.into();
        if let Err(why) = self.after.apply_event(self.stream, self.events.len(), &event) {
            let name = serde_json::to_string(&event).unwrap_or_default();
            self.broken = Some(format!("{why}, in {}", name.chars().take(80).collect::<String>()));
        }
        self.bytes += json::bytes(&event);
        self.events.push(event);
    }

    /// Does one of many things: all of it, or nothing of it and why it cannot be recorded. What others come to is not the
    /// worse for it.
    pub(super) fn attempt(&mut self, act: impl FnOnce(&mut Self)) -> Result<(), String> {
        if self.is_broken() {
            return Ok(());
        }
        let (after, events, bytes) = (self.after.clone(), self.events.len(), self.bytes);
        act(self);
        let why = match self.broken.take() {
            Some(why) => mistake(&why),
            None if self.bytes - bytes > MOST_PART_BYTES => format!(
                "it would write {} MiB at once, and one record holds {} MiB of it",
                (self.bytes - bytes).div_ceil(1 << 20),
                MOST_PART_BYTES >> 20
            ),
            None => return Ok(()),
        };
        (self.after, self.bytes) = (after, bytes);
        self.events.truncate(events);
        Err(why)
    }

    /// Whether an event did not fit: whatever comes after it changes nothing.
    pub(super) const fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Whether it changes a space, as far as it has come.
    pub(super) const fn changes_space(&self) -> bool {
        matches!(self.stream, Stream::Space(_)) && !self.events.is_empty()
    }

    /// How many events there are so far.
    pub(super) const fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether what goes on in parts has done its part.
    pub(super) const fn is_full(&self) -> bool {
        self.bytes >= FULL_BYTES
    }

    /// What to do instead where this is too much for one record.
    pub(super) const fn instead(&mut self, instead: &'static str) {
        self.instead = instead;
    }

    /// Refuses what is too much for one record, whatever people ask for. Reports are bounded as they are recorded
    /// (`Report::check`), what else agents tell by its messages, and what the coordinator goes on with by its parts.
    pub(super) fn refuse_too_much(&self) -> Result<(), Problem> {
        let asked = matches!(self.envelope.actor, Actor::Token(_) | Actor::Installer);
        if !asked || self.bytes <= MOST_BYTES {
            return Ok(());
        }
        let (most, instead) = (MOST_BYTES >> 20, self.instead);
        Err(Problem::usage(format!(
            "this would write more than {most} MiB at once, and all or nothing is at most that; {instead}"
        )))
    }

    pub(super) fn finish(mut self, reply: Reply) -> Result<Decision, Problem> {
        if let Some(why) = self.broken {
            return Err(Problem::failed(mistake(&why)));
        }
        self.refuse_too_much()?;
        // What may be repeated is recorded even where nothing changes: repeated later, it must not change anything then.
        if self.events.is_empty() && self.envelope.request.is_none() {
            return Ok(Decision { record: None, state: self.before.clone(), reply });
        }
        let Envelope { actor, origin, reason, cause, request, .. } = self.envelope.clone();
        let answered = request.map(|request| Answered { request, reply: reply.clone() });
        if let Some(answered) = &answered {
            self.after.requests.remember(self.after.time, answered);
        }
        let record = Record {
            number: self.after.number,
            stream: self.stream,
            sequence: self.after.sequence(self.stream),
            // A later one that an event of it begins is the next record's.
            epoch: epoch(self.before),
            format: FORMAT,
            time: self.after.time,
            header: Header {
                actor,
                origin,
                reason,
                cause,
                reads: reads(self.before, self.stream, self.space),
                answered,
            },
            events: self.events,
        };
        Ok(Decision { record: Some(record), state: self.after, reply })
    }
}

/// The epoch that a record after this state is of.
fn epoch(before: &State) -> u64 {
    before.epoch.max(1)
}

/// What a decision about a stream rests on: the stream itself, the installation's, which says who may do what, and that of
/// the space in which its names mean something. What was seen rests on nothing.
fn reads(before: &State, stream: Stream, space: Option<SpaceId>) -> Vec<Read> {
    let read = |stream| Read { stream, sequence: before.sequence(stream) };
    match stream {
        Stream::Installation => [stream].into_iter().chain(space.map(Stream::Space)).map(read).collect(),
        Stream::Space(_) => vec![read(Stream::Installation), read(stream)],
        Stream::Observations(_) => Vec::new(),
    }
}

/// The sentence for an event that does not fit.
fn mistake(why: &str) -> String {
    format!(
        "the coordinator would have recorded what does not fit its own state ({why}); nothing was changed, and this is a \
         mistake in it that its makers should know of"
    )
}

#[cfg(test)]
mod tests {
    use windlass_protocol::ids::{TargetId, TokenId};

    use super::*;
    use crate::event::{InstallationEvent, Observation, TargetEvent};

    fn envelope() -> Envelope {
        let (time, actor) = (Timestamp::from_milliseconds(1), Actor::Installer);
        Envelope { time, actor, origin: None, reason: None, cause: None, request: None, seed: [0; 32] }
    }

    #[test]
    fn an_event_that_does_not_fit_is_an_error_and_no_record() {
        let (state, envelope) = (State::default(), envelope());
        let mut draft =
            Draft::new(&state, &envelope, Stream::Installation, None).expect("it is about no space");
        draft.emit(InstallationEvent::TokenDeleted { token: TokenId::from_bytes([1; 16]) });
        // What comes after it is not looked at any more.
        draft.emit(TargetEvent::Enabled { target: TargetId::from_bytes([1; 16]) });
        let problem = draft.finish(Reply::Done).err().expect("there is no such token");
        assert!(problem.message.contains("does not fit its own state (no such token, in {"), "{problem}");
    }

    #[test]
    fn what_cannot_be_recorded_of_many_things_leaves_the_others_as_they_are() {
        let (state, envelope) = (State::default(), envelope());
        let mut draft = Draft::new(&state, &envelope, Stream::Observations(None), None).expect("no space");
        let counts = |text: &str| Observation::Denied {
            target: TargetId::from_bytes([1; 16]),
            counts: [(text.to_owned(), 1)].into(),
        };
        let before = draft.bytes;
        assert_eq!(draft.attempt(|draft| draft.emit(counts("small"))), Ok(()));
        let (small, whole) = (draft.bytes, draft.state().digest());
        assert!(small > before);
        let large = "x".repeat(MOST_PART_BYTES + 1);
        let why = draft.attempt(|draft| draft.emit(counts(&large))).expect_err("it is too much");
        assert_eq!(why, "it would write 8 MiB at once, and one record holds 7 MiB of it");
        let misfit = |draft: &mut Draft<'_>| {
            draft.emit(counts("with it"));
            draft.emit(TargetEvent::Enabled { target: TargetId::from_bytes([1; 16]) });
        };
        let why = draft.attempt(misfit).expect_err("it is of another stream");
        assert!(why.contains("does not fit its own state (an event of another stream, in {"), "{why}");
        assert_eq!((draft.bytes, draft.state().digest()), (small, whole));
        assert_eq!(draft.attempt(|draft| draft.emit(counts("more"))), Ok(()));
        let record =
            draft.finish(Reply::Done).expect("what is left fits").record.expect("there is something");
        assert_eq!(record.events, [counts("small"), counts("more")].map(Event::from));
    }

    #[test]
    fn an_event_of_another_stream_is_an_error_too() {
        let (state, envelope) = (State::default(), envelope());
        let mut draft =
            Draft::new(&state, &envelope, Stream::Installation, None).expect("it is about no space");
        draft.emit(TargetEvent::Enabled { target: TargetId::from_bytes([1; 16]) });
        let problem = draft.finish(Reply::Done).err().expect("a target is in a space");
        assert!(problem.message.contains("(an event of another stream, in {"), "{problem}");
    }
}
