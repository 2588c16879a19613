//! A target that is disabled, revoked or no longer granted gets nothing more, at once.

use quinn::RecvStream;
use windlass_agent::identity::Identity;
use windlass_coordinator_core::state::{WorkKind, assignment_id};
use windlass_protocol::ids::DeploymentId;
use windlass_protocol::message::{Answer, FromCoordinator, Goodbye, PullRequest, Request, SESSION_ALPN};
use windlass_tests::agents::{Agent, wait_for_presence};
use windlass_tests::client::{hello, runtime, session};
use windlass_tests::installation::{Installation, wait_until};
use windlass_tests::journal::{events, field};
use windlass_tests::raw::{self, Caller, body, frame};
use windlass_workshop::noise;

use super::{deploy, enrolled, installation};

/// Bytes of the package: they do not compress, so as many travel.
const PACKAGE: usize = 24 << 20;
/// Bytes that may be on their way before the reader asks for more.
const WINDOW: u32 = 256 << 10;
/// Bytes that the reader reads before the right is withdrawn.
const BEFORE: usize = 1 << 20;
/// What the reader may still find: what was in its own window, and the answer's frames.
const IN_FLIGHT: usize = WINDOW as usize + (64 << 10);

/// An installation with a deployment whose only target waits for its package.
fn waiting() -> (tempfile::TempDir, Installation, Agent, PullRequest) {
    let (folder, installation) = installation("", "package: {id: large}");
    let package = folder.path().join("large.1.0.0.bin");
    std::fs::write(&package, noise(1, PACKAGE)).expect("a file");
    installation.windlass(&["package", "upload", &package.to_string_lossy()]);
    let agent = enrolled(&installation, "machine");
    let id: DeploymentId = deploy(&installation, "1.0.0").parse().expect("an id");
    let target = Identity::read(&agent.state()).expect("enrolled").membership.target;
    let events = events(&installation.data());
    let uploaded = events.iter().find(|event| event["event"] == "package-uploaded").expect("it was uploaded");
    let request = PullRequest {
        assignment: assignment_id(id, target, WorkKind::Fetch, 1),
        manifest: field(&uploaded["package"], "manifest").parse().expect("a digest"),
        has_manifest: false,
        holds: Vec::new(),
        complete_files: 0,
        complete_segments: 0,
    };
    (folder, installation, agent, request)
}

/// Reads as long as something comes; how much it was, and whether the stream came to its proper end.
async fn drain(stream: &mut RecvStream) -> (usize, bool) {
    let mut bytes = 0;
    let mut piece = vec![0; 16 << 10];
    loop {
        match stream.read(&mut piece).await {
            Ok(Some(came)) => bytes += came,
            Ok(None) => return (bytes, true),
            Err(_) => return (bytes, false),
        }
    }
}

/// Reads the beginning of a package slowly, has `withdraw` done, and reads what still comes.
fn read_across(
    installation: &Installation,
    agent: &Agent,
    request: &PullRequest,
    withdraw: &[&str],
    session_ends: bool,
) -> (usize, bool) {
    runtime().block_on(async {
        let caller = Caller { window: WINDOW, ..Caller::of(&agent.state()).expect("enrolled") };
        let (_endpoint, connection) = caller.connect(SESSION_ALPN).await.expect("connected");
        let (mut control, mut replies) = connection.open_bi().await.expect("a stream");
        control.write_all(&frame(&hello())).await.expect("sent");
        let welcome = raw::read::<FromCoordinator>(&mut replies).await.expect("a welcome");
        assert!(matches!(welcome, FromCoordinator::Welcome(_)));
        let (mut question, mut stream) = connection.open_bi().await.expect("a stream");
        question.write_all(&frame(&Request::Pull(request.clone()))).await.expect("sent");
        let answer = raw::read::<Answer>(&mut stream).await.expect("an answer");
        assert!(matches!(answer, Answer::Pull(_)), "it is granted at first");
        let mut beginning = vec![0; BEFORE];
        stream.read_exact(&mut beginning).await.expect("the beginning of the package");

        installation.windlass(withdraw);
        if session_ends {
            // Whatever was said before, the goodbye comes.
            while !matches!(
                raw::read::<FromCoordinator>(&mut replies).await.expect("a goodbye"),
                FromCoordinator::Goodbye(Goodbye::NotAdmitted)
            ) {}
            raw::closed(&connection).await.expect("the connection is ended");
        } else {
            // The reader does not read: the end of the stream has to come by itself.
            tokio::time::timeout(std::time::Duration::from_secs(30), stream.received_reset())
                .await
                .expect("the stream is reset while nobody reads")
                .expect("the connection stands");
        }
        drain(&mut stream).await
    })
}

