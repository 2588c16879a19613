//! One batch of commands: decided on speculative state, appended at once, and only then published and answered.
//!
//! Whoever else appends to the same journal may come first. Then the engine catches up, keeps what rested on nothing that
//! has changed, and decides the rest again, with the same seeds and a moment that is not before the journal's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use windlass_api::error::{Problem, ProblemKind};
use windlass_coordinator_core::decide::{Command, Envelope, Reply, SpaceCommand, decide, has_more};
use windlass_coordinator_core::event::{Actor, Record, Stream};
use windlass_coordinator_core::state::State;

use super::edges::{random, random_bytes};
use crate::journal::{AppendError, Appended, Head, Journal, Line, encode};
use crate::trouble::Trouble;

/// The longest line of a record. The core bounds what it decides well below this; what is longer all the same is refused,
/// and nobody else is the worse for it.
const MOST_LINE: usize = 12 << 20;

/// Records that the commands of a batch may be followed by in it, their bytes, and how long deciding them may take: what
/// is then left is done by a batch of its own, and whoever asked is answered before.
const MOST_FOLLOWING: usize = 64;
const MOST_FOLLOWING_BYTES: usize = 4 << 20;
const MOST_FOLLOWING_TIME: Duration = Duration::from_millis(20);

/// Lines that are read at once to catch up.
const CATCH_UP: usize = 1024;

/// Something to decide.
pub(super) struct Asked {
    pub(super) envelope: Envelope,
    pub(super) command: Command,
}

/// What came of it.
pub(super) type Answer = Result<Reply, Problem>;

/// The state as of the journal's head, and the way to go on from there.
pub(super) struct Ledger<J> {
    journal: J,
    head: Head,
    state: Arc<State>,
    /// Bytes of the records since they are counted.
    bytes: u64,
    /// Whether there was no room for what was to be appended last.
    full: Trouble,
}

/// What a batch came to, as far as it has been decided.
struct Batch {
    state: State,
    head: Head,
    records: Vec<Decided>,
    answers: Vec<Answer>,
    following: Following,
}

/// What was decided beside what was asked for.
#[derive(Default)]
struct Following {
    records: usize,
    bytes: usize,
    took: Duration,
}

impl Following {
    fn is_enough(&self) -> bool {
        self.records >= MOST_FOLLOWING
            || self.bytes >= MOST_FOLLOWING_BYTES
            || self.took >= MOST_FOLLOWING_TIME
    }
}

/// A record, and which of the commands it is of.
struct Decided {
    record: Record,
    appended: Appended,
    of: usize,
}

/// Why the engine has to end.
#[derive(Debug, thiserror::Error)]
#[error("{0}; the coordinator ends to lose nothing")]
pub(super) struct CannotGoOn(String);

impl<J: Journal> Ledger<J> {
    /// After as many bytes of records.
    pub(super) const fn new(journal: J, head: Head, state: Arc<State>, bytes: u64) -> Self {
        Self { journal, head, state, bytes, full: Trouble::none() }
    }

    pub(super) fn journal(&mut self) -> &mut J {
        &mut self.journal
    }

    pub(super) const fn state(&self) -> &Arc<State> {
        &self.state
    }

    pub(super) const fn head(&self) -> Head {
        self.head
    }

    /// Bytes of the records since they are counted.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Counts the bytes of records from here on.
    pub(super) const fn count_anew(&mut self) {
        self.bytes = 0;
    }

    /// Reads what others have appended.
    pub(super) fn catch_up(&mut self) -> Result<(), CannotGoOn> {
        loop {
            let lines = self.journal.read(self.head, CATCH_UP).map_err(|why| CannotGoOn(why.to_string()))?;
            if lines.is_empty() {
                return Ok(());
            }
            let mut state = State::clone(&self.state);
            for line in &lines {
                self.bytes += line.len() as u64;
                let unreadable =
                    |why: &dyn std::fmt::Display| CannotGoOn(format!("the journal cannot be read: {why}"));
                let line = Line::read(line, self.head.hash).map_err(|why| unreadable(&why))?;
                let record = line.parse().map_err(|why| unreadable(&why))?;
                state.apply(&record).map_err(|why| unreadable(&why))?;
                self.head = Head { number: record.number, hash: line.hash };
            }
            self.state = Arc::new(state);
        }
    }

    /// Decides commands in order and makes what they do durable, in one append. Each gets its answer; a full disk answers
    /// them all.
    pub(super) fn carry_out(&mut self, asked: &[Asked]) -> Result<Vec<Answer>, CannotGoOn> {
        let mut batch = self.decide_from(None, asked);
        loop {
            if batch.records.is_empty() {
                return Ok(batch.answers);
            }
            windlass_segments::fail::point("engine-before-sync");
            let lines: Vec<_> = batch.records.iter().map(|decided| decided.appended.clone()).collect();
            match self.journal.append(self.head, &lines) {
                Ok(()) => {
                    windlass_segments::fail::point("engine-after-sync");
                    if self.full.ends() {
                        tracing::info!("the journal's disk has room again");
                    }
                    (self.head, self.state) = (batch.head, Arc::new(batch.state));
                    self.bytes += lines.iter().map(|appended| appended.line.len() as u64).sum::<u64>();
                    return Ok(batch.answers);
                }
                Err(AppendError::Overtaken) => {
                    self.catch_up()?;
                    batch = self.decide_from(Some(batch), asked);
                }
                Err(AppendError::Unanswered) => {
                    tracing::warn!("the journal has not answered; it is asked again")
                }
                Err(AppendError::Full) => {
                    if self.full.begins() {
                        tracing::error!(
                            "the journal's disk is full; commands are refused until there is room"
                        );
                    }
                    let problem = Problem::new(
                        ProblemKind::DiskFull,
                        "the coordinator's disk is full; nothing was changed",
                    );
                    return Ok(asked.iter().map(|_| Err(problem.clone())).collect());
                }
                Err(why) => return Err(CannotGoOn(why.to_string())),
            }
        }
    }

