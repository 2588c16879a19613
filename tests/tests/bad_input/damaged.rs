//! Every file below a real data folder, damaged in every way: what can be made anew is, and no reason not to start; what
//! cannot is refused by its name, with what to do.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use windlass_tests::agents::{Agent, wait_for_presence};
use windlass_tests::installation::Installation;
use windlass_tests::journal::{events, field};

/// What is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    Empty,
    Half,
    Flipped,
    Missing,
}

const DAMAGES: [Damage; 4] = [Damage::Empty, Damage::Half, Damage::Flipped, Damage::Missing];

/// What a start does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Starts,
    Refuses,
    /// One or the other.
    Either,
}
use Then::{Either, Refuses, Starts};

/// What a start does with each kind of file that is empty, cut in half, has another bit, or is missing.
const KINDS: [(&str, [Then; 4]); 14] = [
    ("the records", [Refuses, Refuses, Refuses, Refuses]),
    // Which records were acknowledged: a number that is too large is the same as records that are lost.
    ("journal/durable", [Starts, Starts, Refuses, Starts]),
    ("master.key", [Refuses, Refuses, Refuses, Refuses]),
    ("authority.der", [Refuses, Refuses, Refuses, Refuses]),
    ("the coordinator's own keys", [Refuses, Refuses, Refuses, Refuses]),
    ("the space's key", [Refuses, Refuses, Refuses, Refuses]),
    // It refuses what is the tenant's, when that is asked for.
    ("a tenant's key", [Starts, Starts, Starts, Starts]),
    ("keys/connection-resets", [Starts, Starts, Starts, Starts]),
    ("destroyed-keys", [Starts, Starts, Starts, Starts]),
    // One of a package is refused when it is asked for.
    ("packages", [Starts, Starts, Starts, Starts]),
    // A line that has another bit is refused when it is read; that is at the start, where the index does not know it yet.
    ("what steps printed", [Refuses, Refuses, Either, Refuses]),
    ("output/durable", [Starts, Starts, Refuses, Starts]),
    ("output-index", [Starts, Starts, Starts, Starts]),
    ("a lock", [Starts, Starts, Starts, Starts]),
];

/// Which kind a file is of, by its path below the data folder.
fn kind(path: &str, space_key: &str) -> &'static str {
    let (folder, name) = path.split_once('/').unwrap_or(("", path));
    match (folder, name) {
        (_, "lock") => "a lock",
        ("journal", "durable") => "journal/durable",
        ("journal", _) => "the records",
        ("", "master.key") => "master.key",
        ("", "authority.der") => "authority.der",
        ("", "destroyed-keys") => "destroyed-keys",
        ("keys", "authority" | "assignment-signing" | "output-sealing") => "the coordinator's own keys",
        ("keys", "connection-resets") => "keys/connection-resets",
        ("keys", name) if name == space_key => "the space's key",
        ("keys", _) => "a tenant's key",
        ("packages", _) => "packages",
        ("output", "durable") => "output/durable",
        ("output", _) => "what steps printed",
        ("output-index", _) => "output-index",
        _ => panic!("{path} is of no kind that is known"),
    }
}

