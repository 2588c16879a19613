//! A decision while it is made: each event is applied at once, so that what follows sees it.

use windlass_api::error::Problem;
use windlass_protocol::Timestamp;

use super::fresh::Fresh;
use super::{Envelope, Reply};
use crate::event::{Event, Record, Stream};
use crate::state::{Space, State};

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
    events: Vec<Event>,
    pub(super) fresh: Fresh,
}

impl<'a> Draft<'a> {
    pub(super) fn new(before: &'a State, envelope: &'a Envelope) -> Self {
        let mut after = before.clone();
        after.sequence += 1;
        after.epoch = before.epoch.max(1);
        after.time = envelope.time.max(before.time);
        let fresh = Fresh::new(envelope.seed);
        Self { before, after, envelope, stream: Stream::Installation, events: Vec::new(), fresh }
    }

    /// Says which stream the decision belongs to.
    pub(super) fn enter(&mut self, stream: Stream) -> Result<(), Problem> {
        if let Stream::Space(id) = stream
            && self.before.space(id).is_none()
        {
            return Err(Problem::not_found("there is no such space"));
        }
        self.stream = stream;
        Ok(())
    }

    /// Never earlier than the record before.
    pub(super) const fn now(&self) -> Timestamp {
        self.after.time
    }

    pub(super) const fn envelope(&self) -> &Envelope {
        self.envelope
    }

    pub(super) const fn state(&self) -> &State {
        &self.after
    }

    /// The space that the decision is about, with the events so far.
    pub(super) fn space(&self) -> &Space {
        let Stream::Space(id) = self.stream else { unreachable!("commands of a space have entered it") };
        self.after.space(id).expect("`enter` looked it up, and spaces are not deleted")
    }

    /// The space as it was before the command.
    pub(super) fn space_before(&self) -> &'a Space {
        let Stream::Space(id) = self.stream else { unreachable!("commands of a space have entered it") };
        self.before.space(id).expect("`enter` looked it up, and spaces are not deleted")
    }

    /// Adds an event and applies it.
    pub(super) fn emit(&mut self, event: Event) {
        let applied = self.after.apply_event(self.stream, &event);
        debug_assert!(applied.is_ok(), "a decision emits events that fit: {applied:?} for {event:?}");
        self.events.push(event);
    }

    pub(super) fn finish(self, reply: Reply) -> Decision {
        if self.events.is_empty() {
            return Decision { record: None, state: self.before.clone(), reply };
        }
        let record = Record {
            sequence: self.after.sequence,
            epoch: self.after.epoch,
            time: self.after.time,
            stream: self.stream,
            actor: self.envelope.actor,
            origin: self.envelope.origin.clone(),
            reason: self.envelope.reason.clone(),
            events: self.events,
        };
        Decision { record: Some(record), state: self.after, reply }
    }
}
