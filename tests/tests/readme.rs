//! Every command in the READMEs works as written, in the order written, on a machine that has nothing of Windlass yet:
//! namespaces of its own for mounts, network and host name, where `/var/lib`, `/opt` and `/etc` are scratch copies.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Set in the namespaces.
const INSIDE: &str = "WINDLASS_TEST_NAMESPACE";

/// Commands that are not run here, and where they are exercised instead.
const ELSEWHERE: [&str; 4] = [
    // tests/dev.rs runs it, with the programs of this build.
    "cargo build --release && target/release/windlass dev",
    // It is being run.
    "cargo test --workspace",
    // Measures for minutes, and is no test.
    "cargo run --release -p windlass-benchmark",
    // `units_are_right` asks systemd about what is enabled there.
    "systemctl enable --now windlass-coordinator",
];

/// Commands that go on until they are stopped, and how to see that they are ready.
const DAEMONS: [(&str, &str); 2] = [
    ("windlass-coordinator serve --data /var/lib/windlass", "grep -q serving serve.log"),
    ("windlass-agent run", "windlass-agent status | grep -q 'connection: connected'"),
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a part of it").to_owned()
}

/// Every README of the repository, the root's first.
fn readmes() -> Vec<PathBuf> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--", "README.md", "*/README.md"]).current_dir(repository());
    let listed = git.output().expect("git starts");
    let mut paths: Vec<_> =
        String::from_utf8(listed.stdout).expect("text").lines().map(PathBuf::from).collect();
    paths.sort_by_key(|path| (path.components().count(), path.clone()));
    assert!(paths.len() > 5 && paths[0] == Path::new("README.md"), "{paths:?}");
    paths
}

/// The lines of the fenced blocks in one of these languages.
fn blocks(languages: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for path in readmes() {
        let text = fs::read_to_string(repository().join(path)).expect("it is listed");
        let mut fence: Option<bool> = None;
        for line in text.lines() {
            match (line.strip_prefix("```"), fence) {
                (Some(_), Some(_)) => fence = None,
                (Some(language), None) => fence = Some(languages.contains(&language.trim())),
                (None, Some(true)) => found.push(line.to_owned()),
                _ => {}
            }
        }
    }
    found
}

fn commands() -> Vec<String> {
    let lines = blocks(&["sh", "bash", "console", "shell"]);
    lines.into_iter().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).collect()
}

/// The commands as one script, which ends at the first that fails.
fn script() -> String {
    let mut script = String::from("set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n");
    for command in commands() {
        if ELSEWHERE.contains(&command.as_str()) {
            continue;
        }
        script += &format!("echo '+' {}\n", quoted(&command));
        match DAEMONS.iter().position(|(daemon, _)| *daemon == command) {
            None => script += &format!("{command}\n"),
            Some(index) => {
                let log = if index == 0 { "serve.log" } else { "run.log" };
                let ready = DAEMONS[index].1;
                script += &format!("{command} > {log} 2>&1 &\n");
                script += &format!(
                    "timeout 60 bash -c \"until {ready}; do sleep 0.1; done\" || {{ cat {log}; exit 1; }}\n"
                );
            }
        }
    }
    script
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A machine of one's own: what is changed in these folders is gone with it.
const MACHINE: &str = r#"
set -euo pipefail
mount -t tmpfs none /mnt
cp -a /etc /mnt/etc
mkdir /mnt/opt /mnt/lib /mnt/etc/windlass
printf '127.0.0.1 localhost deploy.example.com\n' > /mnt/etc/hosts
cp "$AGENT_CONFIGURATION" /mnt/etc/windlass/agent.toml
mount --bind /mnt/etc /etc
mount --bind /mnt/opt /opt
mount --bind /mnt/lib /var/lib
ip link set lo up
hostname web-1
exec bash "$SCRIPT"
"#;

fn left_out(why: &str) {
    // Past the test harness, which would keep it to itself.
    let _ = writeln!(std::io::stderr(), "LEFT OUT: the commands of the READMEs are not run: {why}");
}

fn namespaces() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--uts"]).env(INSIDE, "yes");
    command
}

#[test]
fn every_command_works_as_written_in_the_order_written() {
    let possible =
        namespaces().args(["bash", "-c", "mount -t tmpfs none /mnt && ip link set lo up"]).output();
    if !possible.is_ok_and(|output| output.status.success()) {
        return left_out("it takes root, and namespaces");
    }
    let programs = windlass_tests::programs().expect("the programs build");
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let folder = temporary.path();
    std::os::unix::fs::symlink(repository().join("packaging"), folder.join("packaging")).expect("a link");
    fs::write(folder.join("agent.toml"), blocks(&["toml"]).join("\n")).expect("a file");
    fs::write(folder.join("script"), script()).expect("a file");
    let output = namespaces()
        .args(["bash", "-c", MACHINE])
        .current_dir(folder)
        .env_clear()
        .env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", programs.display()))
        .env("HOME", folder)
        .env("AGENT_CONFIGURATION", folder.join("agent.toml"))
        .env("SCRIPT", folder.join("script"))
        .stdin(Stdio::null())
        .output()
        .expect("unshare starts");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("Welcome to Customer-3"), "what was deployed is on the machine:\n{said}");
}

#[test]
fn what_is_not_run_still_stands_in_a_readme() {
    let commands = commands();
    for listed in ELSEWHERE.into_iter().chain(DAEMONS.map(|(command, _)| command)) {
        assert!(commands.iter().any(|command| command == listed), "`{listed}` stands in no README any more");
    }
}

#[test]
fn units_are_right() {
    let programs = windlass_tests::programs().expect("the programs build");
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let units = fs::read_dir(repository().join("packaging/systemd")).expect("units");
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]);
    for unit in units.map(|unit| unit.expect("it can be read")) {
        let text = fs::read_to_string(unit.path()).expect("a unit is text");
        let here = text.replace("/usr/bin/", &format!("{}/", programs.display()));
        let path = temporary.path().join(unit.file_name());
        fs::write(&path, here).expect("a file");
        verify.arg(path);
    }
    match verify.output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && !said.contains("windlass"), "{said}");
        }
        Err(_) => {
            let _ = writeln!(std::io::stderr(), "LEFT OUT: the units are not verified: no systemd-analyze");
        }
    }
}
