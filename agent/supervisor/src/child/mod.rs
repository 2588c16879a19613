//! The step's main process: made, held back at a gate until its `started` mark is durable, and then let go.

mod prepared;
mod stage;
mod unsafe_calls;

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};

pub use prepared::Prepared;
pub use stage::{Failure, Report};
pub use unsafe_calls::close_inherited_files;

use crate::marks::Outcome;
use crate::processes;

/// The main process, as its supervisor holds it. It is killed, if it still runs, and reaped when this is dropped.
pub struct Child {
    pid: Pid,
    /// Closed, it makes a waiting child leave without having done anything.
    gate: Option<File>,
    reports: File,
    /// What it writes to its standard output; taken by who reads it.
    pub output: Option<OwnedFd>,
    /// What it writes to its standard error; taken by who reads it.
    pub errors: Option<OwnedFd>,
}

impl Child {
    /// Makes the process. It prepares itself, sends [`Report::Ready`] and waits.
    pub fn fork(prepared: &Prepared) -> io::Result<Self> {
        let (output, output_end) = io::pipe()?;
        let (errors, errors_end) = io::pipe()?;
        let (reports, reports_end) = io::pipe()?;
        let (gate_end, gate) = io::pipe()?;
        let ends = unsafe_calls::Ends {
            output: high(output_end.as_fd())?,
            errors: high(errors_end.as_fd())?,
            reports: high(reports_end.as_fd())?,
            gate: high(gate_end.as_fd())?,
        };
        let pid = unsafe_calls::fork(prepared, &ends)?;
        Ok(Self {
            pid,
            gate: Some(OwnedFd::from(gate).into()),
            reports: OwnedFd::from(reports).into(),
            output: Some(output.into()),
            errors: Some(errors.into()),
        })
    }

    /// The process's id, which is also the id of its group and session once it is ready.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// What becomes readable when there is a report.
    pub fn reports(&self) -> BorrowedFd<'_> {
        self.reports.as_fd()
    }

    /// The next report; waits for it. `None` once the program runs, or the process has ended.
    pub fn report(&mut self) -> Option<Report> {
        let mut bytes = [0; stage::REPORT_BYTES];
        self.reports.read_exact(&mut bytes).ok()?;
        Some(Report::from_bytes(bytes))
    }

    /// Lets the process run the program.
    pub fn open_gate(&mut self) {
        if let Some(mut gate) = self.gate.take() {
            // It can only fail if the process has been killed, which its end will tell.
            let _ = gate.write_all(b"!");
        }
    }

    /// How the process has ended, if it has. It stays unreaped, so that its id, group and session keep meaning it.
    pub fn end(&self) -> io::Result<Option<Outcome>> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let Some(status) = waitid(WaitId::Pid(self.pid), options)? else { return Ok(None) };
        Ok(Some(match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Outcome::Exited { code },
            (None, Some(signal)) => Outcome::Killed { signal },
            (None, None) => Outcome::Unknown,
        }))
    }

    /// Kills all of the step that is still in its session. Returns whether nothing is left that had to be killed.
    pub fn kill_session(&self) -> io::Result<bool> {
        // The group first, because the kernel does that at once, however fast its processes multiply. As long as the
        // main process is unreaped, the group can be no other.
        match kill_process_group(self.pid, Signal::KILL) {
            Err(error) if error != Errno::SRCH && error != Errno::PERM => {
                return Err(error.into());
            }
            _ => {}
        }
        Ok(processes::kill_session(self.pid())?.is_empty())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Unreaped, the id can belong to nobody else.
        let _ = kill_process(self.pid, Signal::KILL);
        while matches!(waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED), Err(Errno::INTR)) {}
    }
}

/// A copy of a file descriptor above those that the child gives their final numbers.
fn high(file: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(file, unsafe_calls::FIRST_FREE)?)
}
