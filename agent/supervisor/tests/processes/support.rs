//! Steps in temporary folders, and waiting for what has to become true.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use windlass_supervisor::{
    Ended, Job, Outcome, SCRIPT_PATH, StartError, Started, StepStatus, inspect, output, start,
};

/// How long anything may take that has to come at once; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// The program of `examples/supervise.rs`, which cargo builds together with the tests.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    let path = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST").join("examples/supervise");
    assert!(path.exists(), "{} is missing: build the examples", path.display());
    path
}

/// A step's folder and a place for its files.
pub struct Step {
    place: TempDir,
}

impl Step {
    pub fn new() -> Self {
        let place = tempfile::tempdir().expect("a temporary folder");
        let step = Self { place };
        make_private(&step.folder());
        step
    }

    /// A step that was started with the job.
    pub fn started(job: &Job) -> Self {
        let step = Self::new();
        step.start(job).expect("started");
        step
    }

    pub fn folder(&self) -> PathBuf {
        self.place.path().join("step")
    }

    /// A file beside the step's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    pub fn start(&self, job: &Job) -> Result<(), StartError> {
        start(&binary(), ["run"], &self.folder(), job)
    }

    pub fn status(&self) -> StepStatus {
        inspect(&self.folder()).expect("inspected")
    }

    /// The end of the step, once it is there.
    pub fn ended(&self) -> Ended {
        wait_for("the step's end", || match self.status() {
            StepStatus::Ended { ended, .. } => Some(ended),
            StepStatus::Lost { .. } => panic!("the supervisor is lost"),
            _ => None,
        })
    }

    /// The mark of the running step, once it is there.
    pub fn running(&self) -> Started {
        wait_for("the step's start", || match self.status() {
            StepStatus::Running { started } => Some(started),
            StepStatus::Ended { ended, .. } => panic!("the step has ended: {ended:?}"),
            _ => None,
        })
    }

    /// The process that the lock's file names.
    pub fn supervisor(&self) -> i32 {
        let text = fs::read_to_string(self.folder().join("lock")).expect("signed");
        let number = text.split("\"pid\":").nth(1).and_then(|rest| rest.split(',').next());
        number.and_then(|number| number.parse().ok()).expect("the lock's file names the supervisor")
    }

    /// All output so far, each line as `stream: text`.
    pub fn output(&self) -> Vec<String> {
        let lines = output(&self.folder(), 1).map(|line| line.expect("a line").1);
        lines.map(|line| format!("{:?}: {}", line.stream, line.text)).collect()
    }

    /// Whether the bytes are in any file of the step's folder.
    pub fn has_on_disk(&self, text: &str) -> bool {
        let mut folders = vec![self.folder()];
        let mut found = false;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("listed") {
                let path = entry.expect("listed").path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => found |= String::from_utf8_lossy(&fs::read(path).expect("read")).contains(text),
                }
            }
        }
        found
    }
}

/// Makes a folder as the agent makes it.
pub fn make_private(folder: &Path) {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().mode(0o700).create(folder).expect("created");
}

/// A job that runs a script of bash.
pub fn script(text: &str) -> Job {
    let mut job = program(&["bash", SCRIPT_PATH]);
    job.script = text.as_bytes().to_vec();
    job
}

/// A job that runs a program.
pub fn program(program: &[&str]) -> Job {
    Job {
        program: program.iter().map(|text| (*text).to_owned()).collect(),
        working_folder: "/".into(),
        environment: BTreeMap::from([("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())]),
        script: Vec::new(),
        account: None,
        timeout: Duration::from_secs(30),
        grace: Duration::from_secs(30),
        output_bytes: 1 << 20,
        secrets: Vec::new(),
        token: "t0k3n".into(),
        seal_to: Some([9; 32]),
    }
}

pub fn exited(code: i32) -> Outcome {
    Outcome::Exited { code }
}

/// Waits until `look` finds something.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The number that a process writes to a file, with a line's end, once it is there.
pub fn number_in(file: &Path) -> i32 {
    wait_for("a number in a file", || {
        fs::read_to_string(file).ok().filter(|text| text.ends_with('\n'))?.trim().parse().ok()
    })
}

/// Whether a process runs; one that is dead and not yet reaped does not.
pub fn lives(pid: i32) -> bool {
    let Ok(text) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    let state = text.rfind(')').and_then(|end| text[end + 1..].split_whitespace().next());
    !matches!(state, Some("Z" | "X") | None)
}

/// Whether the tests can switch users and mount.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}
