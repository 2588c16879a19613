//! The installation under test: one coordinator, three agents, an operator, all below one folder.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use windlass_tests::agents::is_root;

use crate::daemon::Daemon;
use crate::operator::{Operator, wait_until};
use crate::points::ENROLMENT;
use crate::project::{self, TARGETS};

/// An agent's machine.
pub struct Machine {
    pub folder: PathBuf,
    pub agent: Daemon,
}

/// Everything.
pub struct World {
    pub folder: PathBuf,
    pub operator: Operator,
    pub coordinator: Daemon,
    pub machines: Vec<Machine>,
    /// Whether agents make accounts.
    pub root: bool,
    _kept: Option<tempfile::TempDir>,
}

/// The numbers that make rare things frequent.
const COORDINATOR_NUMBERS: [(&str, &str); 4] = [
    ("WINDLASS_FAIL_NUMBER_KEPT_RELEASES", "1"),
    ("WINDLASS_FAIL_NUMBER_SEGMENT_BYTES", "10000"),
    ("WINDLASS_FAIL_NUMBER_SNAPSHOT_RECORDS", "100"),
    ("WINDLASS_FAIL_NUMBER_OUTPUT_COMMIT", "20"),
];

/// Certificates that are renewed many times.
const COORDINATOR_SETTINGS: &str = "agent-certificate = \"40s\"\n";

impl World {
    /// Makes it all, killing enrolments at each of their points on the way.
    pub fn make() -> Self {
        let kept = tempfile::tempdir().expect("a folder");
        let folder = kept.path().to_owned();
        // With WINDLASS_TEST_KEEP the folder stays, to be looked at after a failure.
        let kept = match std::env::var_os("WINDLASS_TEST_KEEP") {
            Some(_) => {
                println!("everything lies in {}", kept.keep().display());
                None
            }
            None => Some(kept),
        };
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o711)).expect("own folder");
        for name in ["arm-coordinator", "arm-agents", "uploads"] {
            fs::create_dir(folder.join(name)).expect("a folder");
        }
        project::make_counts(&folder.join("counts"));
        let programs = windlass_tests::killable_programs().expect("the programs build");
        let token = init(&programs, &folder.join("data"));
        let port = |address: std::io::Result<std::net::SocketAddr>| address.expect("a free port").port();
        let quic = port(UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()));
        let http = port(TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()));
        let (quic, http) = (format!("127.0.0.1:{quic}"), format!("127.0.0.1:{http}"));
        let coordinator = coordinator(&programs, &folder, &quic, &http);
        let operator = Operator { programs, http, token };
        wait_until("the start of the coordinator", || TcpStream::connect(&operator.http).is_ok());
        operator.apply(&folder, "documents", &project::documents(&folder.join("counts")));
        let root = is_root();
        let machines = TARGETS.map(|(name, tag)| machine(&operator, &folder, &quic, name, tag, root));
        Self { folder, operator, coordinator, machines: machines.into(), root, _kept: kept }
    }

    /// Where runs are counted.
    pub fn counts(&self) -> PathBuf {
        self.folder.join("counts")
    }

    /// Leaves the beginning of a line at the end of the journal and of the output, as a machine that loses its power
    /// in the middle of a write does, the next time that the coordinator is down.
    pub fn tear_next_time(&self) {
        let data = self.folder.join("data");
        self.coordinator.while_down(move || {
            for folder in [data.join("journal"), data.join("output")] {
                let mut segments: Vec<_> = fs::read_dir(folder)
                    .expect("a folder of segments")
                    .filter_map(|entry| Some(entry.ok()?.path()))
                    .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
                    .collect();
                segments.sort();
                let Some(last) = segments.last() else { continue };
                let mut last = fs::OpenOptions::new().append(true).open(last).expect("a segment");
                last.write_all(b"{\"torn").expect("room for a few bytes");
            }
        });
    }

    /// The supervisors that live at this moment. A step's own process looks the same until it runs the step's program,
    /// but its parent is a supervisor.
    pub fn supervisors(&self) -> Vec<i32> {
        let own = self.folder.to_string_lossy().into_owned();
        let mut found = BTreeMap::new();
        for entry in fs::read_dir("/proc").expect("/proc").flatten() {
            let Ok(id) = entry.file_name().to_string_lossy().parse() else { continue };
            let line = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
            let arguments: Vec<_> = line.split('\0').collect();
            if arguments.get(1) == Some(&"supervise")
                && arguments.get(2).is_some_and(|at| at.starts_with(&own))
            {
                let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
                // What stands in brackets is the program's name; the state and the parent come after it.
                let parent =
                    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
                found.insert(id, parent.unwrap_or(0));
            }
        }
        let own_parent = |parent: &i32| found.contains_key(parent);
        found.iter().filter(|(_, parent)| !own_parent(parent)).map(|(id, _)| *id).collect()
    }

    /// Removes the accounts that agents made for this installation's tenants, whose homes lie below its folder.
    pub fn remove_accounts(&self) {
        let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
        for line in accounts.lines() {
            let fields: Vec<_> = line.split(':').collect();
            let (Some(name), Some(home)) = (fields.first(), fields.get(5)) else { continue };
            if name.starts_with("wl-") && Path::new(home).starts_with(&self.folder) {
                let _ = Command::new("userdel").arg(name).stderr(Stdio::null()).status();
            }
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.coordinator.stop();
        for machine in &mut self.machines {
            machine.agent.stop();
        }
        for id in self.supervisors() {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
        }
        if self.root {
            self.remove_accounts();
        }
    }
}

