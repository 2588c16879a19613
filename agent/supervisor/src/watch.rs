//! Watches a running step: its output, its time, its end. One loop on poll(2), one thread.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::thread;
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, poll};

use crate::child::{Child, Failure, Report};
use crate::course::{Course, Order};
use crate::job::Job;
use crate::launch::timeout;
use crate::lines::{Piece, Splitter};
use crate::marks::{Ended, Outcome};
use crate::mask::Masker;
use crate::outlet::Outlet;
use crate::output::Stream;
use crate::service_message::Opening;
use crate::signals::Signals;
use crate::variables::Collector;
use crate::{clock, limits, processes};

/// A running step and everything that its supervisor knows about it.
pub struct Watch<'a, 'b> {
    child: Child,
    course: Course,
    sources: [Source; 2],
    reports_open: bool,
    failure: Option<Failure>,
    /// What [`Failure::sentence`] needs.
    program: String,
    masker: Masker,
    outlet: Outlet,
    variables: &'a mut Collector<'b>,
    ended_at: Option<u64>,
}

/// One of the step's two streams.
struct Source {
    stream: Stream,
    /// None once it is at its end.
    file: Option<File>,
    splitter: Splitter,
}

impl<'a, 'b> Watch<'a, 'b> {
    /// Begins to watch. The time of the step runs from here on.
    pub fn new(folder: &Path, mut child: Child, job: &Job, variables: &'a mut Collector<'b>) -> Self {
        let sources = [
            Source::new(Stream::Output, child.output.take(), Some(Opening::of(&job.token))),
            Source::new(Stream::Error, child.errors.take(), None),
        ];
        Self {
            child,
            course: Course::new(Instant::now(), job.timeout, job.grace),
            sources,
            reports_open: true,
            failure: None,
            program: job.program.first().cloned().unwrap_or_default(),
            masker: Masker::new(job.secrets.iter().chain([&job.token])),
            outlet: Outlet::new(folder, job.output_bytes),
            variables,
            ended_at: None,
        }
    }

    /// Watches until the step can run no more and its output is written.
    pub fn until_end(mut self, signals: &Signals) -> Ended {
        loop {
            let output_open = self.sources.iter().any(|source| source.file.is_some());
            let order = self.course.tick(Instant::now(), output_open);
            self.carry_out(order);
            if order == Order::Finish {
                return self.finish();
            }
            if self.turn(signals).is_err() {
                // The machine is short of something. The step goes on; to spin would make it worse.
                thread::sleep(limits::SYNC_QUIET);
            }
        }
    }

    /// Waits for whatever comes first, and deals with it.
    fn turn(&mut self, signals: &Signals) -> io::Result<()> {
        let [reports, first, second] = self.wait(signals)?;
        if reports {
            self.read_report();
        }
        for (index, ready) in [first, second].into_iter().enumerate() {
            if ready {
                self.read_source(index);
            }
        }
        self.flush_what_is_due();
        let signalled = signals.take()?;
        let now = Instant::now();
        if signalled.stop {
            let order = self.course.stop(now);
            self.carry_out(order);
        }
        // Looked at in every turn, as signals of the same kind are not counted.
        if self.ended_at.is_none() && self.child.end()?.is_some() {
            self.ended_at = Some(clock::now());
            let order = self.course.main_ended(now);
            self.carry_out(order);
        }
        Ok(())
    }

