//! Supervisors that are killed at every point of their lives. Needs the feature `fail-points`; without it, the same
//! run shows that the points are not there.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use windlass_supervisor::{Outcome, StepStatus, bury, output_variables};

use crate::support::{Step, binary, exited, lives, script, wait_for};

/// The points around each durable step, and how it stands with the step after a kill there.
const POINTS: [(&str, After); 6] = [
    ("supervisor-after-fork", After::NotStarted),
    ("supervisor-before-started", After::NotStarted),
    ("supervisor-after-started", After::Lost),
    ("supervisor-after-gate", After::Lost),
    ("supervisor-before-ended", After::Lost),
    ("supervisor-after-ended", After::Ended),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    NotStarted,
    Lost,
    Ended,
}

/// How often the step has run.
fn runs(step: &Step) -> usize {
    fs::read_to_string(step.file("runs")).unwrap_or_default().lines().count()
}

/// Lets an agent start the step with a supervisor that is killed at `point`, and waits until neither is left. Returns
/// how it stands then, and what the supervisor has written about the points that it reached.
fn run(step: &Step, point: Option<&str>) -> (StepStatus, Vec<String>) {
    let log = step.file("points");
    let set = "##windlass[setVariable token='t0k3n' name='VXJs' value='aHR0cDovL2E=' sensitive='RmFsc2U=']";
    let job = script(&format!("echo ran >> {}; echo said; echo \"{set}\"", step.file("runs").display()));
    let mut agent = Command::new(binary());
    agent.arg("start").arg(step.folder()).env("WINDLASS_FAIL_LOG", &log).stdin(Stdio::piped());
    if let Some(point) = point {
        agent.env("WINDLASS_FAIL_POINT", point);
    }
    let mut agent = agent.spawn().expect("it runs");
    agent.stdin.take().expect("asked for").write_all(&job.to_bytes().expect("short")).expect("written");
    agent.wait().expect("it ends");
    let status = wait_for("the supervisor's end", || match step.status() {
        StepStatus::Starting | StepStatus::Running { .. } => None,
        StepStatus::Ended { .. } if windlass_supervisor::stop(&step.folder()).is_ok() => None,
        status => Some(status),
    });
    let points = fs::read_to_string(log).unwrap_or_default().lines().map(str::to_owned).collect();
    (status, points)
}

/// What must hold whenever the supervisor was killed.
fn check_at_most_once(step: &Step, status: &StepStatus, point: &str) {
    let before = runs(step);
    assert!(before <= 1, "{point}: the step ran {before} times");
    match status {
        StepStatus::NotStarted => {
            assert_eq!(before, 0, "{point}");
            let (again, _) = run(step, None);
            assert!(
                matches!(&again, StepStatus::Ended { ended, .. } if ended.outcome == exited(0)),
                "{point}: {again:?}"
            );
            assert_eq!(runs(step), 1, "{point}");
        }
        StepStatus::Lost { started } => {
            let ended = bury(&step.folder()).expect("buried");
            assert_eq!(ended.outcome, Outcome::Unknown, "{point}");
            assert!(!lives(started.pid), "{point}");
            let (again, _) = run(step, None);
            assert_eq!(again, StepStatus::Ended { started: Some(started.clone()), ended }, "{point}");
            assert!(runs(step) <= 1, "{point}");
        }
        StepStatus::Ended { ended, .. } => {
            assert_eq!((&ended.outcome, before), (&exited(0), 1), "{point}");
            assert_eq!(output_variables(&step.folder()).expect("read").len(), 1, "{point}");
            assert_eq!(step.output(), ["Output: said"], "{point}");
        }
        StepStatus::Starting | StepStatus::Running { .. } => panic!("{point}: nobody is left"),
    }
}

#[test]
fn a_supervisor_that_is_killed_around_a_durable_step_leaves_the_right_standing() {
    for (point, expected) in POINTS {
        let step = Step::new();
        let (status, log) = run(&step, Some(point));
        let after = match &status {
            StepStatus::NotStarted => After::NotStarted,
            StepStatus::Lost { .. } => After::Lost,
            _ => After::Ended,
        };
        if cfg!(feature = "fail-points") {
            assert_eq!(log.last(), Some(&format!("killed {point}")));
            assert_eq!(after, expected, "{point}");
        } else {
            assert!(log.is_empty(), "the points are compiled out");
            assert_eq!(after, After::Ended);
        }
        check_at_most_once(&step, &status, point);
    }
}

#[test]
fn a_step_runs_at_most_once_wherever_its_supervisor_is_killed() {
    let (_, log) = run(&Step::new(), None);
    if !cfg!(feature = "fail-points") {
        assert!(log.is_empty(), "the points are compiled out");
        return;
    }
    for (point, _) in POINTS {
        assert!(log.iter().any(|name| name == point), "{point} is not reached");
    }
    for (index, name) in log.iter().enumerate() {
        let count = log[..=index].iter().filter(|earlier| *earlier == name).count();
        let point = format!("{name}:{count}");
        let step = Step::new();
        let (status, reached) = run(&step, Some(&point));
        assert_eq!(reached.last(), Some(&format!("killed {name}")), "{point}");
        check_at_most_once(&step, &status, &point);
    }
}
