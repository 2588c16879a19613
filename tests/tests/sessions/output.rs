//! More output than is kept: the agent is never held up, and who reads it is told how much is not there.

use serde_json::Value;
use windlass_agent::identity::Identity;
use windlass_coordinator_core::state::{WorkKind, assignment_id};
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{AssignmentId, DeploymentId};
use windlass_protocol::message::{
    Answer, Denied, Outcome, OutputLine, OutputStream, Report, ReportKind, Request,
};
use windlass_tests::agents::Agent;
use windlass_tests::client::{Session, runtime, session};
use windlass_tests::installation::Installation;
use windlass_tests::journal::field;

use super::{deploy, deploy_project, enrolled, installation, step_of};

/// Lines in one request, each as long as a line may be.
const AT_ONCE: u64 = 60;
const LINE_BYTES: usize = 32 << 10;
/// Together they are more than the coordinator keeps of one step, 144 MiB.
const REQUESTS: u64 = 80;
const LINES: u64 = REQUESTS * AT_ONCE;
/// What it keeps of one step, in lines.
const KEPT_OF_STEP: u64 = (144 << 20) / LINE_BYTES as u64;
/// What it keeps altogether, in lines.
const KEPT_OF_ALL: u64 = (16 << 20) / LINE_BYTES as u64;

/// Sends lines as an agent without a cap of its own would, and then that the step has succeeded.
async fn flood(session: &Session, assignment: AssignmentId) {
    let line = |number: u64| OutputLine {
        time: Timestamp::from_milliseconds(1_700_000_000_000),
        stream: OutputStream::Out,
        text: format!("{number:>width$}", width = LINE_BYTES),
    };
    for first in (1..=LINES).step_by(AT_ONCE as usize) {
        let lines = (first..first + AT_ONCE).map(line).collect();
        let answer = session.link.answer(&Request::Output { assignment, first, lines }).await;
        let Ok(Answer::Output { next }) = answer else { panic!("{first}: output is always taken") };
        assert_eq!(next, first + AT_ONCE, "also lines that are not kept are acknowledged");
    }
    let ended = ReportKind::Ended { outcome: Outcome::Succeeded, variables: Vec::new(), lines: LINES };
    for kind in [ReportKind::Started, ended] {
        let report = Request::Report(vec![Report { assignment, kind }]);
        assert!(matches!(session.link.answer(&report).await, Ok(Answer::Reported)));
    }
}

/// Whether a number is what is expected, but for what a segment of the files more or less is.
fn about(number: u64, expected: u64) -> bool {
    number.abs_diff(expected) <= (9 << 20) / LINE_BYTES as u64
}

#[test]
fn output_beyond_the_limits_is_acknowledged_counted_and_said_to_be_missing() {
    let (_folder, installation) = installation("output-limit = \"16MiB\"\n", "script: {body: 'echo hello'}");
    let agent = enrolled(&installation, "machine");
    let id: DeploymentId = deploy(&installation, "1.0.0").parse().expect("an id");
    let target = Identity::read(&agent.state()).expect("enrolled").membership.target;
    let assignment = assignment_id(id, target, WorkKind::Run(step_of(&installation, "Website")), 1);
    runtime().block_on(async {
        let session = session(&agent.state()).await.expect("a session");
        flood(&session, assignment).await;
    });
    let id = id.to_string();
    let logs = installation.json(&["deployment", "logs", &id]);
    let items = logs["items"].as_array().expect("a list");
    let [removed, .., left_out] = &items[..] else { panic!("{} lines", items.len()) };
    let count = |line: &Value| line["missing"].as_u64().expect("it stands for lines that are missing");
    assert!(
        field(removed, "text")
            .ends_with("lines were removed: only the newest output of all deployments is kept")
    );
    assert!(
        field(left_out, "text")
            .ends_with("lines were left out: the step printed more than is kept of one step")
    );
    assert!(about(count(left_out), LINES - KEPT_OF_STEP), "{}", count(left_out));
    let there = items.len() as u64 - 2;
    assert!(about(there, KEPT_OF_ALL), "{there}");
    assert_eq!(count(removed) + there + count(left_out), LINES, "every line is accounted for");
    for (number, line) in (count(removed) + 1..).zip(&items[1..items.len() - 1]) {
        assert_eq!((line["number"].as_u64(), &line["missing"]), (Some(number), &Value::Null));
        assert_eq!(field(line, "text").trim_start(), number.to_string());
    }
    let followed = installation.windlass(&["deployment", "logs", &id, "--follow"]);
    let notes: Vec<_> = followed.lines().filter(|line| line.contains(" Install # ")).collect();
    assert_eq!(followed.lines().count(), items.len());
    let text = |line: &Value| format!(" machine Install # {}", field(line, "text"));
    assert!(notes.len() == 2 && notes[0].ends_with(&text(removed)) && notes[1].ends_with(&text(left_out)));
}

