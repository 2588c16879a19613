//! Steps under another account.

use windlass_supervisor::{Account, Outcome, SCRIPT_PATH};

use crate::support::{Step, exited, is_root, program, script};

/// The account that owns nothing, on every machine.
const NOBODY: Account = Account { uid: 65534, gid: 65534 };

#[test]
fn a_step_has_its_account_and_nothing_of_the_supervisors() {
    let mut job = script(
        "id -u; id -g; id -G\n\
         grep -E '^(NoNewPrivs|CapPrm|CapEff|CapAmb):' /proc/self/status | tr '\\t' ' '\n\
         ulimit -c; umask\n",
    );
    job.account = Some(NOBODY);
    let step = Step::started(&job);
    let outcome = step.ended().outcome;
    if is_root() {
        assert_eq!(outcome, exited(0));
        let none = "0000000000000000";
        let expected = [
            "65534",
            "65534",
            "65534",
            &format!("CapPrm: {none}"),
            &format!("CapEff: {none}"),
            &format!("CapAmb: {none}"),
            "NoNewPrivs: 1",
            "0",
            "0077",
        ];
        assert_eq!(step.output(), expected.map(|line| format!("Output: {line}")));
    } else {
        let reason =
            "the step cannot take the account with the user id 65534: Operation not permitted (os error 1)";
        assert_eq!(outcome, Outcome::NotStarted { reason: reason.to_owned() });
        assert!(step.output().is_empty());
    }
}

#[test]
fn every_shell_can_read_its_script_under_another_account() {
    for (shell, text) in
        [("bash", "id -u"), ("sh", "id -u"), ("/usr/bin/python3", "import os; print(os.getuid())")]
    {
        if shell.starts_with('/') && !std::path::Path::new(shell).exists() {
            continue;
        }
        let mut job = program(&[shell, SCRIPT_PATH]);
        job.script = text.as_bytes().to_vec();
        job.account = is_root().then_some(NOBODY);
        let step = Step::started(&job);
        assert_eq!(step.ended().outcome, exited(0), "{shell}: {:?}", step.output());
        let uid = if is_root() { NOBODY.uid } else { nix::unistd::geteuid().as_raw() };
        assert_eq!(step.output(), [format!("Output: {uid}")], "{shell}");
    }
}

#[test]
fn a_step_of_another_account_cannot_enter_the_agents_folders() {
    let step = Step::new();
    let mut job = script("echo inside");
    job.account = Some(NOBODY);
    job.working_folder = step.folder();
    step.start(&job).expect("started");
    let Outcome::NotStarted { reason } = step.ended().outcome else { panic!("it must not have started") };
    if is_root() {
        let folder = step.folder().display().to_string();
        assert_eq!(
            reason,
            format!("the step cannot enter its working folder {folder}: Permission denied (os error 13)")
        );
    } else {
        assert!(reason.starts_with("the step cannot take the account"), "{reason}");
    }
}