impl Damage {
    /// Does it; false where it changes nothing.
    fn apply(self, path: &Path) -> bool {
        let mut bytes = fs::read(path).expect("a file");
        let middle = bytes.len() / 2;
        match self {
            Self::Missing => {
                fs::remove_file(path).expect("it is there");
                return true;
            }
            _ if bytes.is_empty() => return false,
            Self::Empty => bytes.clear(),
            Self::Half => bytes.truncate(middle),
            Self::Flipped => bytes[middle] ^= 1,
        }
        fs::write(path, bytes).expect("it can be written");
        true
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> =
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    files.sort();
    files
}

/// A coordinator that was stopped in order, with one of everything; and a deployment that printed something.
fn data(folder: &Path) -> (Installation, String) {
    let mut installation = Installation::start(folder).expect("an installation");
    let secret = folder.join("secret");
    fs::write(&secret, "a secret of theirs").expect("a file");
    let value = format!("{{from-file: {}}}", secret.display());
    let tenant = |name| {
        format!(
            "---\nkind: tenant\nname: {name}\nprojects: {{Web: [Production]}}\nvalues: {{Web: {{Password: {value}}}}}\n"
        )
    };
    installation.apply(&format!(
        "kind: environment\nname: Production\n---\nkind: project\nname: Web\ntenancy: tenanted-or-untenanted\n\
         templates: [{{name: Password, control: sensitive, default: {value}}}]\n\
         steps: [{{name: Site, roles: [web], package: {{id: site}}}}, \
         {{name: Say, roles: [web], script: {{body: 'echo it is said'}}}}]\n{}{}",
        tenant("Alpha"),
        tenant("Gone")
    ));
    installation.windlass(&["tenant", "delete", "Gone"]);
    let package = folder.join("site.1.0.0.bin");
    fs::write(&package, "content").expect("a file");
    installation.windlass(&["package", "upload", &package.to_string_lossy()]);
    installation.windlass(&["release", "create", "--project", "Web", "--version", "1.0.0"]);
    let mut agent = Agent::enrol(&installation, "web-1", &["--environment", "Production", "--role", "web"]);
    agent.configure(&format!("coordinator = \"{}\"\nisolation = \"none\"\n", installation.quic));
    agent.run();
    wait_for_presence(&installation, "web-1", true);
    let deploy = ["release", "deploy", "--project", "Web", "--version", "1.0.0"];
    installation.windlass(&[&deploy[..], &["--environment", "Production", "--wait"]].concat());
    let deployments = installation.json(&["deployment", "list"]);
    let id = field(&deployments["items"][0], "id").to_owned();
    drop(agent);
    assert!(installation.stop(), "it ends well");
    (installation, id)
}

/// A coordinator on a data folder: where operators connect, or what it says instead of serving.
fn start(installation: &Installation, data: &Path) -> (Child, Result<String, Vec<String>>) {
    let mut command = installation.program("windlass-coordinator");
    command.arg("serve").arg("--data").arg(data).args(["--quic", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
    let said = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let mut lines = Vec::new();
    for line in said.map_while(Result::ok) {
        if let Some((_, address)) =
            line.split_once("serving quic=").and_then(|(_, rest)| rest.split_once("http="))
        {
            let address = address.trim().to_owned();
            return (child, Ok(address));
        }
        lines.push(line);
    }
    (child, Err(lines))
}

/// What an operator reads of what a step printed.
fn logs(installation: &Installation, http: &str, deployment: &str) -> String {
    let mut command = installation.windlass_command(&["deployment", "logs", deployment]);
    let output = command.env("WINDLASS_SERVER", format!("https://{http}")).output().expect("it starts");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn copy(data: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(data).arg(to).status();
    assert!(copied.expect("cp starts").success());
}

#[test]
fn what_can_be_made_anew_is_and_what_cannot_is_refused_by_name() {
    let temporary = tempfile::tempdir().expect("a folder");
    let (installation, deployment) = data(temporary.path());
    let data = installation.data();
    let happened = events(&data);
    let space_key = happened.iter().find_map(|event| event["space"]["key"].as_str()).expect("a space");
    let destroyed =
        happened.iter().find(|event| event["event"] == "key-destroyed").expect("a deleted tenant");
    let destroyed = field(destroyed, "key");

    let (mut seen, mut wrong) = (std::collections::BTreeSet::new(), Vec::new());
    for path in files(&data) {
        let below = path.strip_prefix(&data).expect("it is below").to_str().expect("text").to_owned();
        let kind = kind(&below, space_key);
        seen.insert(kind);
        let (_, thens) = KINDS.iter().find(|(known, _)| *known == kind).expect("a kind");
        for (damage, then) in DAMAGES.into_iter().zip(thens) {
            let copied = tempfile::tempdir().expect("a folder");
            let damaged = copied.path().join("data");
            copy(&data, &damaged);
            if !damage.apply(&damaged.join(&below)) {
                continue;
            }
            let what = format!("{below} {damage:?}");
            let (mut child, started) = start(&installation, &damaged);
            let found = match (&started, then) {
                (Ok(http), Starts | Either) => {
                    let said = logs(&installation, http, &deployment);
                    let whole = said.contains("it is said") || kind == "what steps printed";
                    let noted = fs::read_to_string(damaged.join("destroyed-keys")).unwrap_or_default();
                    (!whole || !noted.contains(destroyed)).then(|| format!("{noted}: {said}"))
                }
                (Err(lines), Refuses | Either) => {
                    let refusal = lines.last().map_or("", String::as_str);
                    let name = below.rsplit_once('/').map_or(below.as_str(), |(folder, _)| folder);
                    // One of two files is damaged, and which one nobody can tell.
                    let named =
                        refusal.contains(name) || (kind == "master.key" && refusal.contains("master key"));
                    let says = ["from a backup", "`windlass-coordinator verify` tells more"];
                    let helps = says.iter().any(|way| refusal.contains(way));
                    let fits = refusal.starts_with("error: ") && named && helps;
                    (!fits).then(|| refusal.to_owned())
                }
                (Ok(_), Refuses) => Some("it started".to_owned()),
                (Err(lines), Starts) => Some(lines.join("\n")),
            };
            let _ = child.kill();
            let ended = child.wait().expect("it ends");
            if started.is_err() && ended.code() != Some(1) {
                wrong.push(format!("{what}: {ended}"));
            }
            wrong.extend(found.map(|found| format!("{what}: {found}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all: std::collections::BTreeSet<_> = KINDS.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(seen, all, "a kind of file that was not there");
}
