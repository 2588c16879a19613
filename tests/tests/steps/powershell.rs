//! PowerShell steps: the text reaches the shell, and the shell's exit code counts.
//!
//! PowerShell itself is not installed where these tests run. A stand-in takes its place that reads its arguments by the
//! documented rules (about_Pwsh): commands come from standard input for `-`, a file is run whole, `exit` gives the exit
//! code, an error that ends the script gives 1. Of the language it knows four words.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use windlass_tests::installation::Installation;
use windlass_tests::namespace::inside;

use super::{end, installation, machine, release, start, upload};

const TEST: &str = "powershell::the_text_of_a_step_reaches_powershell_and_its_exit_code_counts";
/// The first folder in which programs of steps are looked for.
const PROGRAMS: &str = "/usr/local/sbin";

const STAND_IN: &str = r#"#!/bin/bash
text=/dev/null
while [ $# -gt 0 ]; do
  case "$1" in
    -NoProfile|-NonInteractive|-NoLogo) shift ;;
    -File|-Command) if [ "$2" = - ]; then text=/dev/stdin; else text="$2"; fi; break ;;
    *) echo "the stand-in does not know $1" >&2; exit 64 ;;
  esac
done
[ "$1" != -Command ] || [ "$2" = - ] || { echo "the stand-in runs no text from its arguments" >&2; exit 64; }
[ -e "$text" ] || { echo "The argument '$text' to the -File parameter does not exist." >&2; exit 64; }
while IFS= read -r line; do
  case "$line" in
    "Write-Output '"*) line="${line#*\'}"; echo "${line%\'}" ;;
    "native "*) LASTEXITCODE="${line#native }" ;;
    "throw "*) echo "Exception: ${line#throw }" >&2; exit 1 ;;
    'if (Test-Path variable:global:LASTEXITCODE) { exit $LASTEXITCODE }') [ -z "$LASTEXITCODE" ] || exit "$LASTEXITCODE" ;;
    "exit "*) exit "${line#exit }" ;;
  esac
done < "$text"
"#;

/// Deploys a step; its state, the reason, and what it said.
fn run(installation: &Installation, version: &str, step: &str) -> (String, String, String) {
    installation
        .apply(&format!("kind: project\nname: Site\nsteps: [{{name: Install, roles: [web], {step}}}]\n"));
    release(installation, version);
    let id = start(installation, version, None);
    let (state, reason) = end(installation, &id);
    (state, reason, installation.windlass(&["deployment", "logs", &id]))
}

#[test]
fn the_text_of_a_step_reaches_powershell_and_its_exit_code_counts() {
    if !inside(TEST) {
        return;
    }
    let mounted = Command::new("mount").args(["-t", "tmpfs", "none", PROGRAMS]).status();
    assert!(mounted.expect("mount starts").success());
    let (_folder, installation) = installation("kind: project\nname: Site\nsteps: []\n");
    let _agent = machine(&installation, &[], "isolation = \"none\"\n");
    let body = |lines: &[&str]| format!("script: {{shell: pwsh, body: {:?}}}", lines.join("\n"));

    let stand_in = Path::new(PROGRAMS).join("pwsh");
    fs::write(&stand_in, STAND_IN).expect("a file");
    fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755)).expect("it is the test's");
    let hello = "Write-Output 'hello from the step'";
    let cases: [(&[&str], &str); 5] = [
        (&[hello], ""),
        (&[hello, "exit 7"], "exit code 7"),
        (&[hello, "throw 'enough'"], "exit code 1"),
        // A program that the script ran last and that failed, as with every other shell.
        (&[hello, "native 3"], "exit code 3"),
        (&[hello, "native 3", "native 0"], ""),
    ];
    for (number, (lines, failure)) in cases.into_iter().enumerate() {
        let (state, reason, logs) = run(&installation, &format!("1.{number}.0"), &body(lines));
        assert_eq!(state == "succeeded", failure.is_empty(), "{lines:?}: {reason}: {logs}");
        assert!(reason.contains(failure), "{lines:?}: {reason}");
        assert!(logs.contains("hello from the step"), "{lines:?}: {logs}");
    }
    for (version, lines) in [("2.0.0", hello.to_owned()), ("2.1.0", format!("{hello}\nexit 9\n"))] {
        upload(&installation, "site", version, &[("Deploy.ps1", lines.as_bytes())]);
        let (state, reason, logs) = run(&installation, version, "package: {id: site}");
        assert_eq!(state == "failed", reason.contains("exit code 9"), "{version}: {reason}");
        assert_eq!(state == "failed", version == "2.1.0", "{version}: {reason}");
        assert!(logs.contains("hello from the step"), "{version}: {logs}");
    }
    fs::remove_file(stand_in).expect("it is there");
    let (state, reason, _) = run(&installation, "3.0.0", &body(&["exit 0"]));
    assert_eq!(state, "failed");
    let missing = "no folder in which the step's programs are looked for has a program pwsh";
    assert!(reason.contains(missing), "{reason}");
}
