//! Agents of a test's own: enrolled with the real program, below the installation's folder, gone with the test.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::installation::{Installation, Process, wait_until};
use crate::journal::field;

/// A machine with an agent.
pub struct Agent {
    /// The target's name.
    pub name: String,
    /// Everything of it lies below, but for what `variables` name.
    pub folder: PathBuf,
    program: PathBuf,
    variables: Vec<(String, PathBuf)>,
    process: Option<Process>,
}

impl Agent {
    /// A machine that is not enrolled yet, with a configuration that names the coordinator at `quic`.
    pub fn new(folder: &Path, name: &str, quic: &str, program: PathBuf) -> Self {
        let own = folder.join(name);
        let temporary = own.join("tmp");
        fs::create_dir_all(&temporary).expect("a folder");
        // Steps run as accounts of their own, which have to pass through to what is theirs.
        for passed in [folder, &own] {
            fs::set_permissions(passed, fs::Permissions::from_mode(0o711)).expect("it is the test's");
        }
        let variables = vec![("TMPDIR".to_owned(), temporary)];
        let agent = Self { name: name.to_owned(), folder: own, program, variables, process: None };
        agent.configure(&format!("coordinator = \"{quic}\"\n"));
        agent
    }

    /// Enrols a machine with a token of its own; `grant` are the arguments that say what it is granted.
    pub fn enrol(installation: &Installation, name: &str, grant: &[&str]) -> Self {
        let program = crate::programs().expect("the programs build").join("windlass-agent");
        let agent = Self::new(&installation.folder, name, &installation.quic, program);
        agent.enrol_with(&token(installation, &[grant, &["--name", name]].concat()));
        agent
    }

    /// Writes the configuration: where everything lies, and these lines.
    pub fn configure(&self, lines: &str) {
        let (state, install) = (self.state(), self.install());
        let text = format!("{lines}state_root = {state:?}\ninstall_root = {install:?}\n");
        fs::write(self.configuration(), text).expect("a file");
    }

    /// Gives its processes a variable of the environment from now on.
    pub fn set_variable(&mut self, name: &str, value: &Path) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    fn configuration(&self) -> PathBuf {
        self.folder.join("agent.toml")
    }

    /// Where its state lies.
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Where releases are installed.
    pub fn install(&self) -> PathBuf {
        self.folder.join("install")
    }

    /// A subcommand of its program, to be started.
    pub fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(subcommand).arg("--config").arg(self.configuration());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs `enrol`, whatever becomes of it.
    pub fn try_enrol_with(&self, token: &str) -> Output {
        self.command("enrol").args(["--token", token, "--name", &self.name]).output().expect("it starts")
    }

    /// Runs `enrol`, which has to succeed.
    pub fn enrol_with(&self, token: &str) {
        let enrolled = self.try_enrol_with(token);
        assert!(enrolled.status.success(), "{}", String::from_utf8_lossy(&enrolled.stderr));
    }

    /// Starts `run`.
    pub fn run(&mut self) {
        let log = self.log();
        self.process = Some(Process::start(&mut self.command("run"), &log).expect("it starts"));
    }

    /// Ends its process at once; its steps go on.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Tells it to stop, as a service manager does, and waits for its end: whether that was a good one.
    pub fn stop(&mut self) -> bool {
        self.process.take().is_some_and(|mut process| process.stop())
    }

    /// The id of the running process.
    pub fn id(&self) -> u32 {
        self.process.as_ref().expect("it was started").id()
    }

    /// Where its process says what it does.
    pub fn log(&self) -> PathBuf {
        self.folder.join("agent.log")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.process = None;
        remove_accounts(&self.install());
    }
}

/// Whether agents that are started here can switch users, and so keep tenants apart.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A token for one enrolment.
pub fn token(installation: &Installation, grant: &[&str]) -> String {
    let answer = installation.json(&[&["enrolment", "create"], grant].concat());
    field(&answer, "token").to_owned()
}

/// Waits until the coordinator sees a target come or go.
pub fn wait_for_presence(installation: &Installation, target: &str, online: bool) {
    wait_until(&format!("{target} online: {online}"), || {
        installation.json(&["target", "view", target])["online"] == online
    });
}

/// Removes the accounts that an agent made for its tenants, which have their homes below its install root.
fn remove_accounts(install: &Path) {
    let Ok(accounts) = fs::read_to_string("/etc/passwd") else { return };
    for line in accounts.lines() {
        let fields: Vec<_> = line.split(':').collect();
        let (Some(name), Some(home)) = (fields.first(), fields.get(5)) else { continue };
        if name.starts_with("wl-") && Path::new(home).starts_with(install) {
            let _ = Command::new("userdel").args(["--force", name]).output();
        }
    }
}
