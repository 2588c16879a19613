//! Many pulls and few turns: who reads slowly keeps nobody waiting, and loses nothing.

use std::time::Duration;

use quinn::{Connection, Endpoint, RecvStream, SendStream};
use windlass_agent::identity::Identity;
use windlass_coordinator_core::state::{WorkKind, assignment_id};
use windlass_protocol::ids::DeploymentId;
use windlass_protocol::message::{Answer, FromCoordinator, PullRequest, Request, SESSION_ALPN};
use windlass_tests::agents::Agent;
use windlass_tests::client::{hello, runtime};
use windlass_tests::installation::Installation;
use windlass_tests::journal::{events, field};
use windlass_tests::raw::{self, Caller, frame};
use windlass_workshop::noise;

use super::{deploy, enrolled, installation};

/// Bytes of the package: they do not compress, and are more than any window holds.
const PACKAGE: usize = 12 << 20;
const WINDOW: u32 = 128 << 10;
/// The slow reader takes a byte that often, far less than a link needs to count as quick.
const TRICKLE: Duration = Duration::from_millis(500);
/// More than the two windows of time that a slow pull may take to be found out.
const PATIENCE: Duration = Duration::from_secs(120);

/// A session of a machine's own, on which a pull was asked for.
struct Pull {
    endpoint: Endpoint,
    connection: Connection,
    _control: (SendStream, RecvStream),
    stream: RecvStream,
}

impl Pull {
    async fn begin(agent: &Agent, request: &PullRequest) -> Self {
        let caller = Caller { window: WINDOW, ..Caller::of(&agent.state()).expect("enrolled") };
        let (endpoint, connection) = caller.connect(SESSION_ALPN).await.expect("connected");
        let (mut control, mut replies) = connection.open_bi().await.expect("a stream");
        control.write_all(&frame(&hello())).await.expect("sent");
        let welcome = raw::read::<FromCoordinator>(&mut replies).await.expect("a welcome");
        assert!(matches!(welcome, FromCoordinator::Welcome(_)));
        let stream = ask(&connection, request).await;
        Self { endpoint, connection, _control: (control, replies), stream }
    }

    /// Reads everything; how many bytes it was.
    async fn drain(&mut self) -> usize {
        let mut bytes = 0;
        let mut piece = vec![0; 64 << 10];
        while let Some(came) = self.stream.read(&mut piece).await.expect("the stream comes to its proper end")
        {
            bytes += came;
        }
        bytes
    }
}

async fn ask(connection: &Connection, request: &PullRequest) -> RecvStream {
    let (mut question, stream) = connection.open_bi().await.expect("a stream");
    question.write_all(&frame(&Request::Pull(request.clone()))).await.expect("sent");
    stream
}

/// Two machines that are to fetch one package, each with what it asks for, of a coordinator with one turn.
fn scene() -> (tempfile::TempDir, Installation, [Agent; 2], [PullRequest; 2]) {
    let (folder, installation) = installation("pulls-at-once = 1\n", "package: {id: large}");
    let package = folder.path().join("large.1.0.0.bin");
    std::fs::write(&package, noise(1, PACKAGE)).expect("a file");
    installation.windlass(&["package", "upload", &package.to_string_lossy()]);
    let agents = ["slow", "quick"].map(|name| enrolled(&installation, name));
    let id: DeploymentId = deploy(&installation, "1.0.0").parse().expect("an id");
    let events = events(&installation.data());
    let uploaded = events.iter().find(|event| event["event"] == "package-uploaded").expect("it was uploaded");
    let manifest = field(&uploaded["package"], "manifest").parse().expect("a digest");
    let requests = agents.each_ref().map(|agent| {
        let target = Identity::read(&agent.state()).expect("enrolled").membership.target;
        PullRequest {
            assignment: assignment_id(id, target, WorkKind::Fetch, 1),
            manifest,
            has_manifest: false,
            holds: Vec::new(),
            complete_files: 0,
            complete_segments: 0,
        }
    });
    (folder, installation, agents, requests)
}

