//! Everything that the child needs, made before the fork: between fork and exec nothing may be allocated.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::ptr;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::libc::c_char;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::{Mode, fchmod};
use zeroize::{Zeroize as _, Zeroizing};

use super::high;
use crate::job::{Account, Job};

/// Where programs are looked for if the job's environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A job in the form that the system calls want.
pub struct Prepared {
    /// The paths to try, in order.
    pub(super) candidates: Vec<CString>,
    pub(super) arguments: Strings,
    pub(super) environment: Strings,
    pub(super) working_folder: CString,
    pub(super) account: Option<Account>,
    /// The null device, for standard input.
    pub(super) null: OwnedFd,
    /// The script, in memory.
    pub(super) script: Option<OwnedFd>,
}

/// Why a job cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// There has to be one.
    #[error("the job names no program")]
    NoProgram,
    /// C strings end at the first one.
    #[error("{0} contains a NUL character")]
    Nul(String),
    /// Not what a variable can be called.
    #[error("`{0}` cannot be the name of a variable of the environment")]
    Name(String),
    /// A job relative to whatever would run anywhere.
    #[error("the working folder {0} is not absolute")]
    Relative(String),
    /// An account that would be none.
    #[error("a step's account cannot be root's")]
    Root,
    /// The script could not be put into memory.
    #[error("the script cannot be prepared: {0}")]
    Script(io::Error),
    /// The null device is missing.
    #[error("/dev/null cannot be opened: {0}")]
    Null(io::Error),
}

/// Strings as `execve` takes them.
pub(super) struct Strings {
    /// Kept for the pointers to stay valid. A `CString`'s bytes do not move when it does.
    owned: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl Strings {
    fn new(owned: Vec<CString>) -> Self {
        let pointers = owned.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect();
        Self { owned, pointers }
    }

    /// Pointers to the strings, with a null pointer after the last.
    pub(super) fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}

impl Drop for Strings {
    fn drop(&mut self) {
        self.pointers.clear();
        self.owned.drain(..).for_each(|text| text.into_bytes().zeroize());
    }
}

impl Prepared {
    /// Checks the job and makes what it needs.
    pub fn new(job: &Job) -> Result<Self, Unusable> {
        let program = job.program.first().filter(|program| !program.is_empty()).ok_or(Unusable::NoProgram)?;
        if job.account.is_some_and(|account| account.uid == 0 || account.gid == 0) {
            return Err(Unusable::Root);
        }
        if !job.working_folder.is_absolute() {
            return Err(Unusable::Relative(job.working_folder.display().to_string()));
        }
        let arguments = job
            .program
            .iter()
            .map(|argument| text(argument.as_bytes(), || "an argument of the program".into()));
        Ok(Self {
            candidates: candidates(program, &job.environment)?,
            arguments: Strings::new(arguments.collect::<Result<_, _>>()?),
            environment: Strings::new(environment(&job.environment)?),
            working_folder: text(job.working_folder.as_os_str().as_bytes(), || "the working folder".into())?,
            account: job.account,
            null: File::open("/dev/null").and_then(|null| high(null.as_fd())).map_err(Unusable::Null)?,
            script: script(&job.script).map_err(Unusable::Script)?,
        })
    }
}

fn text(bytes: &[u8], what: impl FnOnce() -> String) -> Result<CString, Unusable> {
    CString::new(bytes).map_err(|error| {
        error.into_vec().zeroize();
        Unusable::Nul(what())
    })
}

/// The paths at which the program may lie: its own, or one in each folder of the job's `PATH`.
fn candidates(program: &str, environment: &BTreeMap<String, String>) -> Result<Vec<CString>, Unusable> {
    let name = || "the name of the program".to_owned();
    if program.contains('/') {
        return Ok(vec![text(program.as_bytes(), name)?]);
    }
    let path = environment.get("PATH").map_or(DEFAULT_PATH, String::as_str);
    // An empty or relative folder would mean the working folder, where a package could lay a program of any name.
    let folders = path.split(':').filter(|folder| folder.starts_with('/'));
    folders.map(|folder| text(format!("{folder}/{program}").as_bytes(), name)).collect()
}

fn environment(variables: &BTreeMap<String, String>) -> Result<Vec<CString>, Unusable> {
    let one = |(name, value): (&String, &String)| {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(Unusable::Name(name.replace('\0', "\u{fffd}")));
        }
        let variable = Zeroizing::new([name.as_bytes(), b"=", value.as_bytes()].concat());
        text(&variable, || format!("the value of the environment's variable {name}"))
    };
    variables.iter().map(one).collect()
}

