//! Answers that nobody reads: they end with the right to them, whatever else is not read, and take no more memory than
//! they may.

use std::path::Path;
use std::time::{Duration, Instant};

use quinn::{Connection, Endpoint, ReadError, RecvStream, SendStream};
use windlass_agent::identity::Identity;
use windlass_coordinator_core::state::{WorkKind, assignment_id};
use windlass_protocol::ids::{AssignmentId, DeploymentId};
use windlass_protocol::message::{Answer, FromAgent, FromCoordinator, PullRequest, Request, SESSION_ALPN};
use windlass_tests::agents::Agent;
use windlass_tests::client::{hello, runtime, session};
use windlass_tests::installation::Installation;
use windlass_tests::journal::{events, field};
use windlass_tests::raw::{self, Caller, frame};
use windlass_workshop::noise;

use super::{GRANT, deploy_project, step_of};

/// Bytes that a stream takes before somebody reads it: less than any answer has that says something.
const WINDOW: u32 = 256;
/// Heartbeats whose answers are more than the control stream takes.
const HEARTBEATS: usize = 600;
/// What the variables of the step have, each.
const VALUE_BYTES: usize = 65_000;
/// Streams of a session beside its control stream.
const STREAMS: u32 = 15;

/// A session in which a test decides what is read.
struct Held {
    _endpoint: Endpoint,
    connection: Connection,
    control: SendStream,
    replies: RecvStream,
}

impl Held {
    async fn open(state: &Path) -> Self {
        let caller = Caller { window: WINDOW, streams: STREAMS * 4, ..Caller::of(state).expect("enrolled") };
        let (endpoint, connection) = caller.connect(SESSION_ALPN).await.expect("connected");
        let (mut control, mut replies) = connection.open_bi().await.expect("a stream");
        control.write_all(&frame(&hello())).await.expect("sent");
        let welcome = raw::read::<FromCoordinator>(&mut replies).await.expect("a welcome");
        assert!(matches!(welcome, FromCoordinator::Welcome(_)));
        Self { _endpoint: endpoint, connection, control, replies }
    }

    /// Asks, and reads no more than that an answer has begun.
    async fn ask(&self, request: &Request) -> RecvStream {
        let (mut question, mut answer) = self.connection.open_bi().await.expect("a stream");
        question.write_all(&frame(request)).await.expect("sent");
        let begun = answer.read_exact(&mut [0; 16]).await;
        assert!(begun.is_ok(), "{} is answered: {begun:?}", request.kind());
        answer
    }

    async fn beat(&mut self) {
        self.control.write_all(&frame(&FromAgent::Heartbeat)).await.expect("sent");
        raw::read::<FromCoordinator>(&mut self.replies).await.expect("an answer");
    }
}

/// Work of a machine whose agent does not run: a package to fetch, and a step whose variables are large.
struct Work {
    _folder: tempfile::TempDir,
    installation: Installation,
    agent: Agent,
    variables: AssignmentId,
    pull: Option<PullRequest>,
}

fn work(variables: usize, with_package: bool) -> Work {
    windlass_trust::install_provider();
    let folder = tempfile::tempdir().expect("a folder");
    let installation = Installation::start(folder.path()).expect("a coordinator");
    let needs = (0..variables).map(|number| format!("V{number}")).collect::<Vec<_>>().join(", ");
    let value = "x".repeat(VALUE_BYTES);
    let values: String =
        (0..variables).map(|number| format!("  V{number}: [{{value: \"{value}\"}}]\n")).collect();
    installation.apply(&format!(
        "kind: environment\nname: Production\n---\nkind: project\nname: Files\n\
         steps: [{{name: Install, roles: [web], package: {{id: large}}}}]\n---\nkind: project\nname: Values\n\
         variables:\n{values}steps: [{{name: Say, roles: [web], needs: [{needs}], script: {{body: 'echo hello'}}}}]\n"
    ));
    let agent = Agent::enrol(&installation, "machine", &GRANT);
    let target = Identity::read(&agent.state()).expect("enrolled").membership.target;
    let id: DeploymentId = deploy_project(&installation, "Values", "1.0.0").parse().expect("an id");
    let step = step_of(&installation, "Values");
    let variables = assignment_id(id, target, WorkKind::Run(step), 1);
    let pull = with_package.then(|| {
        let package = folder.path().join("large.1.0.0.bin");
        std::fs::write(&package, noise(1, 1 << 20)).expect("a file");
        installation.windlass(&["package", "upload", &package.to_string_lossy()]);
        let id: DeploymentId = deploy_project(&installation, "Files", "1.0.0").parse().expect("an id");
        let events = events(&installation.data());
        let uploaded = events.iter().find(|event| event["event"] == "package-uploaded");
        PullRequest {
            assignment: assignment_id(id, target, WorkKind::Fetch, 1),
            manifest: field(&uploaded.expect("it was uploaded")["package"], "manifest")
                .parse()
                .expect("a digest"),
            has_manifest: false,
            holds: Vec::new(),
            complete_files: 0,
            complete_segments: 0,
        }
    });
    Work { _folder: folder, installation, agent, variables, pull }
}

