//! A coordinator of a test's own, commanded through `windlass` as an operator would.

use std::fs::File;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

/// How long anything may take to come about.
const PATIENCE: Duration = Duration::from_secs(30);

/// The coordinator's configuration, below the installation's folder.
pub const CONFIGURATION: &str = "coordinator.toml";

/// A process that ends with its test.
pub struct Process(Child);

impl Process {
    /// Starts a program; what it says goes to a file.
    pub fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let log = File::create(log)?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn();
        Ok(Self(child.with_context(|| format!("cannot start {:?}", command.get_program()))?))
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Tells it to stop, as a service manager does, and waits for its end: whether that was a good one.
    pub fn stop(&mut self) -> bool {
        let told = Command::new("kill").arg("-TERM").arg(self.id().to_string()).status();
        told.is_ok_and(|status| status.success()) && self.0.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Looks again until something holds; what it is, for the failure.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "{what} did not come about in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// A coordinator and its operator.
pub struct Installation {
    /// Everything of it lies below.
    pub folder: PathBuf,
    /// Where agents connect.
    pub quic: String,
    http: String,
    token: String,
    programs: PathBuf,
    coordinator: Option<Process>,
}

impl Installation {
    /// Makes an installation below `folder` and starts it.
    pub fn start(folder: &Path) -> anyhow::Result<Self> {
        Self::start_with(folder, "")
    }

    /// The same with lines of the coordinator's configuration, which later starts find as they are then.
    pub fn start_with(folder: &Path, configuration: &str) -> anyhow::Result<Self> {
        std::fs::write(folder.join(CONFIGURATION), configuration)?;
        let programs = crate::programs()?;
        let init = Command::new(programs.join("windlass-coordinator"))
            .arg("init")
            .arg("--data")
            .arg(folder.join("data"))
            .output()?;
        if !init.status.success() {
            bail!("init: {}", String::from_utf8_lossy(&init.stderr));
        }
        let mut installation = Self {
            folder: folder.to_owned(),
            quic: format!("127.0.0.1:{}", UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port()),
            http: format!("127.0.0.1:{}", TcpListener::bind("127.0.0.1:0")?.local_addr()?.port()),
            token: String::from_utf8(init.stdout)?.trim().to_owned(),
            programs,
            coordinator: None,
        };
        installation.serve()?;
        Ok(installation)
    }

    /// Starts the coordinator, also after it was killed.
    pub fn serve(&mut self) -> anyhow::Result<()> {
        let mut command = self.serve_command();
        self.coordinator = Some(Process::start(&mut command, &self.folder.join("coordinator.log"))?);
        wait_until("the start of the coordinator", || TcpStream::connect(&self.http).is_ok());
        Ok(())
    }

    /// What starts the coordinator.
    pub fn serve_command(&self) -> Command {
        let mut command = self.program("windlass-coordinator");
        command.arg("serve").arg("--config").arg(self.folder.join(CONFIGURATION));
        command.arg("--data").arg(self.folder.join("data"));
        command.args(["--quic", &self.quic, "--http", &self.http]);
        command
    }

    /// Where operators connect, `HOST:PORT`.
    pub fn http(&self) -> &str {
        &self.http
    }

    /// The administrator's token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The id of the coordinator's process.
    pub fn process(&self) -> Option<u32> {
        self.coordinator.as_ref().map(Process::id)
    }

    /// Kills the coordinator.
    pub fn kill(&mut self) {
        self.coordinator = None;
    }

    /// Tells the coordinator to stop, and waits for its end: whether that was a good one.
    pub fn stop(&mut self) -> bool {
        self.coordinator.take().is_some_and(|mut coordinator| coordinator.stop())
    }

    /// A program of Windlass, to be started.
    pub fn program(&self, name: &str) -> Command {
        Command::new(self.programs.join(name))
    }

    /// Where operators connect, as an address of the API.
    pub fn server(&self) -> String {
        format!("https://{}", self.http)
    }

    /// A `windlass` command of the first administrator, to be run.
    pub fn windlass_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program("windlass");
        command.args(arguments).env("WINDLASS_SERVER", format!("https://{}", self.http));
        command.env("WINDLASS_TOKEN", &self.token);
        command
    }

    /// Runs a `windlass` command, whatever becomes of it.
    pub fn try_windlass(&self, arguments: &[&str]) -> Output {
        self.windlass_command(arguments).output().expect("windlass starts")
    }

    /// Runs a `windlass` command that has to succeed, and returns what it printed.
    pub fn windlass(&self, arguments: &[&str]) -> String {
        let output = self.try_windlass(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "windlass {}: {said}", arguments.join(" "));
        String::from_utf8(output.stdout).expect("windlass prints text")
    }

    /// What a command that has to succeed answers in JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let text = self.windlass(&[arguments, &["-o", "json"]].concat());
        serde_json::from_str(&text).expect("`-o json` prints JSON")
    }

    /// Where the journal and everything else of the coordinator lies.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Writes documents to a file and applies them.
    pub fn apply(&self, documents: &str) {
        let path = self.folder.join("documents.yaml");
        std::fs::write(&path, documents).expect("the test's folder can be written to");
        self.windlass(&["apply", "-f", &path.to_string_lossy()]);
    }
}
