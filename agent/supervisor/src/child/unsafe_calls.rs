//! The only file of this crate with unsafe code: the fork, and what the child does before it is another program.
//!
//! After a fork only what is safe in a signal handler may be called, so the child makes bare system calls on what
//! [`Prepared`] holds. It allocates nothing, takes no lock, and never returns.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::ptr;

use nix::errno::Errno;
use nix::libc;
use nix::unistd::ForkResult;
use rustix::process::Pid;

use super::prepared::Prepared;
use super::stage::{Report, Stage};
use crate::job::Account;

/// The child's file descriptors while it waits. 0 to 2 are the program's own, and 3 is its script.
const SCRIPT: RawFd = 3;
const GATE: RawFd = 4;
const REPORTS: RawFd = 5;
/// Files that are given one of the numbers above have to lie at this one or higher before, so that none is lost.
pub const FIRST_FREE: RawFd = 10;

/// The child's ends of the pipes.
pub struct Ends {
    /// Where its standard output goes.
    pub output: OwnedFd,
    /// Where its standard error goes.
    pub errors: OwnedFd,
    pub reports: OwnedFd,
    /// Where it waits for a byte.
    pub gate: OwnedFd,
}

/// Closes every file that this process has inherited beside its standard ones, among them perhaps locks of the agent,
/// which must not live on with its supervisors.
///
/// Call it first of all: it would pull away the files of whoever has opened one in this process.
pub fn close_inherited_files() -> io::Result<()> {
    // SAFETY: the call touches no memory. That no owner of a closed descriptor uses it later is the caller's duty; at
    // the start of a process there is none.
    unsafe { close_from(3) }
}

/// Forks. In the parent, returns the child's id.
pub fn fork(prepared: &Prepared, ends: &Ends) -> io::Result<Pid> {
    // SAFETY: the child calls `become_program` alone, which keeps to system calls and never returns.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Pid::from_raw(child.as_raw()).expect("a child's id is not 0")),
        // SAFETY: this is the child of a fork, and everything in `prepared` and `ends` was made before it.
        ForkResult::Child => unsafe { become_program(prepared, ends) },
    }
}

/// Turns the child into the program, or reports why not and exits.
///
/// SAFETY: call it in a child right after the fork.
unsafe fn become_program(prepared: &Prepared, ends: &Ends) -> ! {
    // SAFETY: system calls on numbers, and on C strings and arrays that `prepared` keeps alive.
    unsafe {
        reset_signals();
        let first_reports = ends.reports.as_raw_fd();
        if libc::setsid() < 0 {
            fail(first_reports, Stage::Session, Errno::last_raw());
        }
        // First, and alone: until then the number may be that of a file that the supervisor writes marks to.
        if libc::dup3(first_reports, REPORTS, libc::O_CLOEXEC) < 0 {
            fail(first_reports, Stage::Files, Errno::last_raw());
        }
        let reports = REPORTS;
        if arrange_files(prepared, ends).is_err() {
            fail(reports, Stage::Files, Errno::last_raw());
        }
        if let Some(account) = prepared.account {
            if take_account(account).is_err() {
                fail(reports, Stage::Account, Errno::last_raw());
            }
            match confine(account) {
                Ok(true) => {}
                Ok(false) => fail(reports, Stage::Confinement, 0),
                Err(()) => fail(reports, Stage::Confinement, Errno::last_raw()),
            }
        }
        if libc::chdir(prepared.working_folder.as_ptr()) < 0 {
            fail(reports, Stage::Folder, Errno::last_raw());
        }
        send(reports, Stage::Ready, 0);
        if !pass_gate() {
            libc::_exit(0);
        }
        fail(reports, Stage::Program, run(prepared));
    }
}

/// Gives every signal its default action and lets all through: both would outlive the exec.
unsafe fn reset_signals() {
    // SAFETY: no handler of this program is involved, and the set is initialised before it is used.
    unsafe {
        for signal in 1..=64 {
            // Fails for those that cannot be changed, which need no change.
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, ptr::null_mut());
    }
}

unsafe fn arrange_files(prepared: &Prepared, ends: &Ends) -> Result<(), ()> {
    // SAFETY: system calls on descriptors that this process has; all lie above those that are replaced.
    unsafe {
        check(libc::dup2(prepared.null.as_raw_fd(), 0))?;
        check(libc::dup2(ends.output.as_raw_fd(), 1))?;
        check(libc::dup2(ends.errors.as_raw_fd(), 2))?;
        match &prepared.script {
            Some(script) => check(libc::dup2(script.as_raw_fd(), SCRIPT))?,
            // Whatever of the supervisor's lies there must not reach the program; that nothing does is no failure.
            None => drop(check(libc::close(SCRIPT))),
        }
        check(libc::dup3(ends.gate.as_raw_fd(), GATE, libc::O_CLOEXEC))?;
        close_from(REPORTS + 1).map_err(|_| ())
    }
}

