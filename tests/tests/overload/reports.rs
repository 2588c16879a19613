//! What a machine reports keeps no other waiting, goes on no longer than its session, and does not fill the log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use windlass_agent::identity::Identity;
use windlass_coordinator_core::state::{WorkKind, assignment_id};
use windlass_protocol::ids::{AssignmentId, StepId};
use windlass_protocol::limits::{OUTPUT_VARIABLES, REPORTS, STEP_LINES};
use windlass_protocol::message::{
    Answer, Denied, FromAgent, FromCoordinator, OUTPUT_PURPOSE, Outcome, OutputVariable, OutputVariableValue,
    Report, ReportKind, Request, SESSION_ALPN,
};
use windlass_tests::agents::Agent;
use windlass_tests::client::{Session, hello, runtime, session};
use windlass_tests::installation::Installation;
use windlass_tests::journal::{events, field};
use windlass_tests::raw::{self, Caller, body, frame};

use super::{GRANT, installation};

/// Requests that one session may have under way.
const REQUESTS: usize = 16;
/// Reports of 200 sealed values that fit one request.
const FULL: usize = 170;
/// What is small for others, on a machine that is busy.
pub(super) const SOON: Duration = Duration::from_secs(2);

/// A machine with the one step of a deployment to run, whose agent does not run.
fn machine_with_work(installation: &Installation) -> (Agent, AssignmentId) {
    let agent = Agent::enrol(installation, "greedy", &GRANT);
    installation.windlass(&["release", "create", "--project", "Website", "--version", "1.0.0"]);
    let what = ["release", "deploy", "--project", "Website", "--version", "1.0.0"];
    let answer = installation.json(&[&what[..], &["--environment", "Production"]].concat());
    let deployment = field(&answer["deployments"][0], "id").parse().expect("an id");
    let step = |event: &serde_json::Value| {
        event["definition"]["project"]["steps"][0]["id"]
            .as_str()
            .map(|id| id.parse::<StepId>().expect("an id"))
    };
    let step = events(&installation.data()).iter().find_map(step).expect("the project has a step");
    let target = Identity::read(&agent.state()).expect("enrolled").membership.target;
    (agent, assignment_id(deployment, target, WorkKind::Run(step), 1))
}

fn ended(assignment: AssignmentId, variables: Vec<OutputVariable>, lines: u64) -> Report {
    Report { assignment, kind: ReportKind::Ended { outcome: Outcome::Succeeded, variables, lines } }
}

/// As many sealed values as a step may set, all of them one ciphertext.
fn sealed(agent: &Agent) -> Vec<OutputVariable> {
    let membership = Identity::read(&agent.state()).expect("enrolled").membership;
    let sealed = windlass_trust::seal(membership.sealing_key.as_bytes(), b"x", OUTPUT_PURPOSE);
    let sealed = sealed.expect("it is sealed");
    let value = OutputVariableValue::Sealed([sealed.encapsulated, sealed.ciphertext].concat());
    (0..OUTPUT_VARIABLES)
        .map(|number| OutputVariable { name: format!("V{number}"), value: value.clone() })
        .collect()
}

/// A session of a machine on which a test writes what it likes.
async fn connected(agent: &Agent) -> (quinn::Endpoint, quinn::Connection) {
    let caller = Caller::of(&agent.state()).expect("enrolled");
    let (endpoint, connection) = caller.connect(SESSION_ALPN).await.expect("connected");
    let (mut control, mut replies) = connection.open_bi().await.expect("a stream");
    control.write_all(&frame(&hello())).await.expect("sent");
    raw::read::<FromCoordinator>(&mut replies).await.expect("a welcome");
    // As long as the connection.
    tokio::spawn(async move { (control.stopped().await.ok(), replies) });
    (endpoint, connection)
}

/// Asks what was written down before, which costs a test hardly anything.
async fn ask(connection: &quinn::Connection, request: &[u8]) -> anyhow::Result<Answer> {
    let (mut question, mut answer) = connection.open_bi().await?;
    question.write_all(request).await?;
    question.finish()?;
    raw::read(&mut answer).await
}

