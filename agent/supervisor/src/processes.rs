//! Looking at processes through `/proc`, and sending signals to the right ones only.
//!
//! A process id alone names nobody: it may have been given to another process meanwhile. So a process is known by its
//! id, its start time and the machine's boot id, and signals go through a pidfd that was checked after it was opened.

use std::fs;
use std::io;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// What `/proc/PID/stat` says about a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Whether it has ended and only waits for its parent to notice.
    pub ended: bool,
    /// Its process group.
    pub group: i32,
    pub session: i32,
    /// When it was made, in clock ticks after the machine's start.
    pub start_time: u64,
}

/// Which run of the machine this is.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// What there is to say about a process; `None` if there is none of that id.
pub fn stat(pid: i32) -> io::Result<Option<Stat>> {
    match fs::read(format!("/proc/{pid}/stat")) {
        Ok(text) => parse(&String::from_utf8_lossy(&text)).map(Some).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat is not understood"))
        }),
        // A process that ends while it is read is ESRCH.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(nix::libc::ESRCH) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The processes of a session that have not ended.
pub fn session_members(session: i32) -> io::Result<Vec<i32>> {
    let mut members = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if stat(pid)?.is_some_and(|stat| stat.session == session && !stat.ended) {
            members.push(pid);
        }
    }
    Ok(members)
}

/// Asks all processes of a session to end, including those in process groups of their own.
pub fn terminate_session(session: i32) -> io::Result<()> {
    send_all(&session_members(session)?, session, Signal::TERM)
}

/// Kills all processes of a session, and looks again until no new one was made meanwhile or the tries are used up.
/// Returns those that have not ended: a killed process can take a moment to disappear.
pub fn kill_session(session: i32) -> io::Result<Vec<i32>> {
    let mut known = Vec::new();
    for _ in 0..8 {
        let members = session_members(session)?;
        if members.iter().all(|pid| known.contains(pid)) {
            return Ok(members);
        }
        send_all(&members, session, Signal::KILL)?;
        known = members;
    }
    session_members(session)
}

/// Sends a signal to those of the processes that are still in the session.
fn send_all(processes: &[i32], session: i32, signal: Signal) -> io::Result<()> {
    for pid in processes {
        match send(*pid, signal, |stat| stat.session == session) {
            // One that has become somebody else must not save the others.
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Sends a signal to process `pid` if it is still there and `is_meant` says so. Whether it was sent.
pub fn send(pid: i32, signal: Signal, is_meant: impl FnOnce(Stat) -> bool) -> io::Result<bool> {
    let Some(id) = Pid::from_raw(pid) else { return Ok(false) };
    let handle = match pidfd_open(id, PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(rustix::io::Errno::SRCH) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    // From here on the handle means one process, so what is checked now is what gets the signal.
    if !stat(pid)?.is_some_and(is_meant) {
        return Ok(false);
    }
    match pidfd_send_signal(handle, signal) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::SRCH) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn parse(text: &str) -> Option<Stat> {
    // The second field is the program's name in parentheses and may hold anything, parentheses too.
    let fields: Vec<&str> = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace().collect();
    let threads: u64 = fields.get(17)?.parse().ok()?;
    Some(Stat {
        // A process whose first thread has ended looks like a zombie while its others run.
        ended: matches!(*fields.first()?, "Z" | "X" | "x") && threads <= 1,
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        start_time: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_stat_line_is_read_whatever_the_program_is_called() {
        let tail = "4 5 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4711 99 1";
        let expected = Stat { ended: false, group: 4, session: 5, start_time: 4711 };
        for name in ["sh", "a b", ") Z 9 9 9 (", "((", "))"] {
            assert_eq!(parse(&format!("12 ({name}) S 3 {tail}")), Some(expected), "{name}");
        }
        let ended = parse(&format!("12 (sh) Z 3 {tail}")).expect("well-formed");
        assert!(ended.ended);
        let threads = parse(&format!("12 (sh) Z 3 {}", tail.replace(" 1 0 4711", " 2 0 4711")));
        assert!(!threads.expect("well-formed").ended, "its other threads run on");
        for broken in ["", "12 (sh", "12 (sh) S 3 4 5", "12 (sh) S x y z"] {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_signal_reaches_only_the_process_that_is_meant() {
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().expect("sleep runs");
        let pid = i32::try_from(child.id()).expect("a process id");
        let start_time = stat(pid).expect("read").expect("there").start_time;
        let other = send(pid, Signal::KILL, |stat| stat.start_time != start_time).expect("tried");
        assert!(
            !other && child.try_wait().expect("asked").is_none(),
            "another process of this id is not killed"
        );
        assert!(send(pid, Signal::KILL, |stat| stat.start_time == start_time).expect("tried"));
        child.wait().expect("killed");
        assert_eq!(stat(pid).expect("read"), None);
        assert!(!send(pid, Signal::KILL, |_| true).expect("tried"));
    }
}
