//! What one agent asks again and again: it is answered, each time is in the journal, and the journal does not grow by it.

use serde_json::Value;
use windlass_agent::identity::Identity;
use windlass_coordinator_core::state::{WorkKind, assignment_id};
use windlass_protocol::ids::{AssignmentId, DeploymentId};
use windlass_protocol::message::{
    Advertised, Answer, Denied, FromCoordinator, Goodbye, Hello, PullRequest, Report, ReportKind, Request,
    SESSION_ALPN,
};
use windlass_tests::agents::Agent;
use windlass_tests::client::{connect, hello, runtime, session};
use windlass_tests::installation::{Installation, wait_until};
use windlass_tests::journal::{events, field};
use windlass_tests::raw::{self, Caller, frame};
use windlass_workshop::noise;

use super::{deploy, enrolled, installation};

const SCRIPT: &str = "script: {body: 'echo hello'}";
const TIMES: u64 = 40;
/// Bytes of a package that does not fit what a reader takes before it has read: its pull can be broken.
const PACKAGE: usize = 4 << 20;

fn of_kind(installation: &Installation, kind: &str) -> Vec<Value> {
    events(&installation.data()).into_iter().filter(|event| event["event"] == kind).collect()
}

fn counted(installation: &Installation, kind: &str) -> u64 {
    of_kind(installation, kind).iter().filter_map(|event| event["count"].as_u64()).sum()
}

/// The work of a machine whose agent does not run: one assignment.
fn waiting(installation: &Installation, agent: &Agent, kind: WorkKind) -> AssignmentId {
    let id: DeploymentId = deploy(installation, "1.0.0").parse().expect("an id");
    let target = Identity::read(&agent.state()).expect("enrolled").membership.target;
    assignment_id(id, target, kind, 1)
}

fn only_step(installation: &Installation) -> WorkKind {
    let events = events(&installation.data());
    let step = events.iter().find_map(|event| event["definition"]["project"]["steps"][0]["id"].as_str());
    WorkKind::Run(step.expect("a step").parse().expect("an id"))
}

#[test]
fn variables_that_are_read_again_are_counted_and_a_stopping_coordinator_forgets_no_count() {
    let (_folder, mut installation) = installation("", SCRIPT);
    let agent = enrolled(&installation, "machine");
    let assignment = waiting(&installation, &agent, only_step(&installation));
    runtime().block_on(async {
        let session = session(&agent.state()).await.expect("a session");
        for _ in 0..TIMES {
            let answer = session.link.answer(&Request::Variables { assignment }).await.expect("an answer");
            assert!(matches!(answer, Answer::Variables(_)), "it is its own");
        }
        session.link.close();
    });
    assert_eq!(of_kind(&installation, "variables-read").len(), 1);
    // Nobody waits for the next period: what was counted is recorded before the end.
    assert!(installation.stop(), "it ends well");
    assert_eq!(counted(&installation, "read-again"), TIMES - 1);
    let again = of_kind(&installation, "read-again");
    assert!(again.len() <= 2, "{again:?}");
    for event in &again {
        assert!(event["first"].as_i64() <= event["last"].as_i64(), "{event}");
        assert_eq!(event["digest"], of_kind(&installation, "variables-read")[0]["digest"]);
    }
    installation.serve().expect("it starts again");
    let pulled = installation.json(&["audit", "pulled", "--target", "machine"]);
    let items = pulled["items"].as_array().expect("a list");
    let times = |kind: &str| -> u64 {
        items.iter().filter(|item| item["kind"] == kind).filter_map(|item| item["times"].as_u64()).sum()
    };
    assert_eq!((times("variables"), times("variables-again")), (1, TIMES - 1), "{pulled}");
}

/// Pulls a package, to its end or only the beginning of it.
async fn pull(agent: &Agent, request: &PullRequest, whole: bool) {
    let caller = Caller { window: 64 << 10, ..Caller::of(&agent.state()).expect("enrolled") };
    let (_endpoint, connection) = caller.connect(SESSION_ALPN).await.expect("connected");
    let (mut control, mut replies) = connection.open_bi().await.expect("a stream");
    control.write_all(&frame(&hello())).await.expect("sent");
    raw::read::<FromCoordinator>(&mut replies).await.expect("a welcome");
    let (mut question, mut stream) = connection.open_bi().await.expect("a stream");
    question.write_all(&frame(&Request::Pull(request.clone()))).await.expect("sent");
    let answer = raw::read::<Answer>(&mut stream).await.expect("an answer");
    assert!(matches!(answer, Answer::Pull(_)), "it is its own");
    if whole {
        stream.read_to_end(2 * PACKAGE).await.expect("the whole package");
    } else {
        stream.read_exact(&mut [0; 1024]).await.expect("its beginning");
        stream.stop(quinn::VarInt::from_u32(0)).expect("it is open");
    }
}

