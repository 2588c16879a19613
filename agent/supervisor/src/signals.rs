//! The signals that a supervisor listens to, as a file that can be polled.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::libc;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// What asks a supervisor to stop its step. All three mean the same, as nobody sits before it.
const STOP: [Signal; 3] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];

/// Blocks the signals and takes them from a file instead.
pub struct Signals {
    file: SignalFd,
}

/// What has been signalled since the last look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Signalled {
    /// Somebody wants the step to end.
    pub stop: bool,
    /// A child may have ended.
    pub child: bool,
}

impl Signals {
    /// Begins to listen. A request to stop is kept from here on, until it is asked for.
    pub fn listen() -> io::Result<Self> {
        let mut set = SigSet::empty();
        STOP.into_iter().chain([Signal::SIGCHLD]).for_each(|signal| set.add(signal));
        set.thread_block()?;
        let file = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Self { file })
    }

    /// Takes what has been signalled; waits for nothing.
    pub fn take(&self) -> io::Result<Signalled> {
        let mut signalled = Signalled::default();
        while let Some(signal) = self.file.read_signal()? {
            let number = signal.ssi_signo.cast_signed();
            signalled.child |= number == libc::SIGCHLD;
            signalled.stop |= STOP.iter().any(|stop| *stop as i32 == number);
        }
        Ok(signalled)
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