#[test]
fn the_pulls_of_who_has_gone_wait_no_longer() {
    let (_folder, _installation, agents, [slow, quick]) = scene();
    runtime().block_on(async {
        let mut first = Pull::begin(&agents[0], &slow).await;
        first.stream.read_exact(&mut [0; 1]).await.expect("the only turn is taken");
        let gone = Pull::begin(&agents[1], &quick).await;
        let mut waiting = Vec::new();
        for _ in 0..3 {
            waiting.push(ask(&gone.connection, &quick).await);
        }
        let mut one_more = ask(&gone.connection, &quick).await;
        // One of them is one too many, and is answered: the others wait by then.
        let _ = raw::read::<Answer>(&mut one_more).await;
        gone.connection.close(0u8.into(), b"the machine was started anew");
        gone.endpoint.wait_idle().await;
        drop((gone, waiting));
        let mut again = Pull::begin(&agents[1], &quick).await;
        let answer = raw::read::<Answer>(&mut again.stream).await.expect("an answer");
        assert!(matches!(answer, Answer::Pull(_)), "it waits for its turn, and is not one of too many");
    });
}

#[test]
fn a_pull_is_in_the_record_before_a_byte_of_it_leaves_whatever_happens_then() {
    let (_folder, mut installation, agents, [slow, _]) = scene();
    let told = |installation: &Installation, kind: &str| -> Vec<serde_json::Value> {
        events(&installation.data()).into_iter().filter(|event| event["event"] == kind).collect()
    };
    runtime().block_on(async {
        let mut pull = Pull::begin(&agents[0], &slow).await;
        pull.stream.read_exact(&mut [0; 1]).await.expect("it begins");
        installation.kill();
    });
    let begun = told(&installation, "pull-begun");
    assert_eq!(begun.len(), 1, "what has begun to leave stands in the record");
    assert_eq!(begun[0]["names"], serde_json::json!(["large 1.0.0"]));
    assert_eq!(begun[0]["manifest"].as_str(), Some(slow.manifest.to_string().as_str()));
    assert_eq!(begun[0]["bytes"], PACKAGE);
    assert_eq!(told(&installation, "package-pulled").len(), 0, "and that it came whole does not");
    installation.serve().expect("it starts again");
    let list = |what: &[&str], list: &str| installation.json(what)[list].as_array().expect("a list").clone();
    let pulled = list(&["audit", "pulled", "--target", "slow"], "items");
    assert_eq!(pulled.iter().map(|item| field(item, "kind")).collect::<Vec<_>>(), ["package-begun"]);
    assert!(list(&["audit", "what-can", "slow"], "holds").is_empty());
    runtime().block_on(async {
        Pull::begin(&agents[0], &slow).await.drain().await;
    });
    let ends = ["pull-begun", "package-pulled"].map(|kind| told(&installation, kind).len());
    assert_eq!(ends, [1, 1], "begun once, and now it came whole");
    assert_eq!(list(&["audit", "what-can", "slow"], "holds").len(), 1);
}

#[test]
fn a_slow_reader_gives_its_turn_to_who_waits_and_goes_on_without_losing_anything() {
    let (_folder, _installation, agents, [slow, quick]) = scene();
    runtime().block_on(async {
        let mut first = Pull::begin(&agents[0], &slow).await;
        let mut read = vec![0; 1];
        first.stream.read_exact(&mut read).await.expect("the only turn is taken");
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let trickling = tokio::spawn(async move {
            tokio::pin!(stopped);
            let mut bytes = 1;
            loop {
                tokio::select! {
                    _ = &mut stopped => return (first, bytes),
                    () = tokio::time::sleep(TRICKLE) => {
                        let mut byte = [0];
                        first.stream.read_exact(&mut byte).await.expect("it is not cut off");
                        bytes += 1;
                    }
                }
            }
        });
        let whole = async {
            let mut second = Pull::begin(&agents[1], &quick).await;
            let answer = second.stream.read_exact(&mut read).await;
            answer.expect("a turn comes, though the first one goes on");
            1 + second.drain().await
        };
        let whole = tokio::time::timeout(PATIENCE, whole).await.expect("the slow reader keeps the turn");
        stop.send(()).expect("it still reads");
        let (mut first, bytes) = trickling.await.expect("no panic");
        let rest = tokio::time::timeout(PATIENCE, first.drain()).await.expect("it comes to its end");
        assert!(whole > PACKAGE && bytes < PACKAGE / 2, "{whole} {bytes}");
        assert_eq!(bytes + rest, whole, "the slow one gets the whole package in the same stream");
        let mut again = Pull::begin(&agents[0], &slow).await;
        let answer = raw::read::<Answer>(&mut again.stream).await.expect("an answer");
        assert!(matches!(answer, Answer::Pull(_)), "its turns are its own again");
    });
}