#[test]
fn disabling_ends_the_session_and_the_download_at_once_and_enabling_brings_it_back() {
    let (_folder, installation, agent, request) = waiting();
    let (after, whole) =
        read_across(&installation, &agent, &request, &["target", "disable", "machine"], true);
    assert!(!whole && after <= IN_FLIGHT, "{after} bytes came after the target was disabled");
    runtime().block_on(async {
        let refused = session(&agent.state()).await.err().expect("a disabled target has no session");
        assert!(refused.to_string().contains("NotAdmitted"), "{refused}");
        installation.windlass(&["target", "enable", "machine"]);
        let back = session(&agent.state()).await.expect("an enabled one has");
        let answer =
            back.link.answer(&Request::Assignments { since: None, after: None }).await.expect("an answer");
        assert!(matches!(answer, Answer::Assignments(_)));
    });
}

#[test]
fn revoking_ends_the_session_and_the_download_at_once_for_good() {
    let (_folder, installation, agent, request) = waiting();
    let (after, whole) = read_across(&installation, &agent, &request, &["target", "revoke", "machine"], true);
    assert!(!whole && after <= IN_FLIGHT, "{after} bytes came after the key was revoked");
    runtime().block_on(async {
        assert!(session(&agent.state()).await.is_err(), "a revoked key has no session");
        installation.try_windlass(&["target", "enable", "machine"]);
        assert!(session(&agent.state()).await.is_err(), "enabling does not bring a revoked key back");
    });
}

#[test]
fn a_download_whose_right_goes_is_reset_while_the_session_stands() {
    let (_folder, installation, agent, request) = waiting();
    let withdraw = ["target", "scope", "machine", "--role", "other"];
    let (after, whole) = read_across(&installation, &agent, &request, &withdraw, false);
    assert!(!whole && after <= IN_FLIGHT, "{after} bytes came after the role was taken away");
    runtime().block_on(async {
        let again = session(&agent.state()).await.expect("the session is not what was withdrawn");
        let answer = again.link.answer(&Request::Pull(request.clone())).await.expect("an answer");
        let denied = Answer::Denied(windlass_protocol::message::Denied::NotFound);
        assert_eq!(body(&answer), body(&denied));
    });
}

#[test]
fn a_real_agent_stops_when_it_is_disabled_and_goes_on_when_it_is_enabled() {
    let (_folder, installation, mut agent, _) = waiting();
    installation.windlass(&["target", "disable", "machine"]);
    agent.run();
    wait_until("the agent's word that it is not admitted", || {
        std::fs::read_to_string(agent.log())
            .is_ok_and(|log| log.contains("the coordinator does not admit this target"))
    });
    installation.windlass(&["target", "enable", "machine"]);
    wait_for_presence(&installation, "machine", true);
    let id = deploy(&installation, "2.0.0");
    wait_until("a deployment afterwards", || {
        field(&installation.json(&["deployment", "view", &id]), "state") == "succeeded"
    });
    installation.windlass(&["target", "disable", "machine"]);
    wait_for_presence(&installation, "machine", false);
}
