//! What happens at a point when the feature is on.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::specification::Specification;

/// What the environment asks for.
struct Plan {
    fatal: Option<Specification>,
    /// How often the fatal point was reached.
    reached: AtomicU64,
    /// Where files arm points.
    folder: Option<PathBuf>,
    log: Option<File>,
}

static PLAN: OnceLock<Plan> = OnceLock::new();

pub(super) fn reached(name: &str) {
    let plan = PLAN.get_or_init(read_environment);
    plan.note(name);
    if plan.folder.as_ref().is_some_and(|folder| claims(folder, name)) {
        plan.die(name);
    }
    let Some(fatal) = plan.fatal.as_ref().filter(|fatal| fatal.name == name) else { return };
    if plan.reached.fetch_add(1, Ordering::Relaxed) + 1 == fatal.count {
        plan.die(name);
    }
}

/// Whether this is the passing at which the folder's file asks for a kill. A rename is what makes a passing one
/// process's own: who does not get the file passes by.
fn claims(folder: &Path, name: &str) -> bool {
    let armed = folder.join(name);
    let taken = folder.join(format!("{name}.taken"));
    if !armed.exists() || fs::rename(&armed, &taken).is_err() {
        return false;
    }
    let text = fs::read_to_string(&taken).unwrap_or_default();
    let Ok(left @ 1..) = text.trim().parse::<u64>() else {
        give_up(&format!("{} holds no count from 1", armed.display()));
    };
    let (next, is_last) =
        if left == 1 { (folder.join(format!("{name}.killed")), true) } else { (armed, false) };
    let written = fs::write(&taken, (left - 1).to_string()).and_then(|()| fs::rename(&taken, &next));
    if let Err(error) = written {
        give_up(&format!("cannot write to {}: {error}", next.display()));
    }
    is_last
}

/// What the environment says a number is.
pub(super) fn number(name: &str) -> Option<u64> {
    let variable = format!("WINDLASS_FAIL_NUMBER_{name}");
    let text = env::var(&variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| give_up(&format!("{variable} is no number"))))
}

impl Plan {
    fn die(&self, name: &str) -> ! {
        self.note(&format!("killed {name}"));
        let _ = kill(Pid::this(), Signal::SIGKILL);
        // Not reached: the kernel delivers the signal before the call returns.
        process::abort();
    }

    /// One write a line, so that the lines of several threads and processes do not mix.
    fn note(&self, text: &str) {
        if let Some(mut log) = self.log.as_ref()
            && let Err(error) = log.write_all(format!("{text}\n").as_bytes())
        {
            give_up(&format!("cannot write to WINDLASS_FAIL_LOG: {error}"));
        }
    }
}

fn read_environment() -> Plan {
    let fatal = env::var_os("WINDLASS_FAIL_POINT").map(|text| {
        let parsed = text.to_string_lossy().parse();
        parsed.unwrap_or_else(|error| give_up(&format!("WINDLASS_FAIL_POINT: {error}")))
    });
    let log = env::var_os("WINDLASS_FAIL_LOG").map(|path| {
        let opened = OpenOptions::new().append(true).create(true).open(path);
        opened.unwrap_or_else(|error| give_up(&format!("cannot open WINDLASS_FAIL_LOG: {error}")))
    });
    let folder = env::var_os("WINDLASS_FAIL_FOLDER").map(PathBuf::from);
    Plan { fatal, reached: AtomicU64::new(0), folder, log }
}

/// Ends the process even where a panic would be caught, since the test that set the variables would prove nothing.
fn give_up(message: &str) -> ! {
    eprintln!("{message}");
    process::abort();
}
