//! More output than is kept: the agent is never held up, and who reads it is told how much is not there.

use serde_json::Value;
use windlass_agent::identity::Identity;
use windlass_coordinator_core::state::{WorkKind, assignment_id};
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{AssignmentId, DeploymentId, StepId};
use windlass_protocol::message::{Answer, Outcome, OutputLine, OutputStream, Report, ReportKind, Request};
use windlass_tests::client::{Session, runtime, session};
use windlass_tests::journal::{events, field};

use super::{deploy, enrolled, installation};

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
    let events = events(&installation.data());
    let step = events.iter().find_map(|event| event["definition"]["project"]["steps"][0]["id"].as_str());
    let step: StepId = step.expect("the project has a step").parse().expect("an id");
    let assignment = assignment_id(id, target, WorkKind::Run(step), 1);
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