/// The step of a new deployment of a project, as the assignment of a machine.
fn assigned(
    installation: &Installation,
    agent: &Agent,
    project: &str,
    version: &str,
) -> (String, AssignmentId) {
    let id = deploy_project(installation, project, version);
    let target = Identity::read(&agent.state()).expect("enrolled").membership.target;
    let step = WorkKind::Run(step_of(installation, project));
    let assignment = assignment_id(id.parse().expect("an id"), target, step, 1);
    (id, assignment)
}

async fn end(session: &Session, assignment: AssignmentId, lines: u64) {
    let kind = ReportKind::Ended { outcome: Outcome::Succeeded, variables: Vec::new(), lines };
    let answer = session.link.answer(&Request::Report(vec![Report { assignment, kind }])).await;
    assert!(matches!(answer, Ok(Answer::Reported)));
}

#[test]
fn what_one_machine_prints_takes_no_room_from_anothers_output() {
    let (_folder, installation) = installation("output-limit = \"16MiB\"\n", "script: {body: 'echo hello'}");
    installation.apply(
        "kind: project\nname: Other\nsteps: [{name: Install, roles: [other], script: {body: 'echo hello'}}]\n",
    );
    let quiet = Agent::enrol(&installation, "quiet", &["--environment", "Production", "--role", "other"]);
    let loud = enrolled(&installation, "loud");
    let (id, its_step) = assigned(&installation, &quiet, "Other", "1.0.0");
    let (ended, ended_step) = assigned(&installation, &loud, "Website", "1.0.0");
    let line =
        |text: String| OutputLine { time: Timestamp::from_milliseconds(0), stream: OutputStream::Out, text };
    let output = |assignment, first, lines| Request::Output { assignment, first, lines };
    runtime().block_on(async {
        let session = session(&quiet.state()).await.expect("a session");
        let lines = vec![line("all that it\nprinted".to_owned())];
        let answer = session.link.answer(&output(its_step, 1, lines)).await;
        assert!(matches!(answer, Ok(Answer::Output { next: 2 })));
        end(&session, its_step, 1).await;
    });
    let logs = || installation.windlass(&["deployment", "logs", &id]);
    let before = logs();
    assert!(before.contains("Install | all that it") && before.lines().count() == 1, "{before}");
    runtime().block_on(async {
        let session = session(&loud.state()).await.expect("a session");
        let lines = |count| vec![line("\u{1}".repeat(LINE_BYTES)); count];
        let next = |answer| match answer {
            Ok(Answer::Output { next }) => next,
            Ok(Answer::Denied(denied)) => panic!("denied: {denied:?}"),
            _ => panic!("no answer"),
        };
        assert_eq!(next(session.link.answer(&output(ended_step, 1, lines(2))).await), 3);
        end(&session, ended_step, 3).await;
        assert_eq!(
            next(session.link.answer(&output(ended_step, 3, lines(1))).await),
            4,
            "it has three lines"
        );
        let more = session.link.answer(&output(ended_step, 4, lines(1))).await;
        assert!(matches!(more, Ok(Answer::Denied(Denied::Malformed))), "and no more than it said");
        let (_, runs) = tokio::task::block_in_place(|| assigned(&installation, &loud, "Website", "1.0.1"));
        for first in (1..=400).step_by(40) {
            assert_eq!(next(session.link.answer(&output(runs, first, lines(40))).await), first + 40);
        }
    });
    assert_eq!(logs(), before, "the quiet machine's line is where it was");
    let logs = installation.windlass(&["deployment", "logs", &ended]);
    assert!(logs.contains("3 lines were removed"), "the loud one's oldest lines made room: {logs}");
}