/// Makes an installation; the first administrator's token.
pub fn init(programs: &Path, data: &Path) -> String {
    let init =
        Command::new(programs.join("windlass-coordinator")).arg("init").arg("--data").arg(data).output();
    let init = init.expect("windlass-coordinator starts");
    assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
    String::from_utf8(init.stdout).expect("a token is text").trim().to_owned()
}

fn coordinator(programs: &Path, folder: &Path, quic: &str, http: &str) -> Daemon {
    let (program, data) = (programs.join("windlass-coordinator"), folder.join("data"));
    let (arms, points) = (folder.join("arm-coordinator"), folder.join("points.log"));
    let (quic, http) = (quic.to_owned(), http.to_owned());
    let settings = folder.join("coordinator.toml");
    fs::write(&settings, COORDINATOR_SETTINGS).expect("a file");
    let start = move || {
        let mut command = Command::new(&program);
        command
            .arg("serve")
            .arg("--config")
            .arg(&settings)
            .arg("--data")
            .arg(&data)
            .args(["--quic", &quic, "--http", &http]);
        command.env("WINDLASS_FAIL_FOLDER", &arms).env("WINDLASS_FAIL_LOG", &points);
        command.envs(COORDINATOR_NUMBERS);
        command
    };
    Daemon::keep("coordinator", &folder.join("coordinator.log"), Box::new(start))
}

fn machine(
    operator: &Operator,
    folder: &Path,
    quic: &str,
    name: &'static str,
    tag: &str,
    root: bool,
) -> Machine {
    let own = folder.join(name);
    fs::create_dir(&own).expect("a folder");
    let isolation = if root { "" } else { "isolation = \"none\"\n" };
    let configuration = own.join("agent.toml");
    let text = format!(
        "coordinator = \"{quic}\"\nstate_root = \"{0}/state\"\ninstall_root = \"{0}/install\"\n{isolation}",
        own.display()
    );
    fs::write(&configuration, text).expect("a file");
    let create = ["enrolment", "create", "--environment", "Production", "--role", "web", "--tenant-tag", tag];
    let answer = operator.read(&[&create[..], &["--participation", "tenanted", "--name", name]].concat());
    let token = answer["token"].as_str().expect("a token").to_owned();
    let program = operator.programs.join("windlass-agent");
    // One machine's enrolment shows it.
    let killed_at: &[&str] = if name == TARGETS[0].0 { &ENROLMENT } else { &[] };
    enrol(&program, &configuration, &token, killed_at);
    let (arms, points, log) = (folder.join("arm-agents"), folder.join("points.log"), own.join("agent.log"));
    let start = move || {
        let mut command = Command::new(&program);
        command.arg("run").arg("--config").arg(&configuration);
        command.env("WINDLASS_FAIL_FOLDER", &arms).env("WINDLASS_FAIL_LOG", &points);
        command.env("WINDLASS_FAIL_NUMBER_SEGMENT_BYTES", "128").env("WINDLASS_FAIL_NUMBER_CACHE_BYTES", "1");
        command
    };
    Machine { folder: own, agent: Daemon::keep(name, &log, Box::new(start)) }
}

/// Enrols with one single-use token, killed at each of these points: the same token goes on where it stopped.
fn enrol(program: &Path, configuration: &Path, token: &str, killed_at: &[&str]) {
    let try_once = |point: Option<&str>| {
        let mut command = Command::new(program);
        command.arg("enrol").arg("--config").arg(configuration).env("WINDLASS_ENROLMENT_TOKEN", token);
        if let Some(point) = point {
            command.env("WINDLASS_FAIL_POINT", point);
        }
        command.output().expect("windlass-agent starts")
    };
    for point in killed_at {
        use std::os::unix::process::ExitStatusExt as _;
        let output = try_once(Some(point));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // What was reached before a kill is not reached again: then it ends, well or because it is enrolled already.
        let killed = output.status.signal() == Some(9);
        assert!(killed || output.status.success() || said.contains("enrolled already"), "{point}: {said}");
    }
    let output = try_once(None);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || said.contains("enrolled already"), "{said}");
}