    /// Which of the reports and the two streams have something to read.
    fn wait(&self, signals: &Signals) -> io::Result<[bool; 3]> {
        let flushes = self.sources.iter().map(|source| source.splitter.flush_at());
        let times = flushes.chain([self.outlet.sync_at(), self.course.wake_at()]);
        let until = times.flatten().min();
        let reports = self.reports_open.then(|| self.child.reports());
        let [first, second] = &self.sources;
        let candidates = [reports, first.as_fd(), second.as_fd()];
        let mut files = vec![PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        files.extend(candidates.iter().flatten().map(|file| PollFd::new(*file, PollFlags::POLLIN)));
        match poll(&mut files, timeout(until)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut ready = files[1..].iter().map(|file| file.any().unwrap_or_default());
        Ok(candidates.map(|file| file.is_some() && ready.next().unwrap_or_default()))
    }

    fn carry_out(&self, order: Order) {
        // What fails is tried again: a step that should end is killed until its main process is gone.
        let _ = match order {
            Order::Terminate => processes::terminate_session(self.child.pid()),
            Order::Kill | Order::Finish => self.child.kill_session().map(drop),
            Order::Wait => Ok(()),
        };
    }

    fn read_report(&mut self) {
        match self.child.report() {
            Some(Report::Failed(failure)) => self.failure = Some(failure),
            Some(Report::Ready) => {}
            None => self.reports_open = false,
        }
    }

    fn read_source(&mut self, index: usize) {
        let mut buffer = [0; limits::READ_BYTES];
        let source = &mut self.sources[index];
        let Some(file) = &mut source.file else { return };
        match file.read(&mut buffer) {
            Ok(0) => self.end_source(index),
            Ok(length) => {
                source.splitter.feed(&buffer[..length], Instant::now());
                self.take_pieces(index);
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => self.end_source(index),
        }
    }

    fn end_source(&mut self, index: usize) {
        self.sources[index].file = None;
        if let Some(piece) = self.sources[index].splitter.finish(&self.masker) {
            self.take(index, piece);
        }
        self.take_pieces(index);
    }

    fn flush_what_is_due(&mut self) {
        let now = Instant::now();
        for index in 0..self.sources.len() {
            if self.sources[index].splitter.flush_at().is_some_and(|at| now >= at) {
                self.sources[index].splitter.flush(&self.masker);
                self.take_pieces(index);
            }
        }
        if self.outlet.sync_at().is_some_and(|at| now >= at) {
            self.outlet.sync(now);
        }
    }

    fn take_pieces(&mut self, index: usize) {
        // One by one: a variable can make a secret known that the next line holds.
        while let Some(piece) = self.sources[index].splitter.next(&self.masker) {
            self.take(index, piece);
        }
    }

    fn take(&mut self, index: usize, piece: Piece) {
        let (stream, text) = match piece {
            Piece::Text(text) => (self.sources[index].stream, text),
            Piece::Variable(set) => match self.variables.set(&set, &mut self.masker) {
                Some(note) => (Stream::Note, self.masker.end(note.as_bytes(), 0)),
                None => return,
            },
            Piece::Refused(reason) => (Stream::Note, format!("an output variable was not set: {reason}")),
        };
        self.outlet.put(stream, text, Instant::now(), clock::now());
    }

    fn finish(mut self) -> Ended {
        for index in 0..self.sources.len() {
            if self.sources[index].file.is_some() {
                self.end_source(index);
            }
        }
        while self.reports_open {
            self.read_report();
        }
        let outcome = match (self.failure, self.child.end()) {
            (Some(failure), _) => Outcome::NotStarted { reason: failure.sentence(&self.program, "", None) },
            (None, Ok(Some(outcome))) => outcome,
            (None, _) => Outcome::Unknown,
        };
        Ended {
            outcome,
            timed_out: self.course.timed_out(),
            stopped: self.course.stopped(),
            dropped_bytes: self.outlet.close(Instant::now(), clock::now()),
            time: self.ended_at.unwrap_or_else(clock::now),
        }
    }
}

impl Source {
    fn new(stream: Stream, file: Option<OwnedFd>, opening: Option<Opening>) -> Self {
        if let Some(file) = &file {
            // Never read without having been told that there is something, so a failure only means a later answer.
            let _ = fcntl(file, FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
        }
        Self { stream, file: file.map(File::from), splitter: Splitter::new(opening) }
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().map(|file| file.as_fd())
    }
}