#[test]
fn pulls_are_recorded_once_counted_when_they_come_again_and_known_when_they_are_broken() {
    let (folder, mut installation) = installation("", "package: {id: large}");
    let package = folder.path().join("large.1.0.0.bin");
    std::fs::write(&package, noise(1, PACKAGE)).expect("a file");
    installation.windlass(&["package", "upload", &package.to_string_lossy()]);
    let agent = enrolled(&installation, "machine");
    let assignment = waiting(&installation, &agent, WorkKind::Fetch);
    let uploaded = of_kind(&installation, "package-uploaded");
    let request = PullRequest {
        assignment,
        manifest: field(&uploaded[0]["package"], "manifest").parse().expect("a digest"),
        has_manifest: false,
        holds: Vec::new(),
        complete_files: 0,
        complete_segments: 0,
    };
    let runtime = runtime();
    runtime.block_on(pull(&agent, &request, false));
    wait_until("the count of what was broken off", || counted(&installation, "pull-broken") == 1);
    runtime.block_on(async {
        for _ in 0..3 {
            pull(&agent, &request, true).await;
        }
    });
    assert!(installation.stop(), "it ends well");
    assert_eq!((counted(&installation, "pull-broken"), counted(&installation, "read-again")), (1, 2));
    assert_eq!(["pull-begun", "package-pulled"].map(|kind| of_kind(&installation, kind).len()), [1, 1]);
    let broken = of_kind(&installation, "pull-broken")[0]["bytes"].as_u64().expect("bytes");
    assert!((1024..PACKAGE as u64).contains(&broken), "{broken} bytes left");
}

#[test]
fn a_certificate_that_is_not_due_is_not_renewed() {
    let (_folder, installation) = installation("", SCRIPT);
    let agent = enrolled(&installation, "machine");
    let identity = Identity::read(&agent.state()).expect("enrolled");
    runtime().block_on(async {
        let session = session(&agent.state()).await.expect("a session");
        assert!(!session.welcome.renew);
        let request = Request::Renew { request: identity.renewal_request().expect("a request") };
        for _ in 0..3 {
            let answer = session.link.answer(&request).await.expect("an answer");
            assert!(matches!(answer, Answer::Denied(Denied::NotFound)));
        }
    });
    assert_eq!(of_kind(&installation, "certificate-renewed"), [Value::Null; 0]);
}

/// Says hello, and hears whether the session stands.
async fn greet(agent: &Agent, hello: &Hello) -> FromCoordinator {
    tokio::time::sleep(super::PAUSE).await;
    let link = connect(&agent.state()).await.expect("connected");
    let (_control, mut replies) = link.hello(hello).await.expect("sent");
    let answer = replies.next().await.expect("an answer");
    link.close();
    answer
}

#[test]
fn a_machine_that_says_something_else_of_itself_each_time_is_sent_away_and_what_it_said_before_stands() {
    let (_folder, installation) = installation("", SCRIPT);
    let agent = enrolled(&installation, "machine");
    let said = |role: u64| {
        let roles = Some(vec![format!("role-{role}")]);
        Hello { advertised: Advertised { roles, ..Advertised::default() }, ..hello() }
    };
    runtime().block_on(async {
        let mut last = None;
        for role in 0..TIMES {
            match greet(&agent, &said(role)).await {
                FromCoordinator::Welcome(_) => last = Some(role),
                goodbye => assert_eq!(goodbye, FromCoordinator::Goodbye(Goodbye::TooOften)),
            }
        }
        let last = last.expect("the first ones are taken");
        assert!(last < TIMES - 1, "not all are taken");
        let log = std::fs::read_to_string(installation.folder.join("coordinator.log")).expect("a log");
        let told = log.matches("something else of itself").count() as u64;
        assert!(told < TIMES - 1 - last, "each of the {told} who were sent away is a line of the log");
        // Enrolling it told the first advertisement.
        let recorded = of_kind(&installation, "target-advertised").len() as u64;
        assert!((last + 1..=last + 2).contains(&recorded), "{recorded} for {last}");
        let again = greet(&agent, &said(last)).await;
        assert!(matches!(again, FromCoordinator::Welcome(_)), "what is recorded may be said: {again:?}");
    });
}

#[test]
fn a_step_that_had_started_and_that_the_machine_holds_no_more_is_of_unknown_outcome() {
    let (_folder, installation) = installation("", SCRIPT);
    let agent = enrolled(&installation, "machine");
    let assignment = waiting(&installation, &agent, only_step(&installation));
    let state = || {
        let list = installation.json(&["deployment", "list"]);
        field(&list["items"][0], "state").to_owned()
    };
    runtime().block_on(async {
        let before = session(&agent.state()).await.expect("a session");
        let started = Request::Report(vec![Report { assignment, kind: ReportKind::Started }]);
        assert!(matches!(before.link.answer(&started).await, Ok(Answer::Reported)));
        before.link.close();
        let holding = Hello { unfinished: vec![assignment], ..hello() };
        greet(&agent, &holding).await;
        assert_eq!(state(), "running", "what it holds goes on");
        greet(&agent, &hello()).await;
        assert_eq!(state(), "failed");
    });
    let ended = of_kind(&installation, "run-ended");
    assert_eq!(ended.len(), 1);
    assert!(ended[0]["end"]["outcome"].to_string().to_lowercase().contains("unknown"), "{}", ended[0]);
}