    /// Decides commands on the state as it is. Of what was decided on an earlier one, what rests on nothing that has
    /// changed is kept, up to the first that does.
    fn decide_from(&self, overtaken: Option<Batch>, asked: &[Asked]) -> Batch {
        let mut batch = Batch {
            state: State::clone(&self.state),
            head: self.head,
            records: Vec::new(),
            answers: Vec::with_capacity(asked.len()),
            following: Following::default(),
        };
        if let Some(overtaken) = overtaken {
            batch.keep(overtaken);
        }
        for (of, asked) in asked.iter().enumerate().skip(batch.answers.len()) {
            let answer = batch.decide(of, asked);
            batch.answers.push(answer);
            batch.go_on(of, &asked.command);
        }
        batch
    }
}

impl Batch {
    /// Keeps the records of an overtaken batch up to the first whose reads do not hold any more, with other numbers. What
    /// had no record is decided again with what follows it.
    fn keep(&mut self, overtaken: Batch) {
        let mut numbers = BTreeMap::new();
        let mut kept = 0;
        let mut records = overtaken.records.into_iter().peekable();
        for (of, answer) in overtaken.answers.into_iter().enumerate() {
            let mut of_command = Vec::new();
            while let Some(decided) = records.next_if(|decided| decided.of == of) {
                of_command.push(decided.record);
            }
            // Its first record says what the answer rested on; those that follow rest on it.
            let Some(first) = of_command.first() else { break };
            let reads = &first.header.reads;
            let holds = reads.iter().all(|read| self.state.sequence(read.stream) == read.sequence);
            if !holds || (reads.is_empty() && answer.is_err()) {
                break;
            }
            for mut record in of_command {
                let before = record.number;
                record.number = self.state.number + 1;
                record.sequence = self.state.sequence(record.stream) + 1;
                record.time = record.time.max(self.state.time);
                record.header.cause =
                    record.header.cause.map(|cause| numbers.get(&cause).copied().unwrap_or(cause));
                numbers.insert(before, record.number);
                if self.state.apply(&record).is_err() {
                    // It cannot be, and is decided again rather than written.
                    return;
                }
                self.push(record, of);
            }
            self.answers.push(answer);
            kept += 1;
        }
        tracing::debug!(kept, "a batch was overtaken");
    }

    fn decide(&mut self, of: usize, Asked { envelope, command }: &Asked) -> Answer {
        let decision = decide(&self.state, envelope, command)?;
        let Some(record) = decision.record else { return Ok(decision.reply) };
        let (appended, head) = encoded(&record, self.head);
        if appended.line.len() > MOST_LINE {
            return Err(Problem::usage(format!(
                "this would write {} MiB at once, which is too much for one record; ask for less at once",
                appended.line.len() >> 20
            )));
        }
        (self.state, self.head) = (decision.state, head);
        self.records.push(Decided { record, appended, of });
        Ok(decision.reply)
    }

    fn push(&mut self, record: Record, of: usize) {
        let (appended, head) = encoded(&record, self.head);
        self.head = head;
        self.records.push(Decided { record, appended, of });
    }

    /// Goes on with what a command left to do in its space.
    fn go_on(&mut self, of: usize, command: &Command) {
        let Command::Space(space, _) = command else { return };
        while !self.following.is_enough() {
            let begun = Instant::now();
            let cause = self.records.last().filter(|last| last.record.stream == Stream::Space(*space));
            let Some(cause) = cause.filter(|_| has_more(&self.state, *space)).map(|last| last.record.number)
            else {
                return;
            };
            let envelope = Envelope {
                // The clock was looked at for what this follows, and not since: it may have jumped.
                time: self.state.time,
                actor: Actor::Coordinator,
                origin: None,
                reason: None,
                cause: Some(cause),
                request: None,
                seed: random(),
            };
            let asked = Asked { envelope, command: Command::Space(*space, SpaceCommand::GoOn) };
            let before = self.records.len();
            if let Err(why) = self.decide(of, &asked) {
                tracing::error!(%why, "what a command left to do cannot be done");
                return;
            }
            let Some(new) = self.records.get(before) else { return };
            self.following.records += 1;
            self.following.bytes += new.appended.line.len();
            self.following.took += begun.elapsed();
        }
    }
}

fn encoded(record: &Record, head: Head) -> (Appended, Head) {
    let (line, hash) = encode(record, head.hash, random_bytes);
    (Appended { line, hash }, Head { number: record.number, hash })
}
