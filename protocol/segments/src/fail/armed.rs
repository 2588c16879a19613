//! What happens at a point when the feature is on.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
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
    log: Option<File>,
}

static PLAN: OnceLock<Plan> = OnceLock::new();

pub(super) fn reached(name: &str) {
    let plan = PLAN.get_or_init(read_environment);
    plan.note(name);
    let Some(fatal) = plan.fatal.as_ref().filter(|fatal| fatal.name == name) else { return };
    if plan.reached.fetch_add(1, Ordering::Relaxed) + 1 == fatal.count {
        plan.note(&format!("killed {name}"));
        let _ = kill(Pid::this(), Signal::SIGKILL);
        // Not reached: the kernel delivers the signal before the call returns.
        process::abort();
    }
}

impl Plan {
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
    Plan { fatal, reached: AtomicU64::new(0), log }
}

/// Ends the process even where a panic would be caught, since the test that set the variables would prove nothing.
fn give_up(message: &str) -> ! {
    eprintln!("{message}");
    process::abort();
}
