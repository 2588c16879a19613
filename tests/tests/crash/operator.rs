//! The operator's command, as often as it takes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take to come about, however many programs die meanwhile.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// The exit code of a command that is not written right.
const USAGE: i32 = 2;

/// Whoever has the administrator's token.
#[derive(Debug, Clone)]
pub struct Operator {
    pub programs: PathBuf,
    pub http: String,
    pub token: String,
}

impl Operator {
    /// Runs a command once, whatever becomes of it.
    pub fn try_once(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.programs.join("windlass"));
        command.args(arguments).env("WINDLASS_SERVER", format!("https://{}", self.http));
        command.env("WINDLASS_TOKEN", &self.token).output().expect("windlass starts")
    }

    /// Runs a command once; its answer if it was acknowledged.
    pub fn ask(&self, arguments: &[&str]) -> Option<Value> {
        let output = self.try_once(&[arguments, &["-o", "json"]].concat());
        output.status.success().then(|| serde_json::from_slice(&output.stdout).expect("windlass prints JSON"))
    }

    /// Runs a command until it is acknowledged. A repetition may find that it was done before: then the sentence that
    /// says so has to have this word in it.
    pub fn insist(&self, arguments: &[&str], done_before: Option<&str>) -> String {
        let started = Instant::now();
        loop {
            let output = self.try_once(arguments);
            if output.status.success() {
                return String::from_utf8(output.stdout).expect("windlass prints text");
            }
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if done_before.is_some_and(|word| said.contains(word)) {
                return String::new();
            }
            // A command that is not written right will not become so.
            let hopeless = output.status.code() == Some(USAGE);
            assert!(!hopeless && started.elapsed() < PATIENCE, "windlass {}: {said}", arguments.join(" "));
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Like [`Operator::insist`], for a command that only reads.
    pub fn read(&self, arguments: &[&str]) -> Value {
        let text = self.insist(&[arguments, &["-o", "json"]].concat(), None);
        serde_json::from_str(&text).expect("windlass prints JSON")
    }

    /// Applies documents until that is acknowledged.
    pub fn apply(&self, folder: &Path, name: &str, documents: &str) {
        let path = folder.join(format!("{name}.yaml"));
        std::fs::write(&path, documents).expect("the test's folder can be written to");
        self.insist(&["apply", "-f", &path.to_string_lossy()], None);
    }
}

/// Looks again until something holds; what it is, for the failure.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "{what} did not come about in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