/// How long the longest of some heartbeats and requests of a machine took to be answered.
pub(super) async fn longest_answer(session: &mut Session) -> Duration {
    let (begun, mut longest) = (Instant::now(), Duration::ZERO);
    while begun.elapsed() < Duration::from_secs(3) {
        let asked = Instant::now();
        let answered = async {
            session.control.say(&FromAgent::Heartbeat).await.expect("said");
            while !matches!(session.replies.next().await.expect("a reply"), FromCoordinator::Alive { .. }) {}
            let request = Request::Assignments { since: None, after: None };
            session.link.answer(&request).await.expect("an answer")
        };
        let answer = timeout(Duration::from_secs(20), answered).await;
        longest = longest.max(asked.elapsed());
        assert!(matches!(answer, Ok(Answer::Assignments(_))), "nothing within {longest:?}");
        sleep(Duration::from_millis(20)).await;
    }
    longest
}

/// Processor time that a process has had.
pub(super) fn processor_time(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("a process");
    let after_name = stat.rsplit_once(") ").expect("a name").1;
    let ticks = after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number"));
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

#[test]
fn what_one_machine_reports_keeps_no_other_waiting_and_ends_with_its_session() {
    let (_folder, installation) = installation("");
    let (greedy, assignment) = machine_with_work(&installation);
    let other = Agent::enrol(&installation, "other", &GRANT);
    let variables = sealed(&greedy);
    runtime().block_on(async {
        let mut honest = session(&other.state()).await.expect("a session");
        // More than an agent sends at once; and no more than that, again and again, of what is known already.
        for (reports, times, expected) in
            [(FULL, 1, Answer::Denied(Denied::Malformed)), (1, 100, Answer::Reported)]
        {
            let request = Request::Report(vec![ended(assignment, variables.clone(), 0); reports]);
            let (request, expected) = (Arc::new(frame(&request)), Arc::new(expected));
            let (_endpoint, connection) = connected(&greedy).await;
            let mut asking = JoinSet::new();
            for _ in 0..REQUESTS {
                let (connection, request) = (connection.clone(), Arc::clone(&request));
                let expected = Arc::clone(&expected);
                asking.spawn(async move {
                    for _ in 0..times {
                        let Ok(answer) = ask(&connection, &request).await else { return };
                        assert_eq!(body(&answer), body(&*expected));
                    }
                });
            }
            let longest = longest_answer(&mut honest).await;
            assert!(longest < SOON, "{reports} reports a request: an answer took {longest:?}");
            connection.close(0_u32.into(), b"");
            while let Some(asked) = asking.join_next().await {
                asked.expect("each answer is the right one");
            }
            sleep(Duration::from_secs(1)).await;
            let process = installation.process().expect("it runs");
            let before = processor_time(process);
            sleep(Duration::from_secs(2)).await;
            let busy = processor_time(process) - before;
            assert!(busy < Duration::from_millis(500), "{reports} reports a request: {busy:?} for nobody");
        }
    });
}

#[test]
fn what_a_machine_reports_wrong_is_a_line_of_the_log_now_and_then() {
    let (_folder, installation) = installation("");
    let (agent, assignment) = machine_with_work(&installation);
    let log = || std::fs::metadata(installation.folder.join("coordinator.log")).expect("a log").len();
    let before = log();
    runtime().block_on(async {
        let session = session(&agent.state()).await.expect("a session");
        let wrong = Request::Report(vec![ended(assignment, Vec::new(), STEP_LINES + 1); REPORTS]);
        for _ in 0..REQUESTS {
            assert!(matches!(session.link.answer(&wrong).await, Ok(Answer::Reported)));
        }
        session.link.close();
    });
    let grown = log() - before;
    assert!(grown < 16 << 10, "{grown} bytes were written into the log");
}
