//! How steps are ended: by time, by request, with what they started, and when their supervisor or agent is gone.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use windlass_supervisor::{Outcome, StepError, StepStatus, bury, stop};

use crate::support::{Step, binary, exited, lives, number_in, script, wait_for};

/// A script that ignores polite requests, and starts one process in its group and one in a group of its own.
fn stubborn(step: &Step) -> String {
    let [same, other] = ["same", "other"].map(|name| step.file(name).display().to_string());
    format!(
        "trap '' TERM\n\
         (sleep 60; true) & echo $! > {same}\n\
         set -m\n\
         (sleep 60; true) & echo $! > {other}\n\
         sleep 60; sleep 60\n"
    )
}

/// The two processes that it starts, once they are there.
fn descendants(step: &Step) -> [i32; 2] {
    ["same", "other"].map(|name| number_in(&step.file(name)))
}

#[test]
fn a_step_that_takes_too_long_is_killed_with_all_that_it_started() {
    let step = Step::new();
    let mut job = script(&stubborn(&step));
    (job.timeout, job.grace) = (Duration::from_millis(500), Duration::from_millis(200));
    step.start(&job).expect("started");
    let descendants = descendants(&step);
    let ended = step.ended();
    assert_eq!(ended.outcome, Outcome::Killed { signal: 9 });
    assert!(ended.timed_out && !ended.stopped);
    wait_for("the end of all", || (!descendants.into_iter().any(lives)).then_some(()));
}

#[test]
fn a_step_that_is_stopped_can_clean_up() {
    let step =
        Step::started(&script("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done"));
    wait_for("its first line", || (step.output() == ["Output: ready"]).then_some(()));
    stop(&step.folder()).expect("asked");
    let ended = step.ended();
    assert_eq!(ended.outcome, exited(7));
    assert!(ended.stopped && !ended.timed_out);
    // The shell may add, as an error, that its command was terminated.
    let output: Vec<_> = step.output().into_iter().filter(|line| line.starts_with("Output")).collect();
    assert_eq!(output, ["Output: ready", "Output: bye"]);
    let gone = || matches!(stop(&step.folder()), Err(StepError::Unsupervised { .. })).then_some(());
    wait_for("the supervisor's end", gone);
}

#[test]
fn a_step_that_is_stopped_before_it_begins_does_not_begin() {
    let step = Step::new();
    let mut supervisor = Command::new(binary())
        .arg("run")
        .arg(step.folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut answer = String::new();
    supervisor.stdout.take().expect("asked for").read_to_string(&mut answer).expect("read");
    assert_eq!((answer.as_str(), step.status()), ("held", StepStatus::Starting));
    stop(&step.folder()).expect("asked");
    let job = script(&format!("touch {}", step.file("ran").display())).to_bytes().expect("short");
    supervisor.stdin.take().expect("asked for").write_all(&job).expect("written");
    let ended = step.ended();
    assert_eq!(
        ended.outcome,
        Outcome::NotStarted { reason: "the step was stopped before it began".to_owned() }
    );
    assert!(ended.stopped && supervisor.wait().expect("it ends").success());
    assert!(!step.file("ran").exists());
}

#[test]
fn what_a_step_started_ends_with_it() {
    let step = Step::new();
    let text = stubborn(&step).replace("sleep 60; sleep 60\n", "echo done\n");
    step.start(&script(&text)).expect("started");
    let begun = Instant::now();
    assert_eq!(step.ended().outcome, exited(0));
    assert!(begun.elapsed() < Duration::from_secs(15), "nothing is waited for");
    assert_eq!(step.output(), ["Output: done"]);
    let descendants = descendants(&step);
    wait_for("the end of all", || (!descendants.into_iter().any(lives)).then_some(()));
}

#[test]
fn a_process_that_left_the_session_does_not_hold_up_the_end() {
    let step = Step::new();
    let daemon = step.file("daemon");
    let daemon_path = daemon.display();
    let text = format!(
        "setsid bash -c 'echo $$ > {daemon_path}; exec sleep 60' & until [ -s {daemon_path} ]; do :; done"
    );
    step.start(&script(&text)).expect("started");
    assert_eq!(step.ended().outcome, exited(0));
    let daemon = number_in(&daemon);
    assert!(lives(daemon), "it is on its own");
    kill(Pid::from_raw(daemon), Signal::SIGKILL).expect("killed");
}

#[test]
fn a_step_outlives_the_agent_that_started_it() {
    let step = Step::new();
    let release = step.file("release");
    let job = script(&format!("echo one; until [ -e {} ]; do sleep 0.01; done; echo two", release.display()));
    let mut agent = Command::new(binary())
        .arg("start")
        .arg(step.folder())
        .stdin(Stdio::piped())
        .spawn()
        .expect("it runs");
    agent.stdin.take().expect("asked for").write_all(&job.to_bytes().expect("short")).expect("written");
    assert!(agent.wait().expect("it ends").success());

    let started = step.running();
    assert!(lives(started.pid) && started.pid == started.pgid);
    fs::write(release, "").expect("written");
    assert_eq!(step.ended().outcome, exited(0));
    assert_eq!(step.output(), ["Output: one", "Output: two"]);
}

#[test]
fn a_step_whose_supervisor_is_killed_is_lost_and_can_be_buried() {
    let step = Step::new();
    step.start(&script(&stubborn(&step))).expect("started");
    let descendants = descendants(&step);
    let started = step.running();
    assert!(matches!(bury(&step.folder()), Err(StepError::Supervised { .. })));

    kill(Pid::from_raw(step.supervisor()), Signal::SIGKILL).expect("killed");
    let lost = wait_for("the supervisor's end", || match step.status() {
        StepStatus::Lost { started } => Some(started),
        _ => None,
    });
    assert_eq!(lost, started);
    assert!(descendants.into_iter().all(lives));

    let buried = bury(&step.folder()).expect("buried");
    assert_eq!(buried.outcome, Outcome::Unknown);
    assert!(!descendants.into_iter().any(lives) && !lives(started.pid), "burying waits for their end");
    assert_eq!(step.status(), StepStatus::Ended { started: Some(started), ended: buried.clone() });
    assert_eq!(bury(&step.folder()).expect("buried already"), buried);
    let again = step.start(&script("true")).expect_err("refused").to_string();
    assert!(again.ends_with("has been started already"), "{again}");
}

#[test]
fn a_step_that_was_buried_before_it_started_never_starts() {
    let step = Step::new();
    let ended = bury(&step.folder()).expect("buried");
    assert_eq!(ended.outcome, Outcome::Void);
    let refused = step.start(&script("true")).expect_err("refused").to_string();
    assert!(refused.ends_with("has been started already"), "{refused}");
}