/// Reads what still comes; how many bytes it was, and whether the stream came to its proper end.
async fn rest(stream: &mut RecvStream) -> (usize, bool) {
    let (mut bytes, mut piece) = (0, vec![0; 64 << 10]);
    loop {
        match stream.read(&mut piece).await {
            Ok(Some(came)) => bytes += came,
            Ok(None) => return (bytes, true),
            Err(ReadError::Reset(_) | ReadError::ConnectionLost(_)) => return (bytes, false),
            Err(why) => panic!("{why}"),
        }
    }
}

/// How a right goes.
const WAYS: [(&str, &[&str]); 5] = [
    ("disabled", &["target", "disable", "machine"]),
    ("revoked", &["target", "revoke", "machine"]),
    ("deleted", &["target", "delete", "machine"]),
    ("no longer granted the role", &["target", "scope", "machine", "--role", "other"]),
    ("replaced by a newer session", &[]),
];

#[test]
fn an_answer_ends_with_the_right_to_it_though_nobody_reads_what_else_is_said() {
    let mut wrong = Vec::new();
    for (way, command) in WAYS {
        let work = work(16, true);
        let requests = [
            ("assignments", Request::Assignments { since: None, after: None }),
            ("variables", Request::Variables { assignment: work.variables }),
            ("pull", Request::Pull(work.pull.clone().expect("there is a package"))),
        ];
        runtime().block_on(async {
            let mut held = Held::open(&work.agent.state()).await;
            let mut answers = Vec::new();
            for (kind, request) in &requests {
                answers.push((*kind, held.ask(request).await));
            }
            let beats = frame(&FromAgent::Heartbeat).repeat(HEARTBEATS);
            held.control.write_all(&beats).await.expect("sent");
            // Their answers stand before a stream that nobody reads.
            tokio::time::sleep(Duration::from_millis(800)).await;
            let newer = if command.is_empty() {
                Some(session(&work.agent.state()).await.expect("another session"))
            } else {
                work.installation.windlass(command);
                None
            };
            for (kind, answer) in &mut answers {
                let (bytes, whole) = rest(answer).await;
                if whole || bytes > WINDOW as usize {
                    wrong.push(format!("{way}: {bytes} bytes more of {kind}, to its end: {whole}"));
                }
            }
            drop(newer);
        });
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn resident_mebibytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("what it takes");
    line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).expect("kilobytes") / 1024
}

/// What the answers of one machine may take that reads none of them: two of the largest, and what they are made from.
const MOST_MEBIBYTES: u64 = 40;
/// Who takes nothing off a stream for a minute has gone.
const STALL: Duration = Duration::from_secs(60);

#[test]
fn answers_that_nobody_reads_take_little_memory_and_not_for_ever() {
    let work = work(62, false);
    let process = work.installation.process().expect("it runs");
    runtime().block_on(async {
        let request = Request::Variables { assignment: work.variables };
        // What the making of one takes, it may take again.
        let honest = session(&work.agent.state()).await.expect("a session");
        let answer = honest.link.answer(&request).await.expect("an answer");
        assert!(matches!(answer, Answer::Variables(_)), "who reads gets all of it");
        drop((honest, answer));
        let mut held = Held::open(&work.agent.state()).await;
        let before = resident_mebibytes(process);
        let began = Instant::now();
        let (mut first, _second) = (held.ask(&request).await, held.ask(&request).await);
        let mut waiting = Vec::new();
        for _ in 2..STREAMS {
            let (mut question, answer) = held.connection.open_bi().await.expect("a stream");
            question.write_all(&frame(&request)).await.expect("sent");
            waiting.push((question, answer));
        }
        let (mut most, mut ended) = (0, None);
        while ended.is_none() && began.elapsed() < STALL * 2 {
            held.beat().await;
            most = most.max(resident_mebibytes(process));
            if tokio::time::timeout(Duration::from_secs(1), first.received_reset()).await.is_ok() {
                ended = Some(began.elapsed());
            }
        }
        let ended = ended.expect("an answer that nobody reads ends");
        assert!(ended >= STALL - Duration::from_secs(5), "it ended after {ended:?}");
        assert!(most < before + MOST_MEBIBYTES, "{before} MiB before, and then {most}");
        let mut begun = 0;
        while begun == 0 && began.elapsed() < STALL * 3 {
            for (_, answer) in &mut waiting {
                let mut byte = [0];
                let read = tokio::time::timeout(Duration::from_millis(20), answer.read_exact(&mut byte));
                begun += usize::from(read.await.is_ok_and(|read| read.is_ok()));
            }
        }
        assert!(begun > 0, "its place is another's");
        println!("{before} MiB before, {most} while nobody read; ended after {ended:?}");
        let other = held.ask(&Request::Assignments { since: None, after: None });
        drop(waiting);
        assert!(tokio::time::timeout(STALL, other).await.is_ok(), "who reads is answered");
    });
}