/// Puts the script into a file that exists only in memory and cannot be changed. Its mode lets everybody read it, but
/// nobody can reach it except through the descriptors of the step's own processes.
fn script(script: &[u8]) -> io::Result<Option<OwnedFd>> {
    if script.is_empty() {
        return Ok(None);
    }
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let mut file = File::from(memfd_create("script", flags)?);
    file.write_all(script)?;
    fchmod(&file, Mode::S_IRUSR | Mode::S_IRGRP | Mode::S_IROTH)?;
    fcntl(&file, FcntlArg::F_ADD_SEALS(SealFlag::all()))?;
    high(file.as_fd()).map(Some)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn job(change: impl FnOnce(&mut Job)) -> Job {
        let mut job = Job {
            program: vec!["true".into()],
            working_folder: "/".into(),
            environment: BTreeMap::new(),
            script: Vec::new(),
            account: None,
            timeout: Duration::from_secs(1),
            grace: Duration::from_secs(1),
            output_bytes: 0,
            secrets: Vec::new(),
            token: "t0k3n".into(),
            seal_to: None,
        };
        change(&mut job);
        job
    }

    #[test]
    fn a_job_that_cannot_be_run_is_refused_with_a_sentence() {
        let variable = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let cases = [
            (job(|job| job.program.clear()), "the job names no program"),
            (job(|job| job.program[0].clear()), "the job names no program"),
            (job(|job| job.program[0].push('\0')), "the name of the program contains a NUL character"),
            (job(|job| job.program.push("\0".into())), "an argument of the program contains a NUL character"),
            (job(|job| job.working_folder = "a\0".into()), "the working folder a\0 is not absolute"),
            (job(|job| job.working_folder = "/\0".into()), "the working folder contains a NUL character"),
            (job(|job| job.account = Some(Account { uid: 0, gid: 7 })), "a step's account cannot be root's"),
            (job(|job| job.account = Some(Account { uid: 7, gid: 0 })), "a step's account cannot be root's"),
            (
                job(|job| job.environment = variable("A=B", "")),
                "`A=B` cannot be the name of a variable of the environment",
            ),
            (
                job(|job| job.environment = variable("", "")),
                "`` cannot be the name of a variable of the environment",
            ),
            (
                job(|job| job.environment = variable("A", "hunter2\0")),
                "the value of the environment's variable A contains a NUL character",
            ),
        ];
        for (job, expected) in cases {
            let refused = Prepared::new(&job).err().expect(expected);
            assert_eq!(refused.to_string(), expected);
        }
        assert!(Prepared::new(&job(|_| ())).is_ok());
    }

    #[test]
    fn programs_are_looked_for_in_the_absolute_folders_of_the_jobs_path() {
        let cases: &[(&str, Option<&str>, &[&str])] = &[
            ("/bin/sh", Some("/usr/bin"), &["/bin/sh"]),
            ("./hook", Some("/usr/bin"), &["./hook"]),
            ("sh", Some("/a:/b"), &["/a/sh", "/b/sh"]),
            ("sh", Some(":.:bin:/a"), &["/a/sh"]),
            ("sh", Some(""), &[]),
            ("sh", None, &["/usr/local/bin/sh", "/usr/bin/sh", "/bin/sh"]),
        ];
        for (program, path, expected) in cases {
            let environment = path.map(|path| ("PATH".to_owned(), path.to_owned())).into_iter().collect();
            let found = candidates(program, &environment).expect("no NUL");
            let found: Vec<_> = found.iter().map(|path| path.to_str().expect("UTF-8")).collect();
            assert_eq!(found, *expected, "{program} in {path:?}");
        }
    }

    #[test]
    fn a_script_in_memory_cannot_be_changed() {
        assert!(script(b"").expect("no script").is_none());
        let file = File::from(script(b"echo").expect("memory").expect("a script"));
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
        assert_eq!(std::fs::read(&path).expect("readable"), b"echo");
        assert!((&file).write_all(b"rm").is_err());
        assert!(file.set_len(0).is_err());
    }
}
