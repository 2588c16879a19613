//! The processes of `dev`: found beside this program, started, stopped by id.

use std::fs::{self, File};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::console::say;

/// How long a program may take to come up, or to end.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(30);

/// A program beside this one.
pub(super) fn beside(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program")?;
    let path = own.with_file_name(name);
    let there = path.try_exists().with_context(|| format!("cannot look at {}", path.display()))?;
    if !there {
        bail!("{} is missing; build all programs with `cargo build --release`", path.display());
    }
    Ok(path)
}

/// The canary that is a customer's API key.
pub(super) fn key_of(customer: &str) -> String {
    format!("canary-key-of-{customer}")
}

/// A process that ends with this one.
pub(super) struct Process {
    child: Child,
}

impl Process {
    /// Starts a program whose output goes to a file.
    pub(super) fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let log = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn();
        Ok(Self { child: child.with_context(|| format!("cannot start {:?}", command.get_program()))? })
    }

    fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end, and waits; ends it where it does not.
    pub(super) fn stop(&mut self) {
        if !self.is_running() {
            return;
        }
        if let Ok(id) = i32::try_from(self.child.id()) {
            // It may have ended this moment, which is what was wanted.
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGTERM);
        }
        let asked = Instant::now();
        while self.is_running() && asked.elapsed() < PATIENCE {
            std::thread::sleep(PAUSE);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Tries again until something is there, or the time is over.
pub(super) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) -> anyhow::Result<()> {
    let started = Instant::now();
    while !holds() {
        if started.elapsed() > PATIENCE {
            bail!("{what} did not happen in {} seconds", PATIENCE.as_secs());
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Blocks until Ctrl-C or a request to end.
pub(super) fn wait_for_interrupt() -> anyhow::Result<()> {
    use nix::sys::signal::{SigSet, Signal};
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.thread_block()?;
    signals.wait()?;
    Ok(())
}

/// A running coordinator and the way to command it.
pub(super) struct Installation {
    windlass: PathBuf,
    quic: String,
    server: String,
    token: String,
    process: std::cell::RefCell<Process>,
}

impl Installation {
    /// Makes an installation below `folder` and starts its coordinator on free ports of loopback.
    pub(super) fn start(folder: &Path) -> anyhow::Result<Self> {
        let program = beside("windlass-coordinator")?;
        let data = folder.join("coordinator");
        let init = Command::new(&program).arg("init").arg("--data").arg(&data).output()?;
        if !init.status.success() {
            bail!("windlass-coordinator init: {}", String::from_utf8_lossy(&init.stderr).trim());
        }
        let token = String::from_utf8(init.stdout)?.trim().to_owned();
        let quic = format!("127.0.0.1:{}", UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port());
        let http = format!("127.0.0.1:{}", TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
        let log = folder.join("coordinator.log");
        let mut command = Command::new(&program);
        command.arg("serve").arg("--data").arg(&data).args(["--quic", &quic, "--http", &http]);
        let mut process = Process::start(&mut command, &log)?;
        wait_until("the start of the coordinator", || {
            std::net::TcpStream::connect(&http).is_ok() || !process.is_running()
        })?;
        if !process.is_running() {
            bail!("the coordinator did not start: {}", fs::read_to_string(&log)?.trim());
        }
        say(&format!("coordinator: agents at {quic} (QUIC), operators at https://{http}"));
        let (windlass, server) = (std::env::current_exe()?, format!("https://{http}"));
        Ok(Self { windlass, quic, server, token, process: process.into() })
    }

    /// Where operators connect.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Where agents connect.
    pub(super) fn quic(&self) -> &str {
        &self.quic
    }

    /// The first administrator's token.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Stops the coordinator.
    pub(super) fn stop(&self) {
        self.process.borrow_mut().stop();
    }

    /// Runs a `windlass` command and returns what it printed. It is shown before it runs.
    pub(super) fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.show(arguments);
        self.quietly(arguments)
    }

    fn show(&self, arguments: &[&str]) {
        say(&format!(
            "$ windlass {}",
            arguments.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
        ));
    }

    /// Runs a `windlass` command that is none of the newcomer's business.
    pub(super) fn quietly(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(&self.windlass)
            .args(arguments)
            .env("WINDLASS_SERVER", &self.server)
            .env("WINDLASS_TOKEN", &self.token)
            .env("SYNERGY_TEST_KEY", key_of("test"))
            .env("CUSTOMER_1_KEY", key_of("Customer-1"))
            .env("CUSTOMER_2_KEY", key_of("Customer-2"))
            .env("CUSTOMER_3_KEY", key_of("Customer-3"))
            .output()?;
        if !output.status.success() {
            bail!("windlass {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Shows a `windlass` command and runs it for its answer in JSON.
    pub(super) fn shown_json(&self, arguments: &[&str]) -> anyhow::Result<serde_json::Value> {
        self.show(arguments);
        self.json(arguments)
    }

    /// Runs a `windlass` command whose answer is JSON.
    pub(super) fn json(&self, arguments: &[&str]) -> anyhow::Result<serde_json::Value> {
        let text = self.quietly(&[arguments, &["-o", "json"]].concat())?;
        serde_json::from_str(&text)
            .with_context(|| format!("windlass {} did not answer with JSON", arguments.join(" ")))
    }
}

fn quoted(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./=:,".contains(character);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{word}'") }
}