/// The job's group and account, and none of the supervisor's other groups.
unsafe fn take_account(account: Account) -> Result<(), ()> {
    let Account { uid, gid } = account;
    // SAFETY: system calls on numbers. The group list is empty, so its address is not looked at. `setgroups` and the
    // others are called bare because those of the C library would wait for other threads, of which there are none.
    unsafe {
        check_long(libc::syscall(libc::SYS_setgroups, 0, ptr::null::<libc::gid_t>()))?;
        check_long(libc::syscall(libc::SYS_setresgid, gid, gid, gid))?;
        check_long(libc::syscall(libc::SYS_setresuid, uid, uid, uid))
    }
}

/// Gives up what could lead back: capabilities, and those that a program brings by its file. Whether it is certain.
unsafe fn confine(account: Account) -> Result<bool, ()> {
    const VERSION_3: u32 = 0x2008_0522;
    let header: [u32; 2] = [VERSION_3, 0];
    let none = [0u32; 6];
    // SAFETY: system calls on numbers, and on a header and a body of the size that the version says.
    unsafe {
        check(libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))?;
        check_long(libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()))?;
        check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
        let (mut real, mut effective, mut saved) = (0, 0, 0);
        check(libc::getresuid(&mut real, &mut effective, &mut saved))?;
        let user = [real, effective, saved] == [account.uid; 3];
        check(libc::getresgid(&mut real, &mut effective, &mut saved))?;
        let group = [real, effective, saved] == [account.gid; 3] && libc::getgroups(0, ptr::null_mut()) == 0;
        let back = libc::syscall(libc::SYS_setresuid, 0, 0, 0) == 0
            || libc::syscall(libc::SYS_setresgid, 0, 0, 0) == 0;
        Ok(user && group && !back)
    }
}

/// Waits for the byte. False if the supervisor has gone without sending one.
unsafe fn pass_gate() -> bool {
    let mut byte = 0u8;
    loop {
        // SAFETY: one byte is read into a place for one.
        match unsafe { libc::read(GATE, (&raw mut byte).cast(), 1) } {
            1 => return true,
            0 => return false,
            _ if Errno::last() == Errno::EINTR => {}
            _ => return false,
        }
    }
}

/// Runs the first candidate that can be run. Returns why none could; 0 where there is none.
unsafe fn run(prepared: &Prepared) -> i32 {
    let mut reason = 0;
    for candidate in &prepared.candidates {
        // SAFETY: a C string and two arrays that end with a null pointer, as `execve` wants them.
        unsafe {
            libc::execve(candidate.as_ptr(), prepared.arguments.as_ptr(), prepared.environment.as_ptr())
        };
        match Errno::last_raw() {
            // One that is there lacks the program that is to run it.
            libc::ENOENT if unsafe { libc::access(candidate.as_ptr(), libc::F_OK) } == 0 => {
                reason = libc::ENOENT;
            }
            libc::ENOENT | libc::ENOTDIR => {}
            // One that may not be run hides no other, but is the better reason.
            libc::EACCES => reason = libc::EACCES,
            other => return other,
        }
    }
    reason
}

unsafe fn fail(reports: RawFd, stage: Stage, error: i32) -> ! {
    // SAFETY: `_exit` runs nothing of this program, unlike `exit`.
    unsafe {
        send(reports, stage, error);
        libc::_exit(127)
    }
}

unsafe fn send(reports: RawFd, stage: Stage, error: i32) {
    let report = Report::to_bytes(stage, error);
    // SAFETY: writes from an array, with its length. So few bytes go through a pipe at once or not at all.
    unsafe { libc::write(reports, report.as_ptr().cast(), report.len()) };
}

/// SAFETY: nobody may use a descriptor from `first` on afterwards.
unsafe fn close_from(first: RawFd) -> io::Result<()> {
    // SAFETY: a system call on numbers.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn check(result: libc::c_int) -> Result<(), ()> {
    if result < 0 { Err(()) } else { Ok(()) }
}

fn check_long(result: libc::c_long) -> Result<(), ()> {
    if result < 0 { Err(()) } else { Ok(()) }
}
