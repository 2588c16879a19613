//! The one way in which answers are written: under a watcher of the right to them, and no longer than somebody reads.
//!
//! An agent that reads slowly, or not at all, keeps a writing waiting, and what waits must not be sent once the right has
//! gone (THREATS C2). The right is asked for whenever the state has changed, before anybody hears that it has, and now and
//! then beside that, because time alone ends rights. So every kind of answer goes through [`Right`], and what a
//! large one takes meanwhile comes out of the [`Room`] of its session.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quinn::{SendStream, VarInt};
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;
use windlass_coordinator_core::authorise::{self, Peer};
use windlass_packages::SendError;
use windlass_protocol::codec;
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::message::{Answer, Request};

use super::super::Sessions;
use super::super::pace::{Gauge, Look};
use super::super::turns::Turn;
use super::metered::Metered;
use super::room::{Room, Taken};
use crate::engine::now;

/// How often the right to an answer is asked for where no change of the state is a reason to.
const LOOK: Duration = Duration::from_millis(100);

/// Who asks: a session that was admitted.
#[derive(Clone)]
pub(in super::super) struct Asker {
    pub(in super::super) sessions: Arc<Sessions>,
    pub(in super::super) peer: Peer,
    /// The session's number in the registry.
    pub(in super::super) session: u64,
    pub(in super::super) room: Room,
    /// Requests that its target may have under way.
    pub(in super::super) places: Arc<Semaphore>,
}

impl Asker {
    /// Whether the session is still its target's: a newer one is another's right, and so is none at all.
    pub(super) fn is_current(&self) -> bool {
        self.sessions.services.registry.is_newest(self.peer.target, self.session)
    }

    /// Takes one of the lines of the log that its target may cause; whether there was one left.
    pub(super) fn takes_line(&self) -> bool {
        self.sessions.takes_line(self.peer.target)
    }

    /// Counts an answer that was cut off because the right to it went. Where the session went, nothing was denied.
    pub(super) fn withdrawn(&self, kind: &str) {
        if self.is_current() {
            self.sessions.counters.denied(self.peer.target, kind, 1);
        }
    }
}

/// The stream of an answer. Dropped before the agent has all of it, nothing more of it is sent: left to itself, quinn
/// would send what waits in it.
pub(super) struct AnswerStream(SendStream);

impl AnswerStream {
    pub(super) const fn new(stream: SendStream) -> Self {
        Self(stream)
    }

    /// Ends when the agent has all of it, or wants no more of it.
    pub(super) async fn stopped(&self) {
        let _ = self.0.stopped().await;
    }

    /// The same stream, counting what is taken.
    pub(super) const fn metered<'a>(&'a mut self, taken: &'a AtomicU64) -> Metered<'a> {
        Metered::new(&mut self.0, taken)
    }
}

impl Drop for AnswerStream {
    fn drop(&mut self) {
        let _ = self.0.reset(VarInt::from_u32(1));
    }
}

/// What an answer rests on beside the session itself.
pub(super) enum Rests {
    /// Nothing more: it says no more than that something was taken, or was not.
    Session,
    /// The request would be granted again.
    Request(Request),
    /// What it tells of is still the target's work.
    Work(Vec<AssignmentId>),
}

/// Why the writing of an answer ends before its end.
pub(super) enum Ending {
    /// The right to it has gone.
    Withdrawn,
    /// The agent takes nothing off the stream.
    Stalled,
    /// It is the slowest of more slow pulls than there is room for.
    CrowdedOut,
    /// That it was given cannot be recorded.
    Unrecorded,
    /// It cannot be sent.
    Failed(SendError),
}

impl From<SendError> for Ending {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Withdrawn => Self::Withdrawn,
            error => Self::Failed(error),
        }
    }
}

/// The right to an answer. It is asked for anew each time.
pub(super) struct Right<'a> {
    pub(super) asker: &'a Asker,
    pub(super) rests: Rests,
}

impl Right<'_> {
    pub(super) fn stands(&self) -> bool {
        let Asker { sessions, peer, .. } = self.asker;
        if !self.asker.is_current() {
            return false;
        }
        let state = sessions.engine.state();
        match &self.rests {
            Rests::Session => authorise::session(&state, peer, now()).is_ok(),
            Rests::Request(request) => authorise::request(&state, peer, request, now()).is_ok(),
            Rests::Work(work) => authorise::session(&state, peer, now()).is_ok_and(|permit| {
                let space = state.space(permit.space());
                let is_work = |id| space.is_some_and(|space| space.work_item(peer.target, id).is_some());
                work.iter().all(|id| is_work(*id))
            }),
        }
    }

    /// Ends when the writing has to: the right has gone, or the agent takes too little of it. Without a count of what is
    /// taken the right is all that is looked at.
    async fn watch(&self, taken: Option<&AtomicU64>, turn: Option<&Turn<'_>>) -> Ending {
        let count = || taken.map_or(0, |taken| taken.load(Ordering::Relaxed));
        let mut gauge = Gauge::new(Instant::now(), count());
        loop {
            // Made before the right is asked for, it misses no change after that.
            let changed = self.asker.sessions.services.registry.changed();
            if !self.stands() {
                return Ending::Withdrawn;
            }
            match gauge.look(Instant::now(), count()) {
                Look::Stalled if taken.is_some() => return Ending::Stalled,
                Look::Measured(pace) => turn.into_iter().for_each(|turn| turn.measured(pace)),
                Look::Stalled | Look::Between => {}
            }
            if turn.is_some_and(|turn| !turn.give_way()) {
                return Ending::CrowdedOut;
            }
            let _ = tokio::time::timeout(LOOK, changed).await;
        }
    }

    /// Does a writing that counts what is taken, as long as it may go on. Whenever both could, the watcher goes first.
    pub(super) async fn over<T>(
        &self,
        taken: &AtomicU64,
        turn: Option<&Turn<'_>>,
        writing: impl Future<Output = Result<T, Ending>>,
    ) -> Result<T, Ending> {
        tokio::select! {
            biased;
            ending = self.watch(Some(taken), turn) => Err(ending),
            written = writing => written,
        }
    }

    /// Ends the stream, and watches the right to what is on its way until the agent has all of it.
    pub(super) async fn finish(&self, mut stream: AnswerStream) {
        if stream.0.finish().is_err() {
            return;
        }
        tokio::select! {
            biased;
            _ = self.watch(None, None) => {}
            () = stream.stopped() => {}
        }
    }

    /// Writes an answer that is one frame, and ends the stream. An error is why it was cut off.
    pub(super) async fn answer(
        &self,
        mut stream: AnswerStream,
        answer: Answer,
        mut room: Option<Taken>,
    ) -> Result<(), Ending> {
        let frame = match codec::frame(&answer) {
            Ok(frame) => frame,
            Err(why) => {
                if self.asker.takes_line() {
                    tracing::error!(target = %self.asker.peer.target, %why, "an answer is too large to be sent");
                }
                return Ok(());
            }
        };
        drop(answer);
        room.iter_mut().for_each(|room| room.keep(frame.len()));
        let taken = AtomicU64::new(0);
        let mut metered = stream.metered(&taken);
        let writing = async {
            metered.write_all(&frame).await.map_err(|why: io::Error| Ending::Failed(SendError::Stream(why)))
        };
        self.over(&taken, None, writing).await?;
        drop((frame, room));
        self.finish(stream).await;
        Ok(())
    }
}
