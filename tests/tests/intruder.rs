//! An enrolled agent that speaks the protocol correctly and asks for another tenant's things, by every kind of message
//! and with valid ids: it gets the same answers as for what does not exist, and each try is in the journal.

use windlass_agent::identity::Identity;
use windlass_agent::link::Link;
use windlass_coordinator_core::state::{WorkKind, assignment_id};
use windlass_protocol::Digest;
use windlass_protocol::ids::{AssignmentId, DeploymentId, StepId};
use windlass_protocol::message::{
    Answer, Outcome, OutputLine, OutputStream, PullRequest, Report, ReportKind, Request,
};
use windlass_tests::agents::Agent;
use windlass_tests::client::{runtime, session};
use windlass_tests::installation::Installation;
use windlass_tests::journal::{events, field};
use windlass_tests::raw::body;

const DOCUMENTS: &str = r#"
kind: environment
name: Production
---
kind: project
name: Packaged
tenancy: tenanted
steps: [{name: Install, roles: [web], package: {id: secretive}}]
---
kind: project
name: Scripted
tenancy: tenanted
templates: [{name: Secret}]
steps: [{name: Say, roles: [web], script: {body: 'get_windlassvariable Secret'}}]
---
kind: tenant
name: Alpha
projects: {Packaged: [Production], Scripted: [Production]}
values: {Scripted: {Secret: canary-of-alpha}}
---
kind: tenant
name: Beta
projects: {Packaged: [Production], Scripted: [Production]}
values: {Scripted: {Secret: canary-of-beta}}
"#;

/// The requests that name something of somebody: by these ids.
fn requests(fetch: AssignmentId, run: AssignmentId, manifest: Digest) -> Vec<Request> {
    let pull = |assignment| PullRequest {
        assignment,
        manifest,
        has_manifest: false,
        holds: vec![manifest],
        complete_files: 0,
        complete_segments: 0,
    };
    let line = OutputLine { time: Default::default(), stream: OutputStream::Out, text: "forged".to_owned() };
    let ended = ReportKind::Ended { outcome: Outcome::Succeeded, variables: Vec::new(), lines: 0 };
    let other_key = rcgen::KeyPair::generate().expect("a key");
    let request = rcgen::CertificateParams::default().serialize_request(&other_key).expect("a request");
    vec![
        Request::Pull(pull(fetch)),
        Request::Pull(pull(run)),
        Request::Variables { assignment: run },
        Request::Variables { assignment: fetch },
        Request::Output { assignment: run, first: 1, lines: vec![line] },
        Request::Report(vec![
            Report { assignment: fetch, kind: ReportKind::Fetched { moved: 1, saved: 0 } },
            Report { assignment: run, kind: ended },
        ]),
        Request::Renew { request: request.der().to_vec() },
    ]
}

async fn answers(link: &Link, requests: &[Request]) -> Vec<Vec<u8>> {
    let mut answers = Vec::new();
    for request in requests {
        answers.push(body(&link.answer(request).await.expect("an answer")));
    }
    answers
}

#[test]
fn other_tenants_things_answer_as_if_they_did_not_exist() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut installation = Installation::start(folder.path()).expect("a coordinator");
    installation.apply(DOCUMENTS);
    let package = folder.path().join("secretive.1.0.0.txt");
    std::fs::write(&package, "canary of the package").expect("a file");
    installation.windlass(&["package", "upload", &package.to_string_lossy()]);
    for project in ["Packaged", "Scripted"] {
        installation.windlass(&["release", "create", "--project", project, "--version", "1.0.0"]);
    }
    let granted = |tenant| ["--environment", "Production", "--role", "web", "--tenant", tenant];
    let alpha = Agent::enrol(&installation, "alpha-1", &granted("Alpha")).state();
    let beta = Agent::enrol(&installation, "beta-1", &granted("Beta")).state();
    // Beta's machine is enrolled and away, so that its work waits: its ids are valid and live.
    let mut deployments = Vec::new();
    for project in ["Packaged", "Scripted"] {
        let arguments =
            ["release", "deploy", "--project", project, "--version", "1.0.0", "--environment", "Production"];
        let answer = installation.json(&[&arguments[..], &["--tenant", "Beta"]].concat());
        let id: DeploymentId = field(&answer["deployments"][0], "id").parse().expect("an id");
        deployments.push(id);
    }
    let target = Identity::read(&beta).expect("enrolled").membership.target;
    let step = step_of(&installation, "Scripted");
    let fetch = assignment_id(deployments[0], target, WorkKind::Fetch, 1);
    let run = assignment_id(deployments[1], target, WorkKind::Run(step), 1);
    let manifest = manifest_of(&installation);

    runtime().block_on(async {
        // Proof that the ids are live: their owner is given them.
        let owner = session(&beta).await.expect("a session");
        let Ok(Answer::Assignments(own)) =
            owner.link.answer(&Request::Assignments { since: None, after: None }).await
        else {
            panic!("the owner is answered");
        };
        assert!(own.active.contains(&fetch) && own.active.contains(&run), "{:?} {fetch} {run}", own.active);
        owner.link.close();

        let intruder = session(&alpha).await.expect("a session");
        let Ok(Answer::Assignments(theirs)) =
            intruder.link.answer(&Request::Assignments { since: None, after: None }).await
        else {
            panic!("the intruder is told of its own work");
        };
        assert!(theirs.active.is_empty() && theirs.new.is_empty());
        let live = answers(&intruder.link, &requests(fetch, run, manifest)).await;
        let nothing = AssignmentId::from_bytes([7; 16]);
        let invented = answers(&intruder.link, &requests(nothing, nothing, Digest::of("nothing"))).await;
        assert_eq!(live, invented, "what is another's answers like what does not exist");
    });

    let state = |id: &DeploymentId| {
        field(&installation.json(&["deployment", "view", &id.to_string()]), "state").to_owned()
    };
    for (id, expected) in deployments.iter().zip(["fetching", "running"]) {
        assert_eq!(state(id), expected, "forged reports change nothing");
    }
    assert!(installation.stop(), "it ends well, and what it has counted is recorded");
    let events = events(&installation.data());
    let denied = |kind: &str| -> u64 {
        let denied = events.iter().filter(|event| event["event"] == "denied");
        denied.filter_map(|event| event["counts"][kind].as_u64()).sum()
    };
    // Reports are counted one by one, whatever request they came in.
    for (kind, count) in [("pull", 4), ("variables", 4), ("output", 2), ("report", 4), ("renew", 2)] {
        assert_eq!(denied(kind), count, "{kind}");
    }
}

/// The id of a project's only step, as a plan cannot say it: from the journal.
fn step_of(installation: &Installation, project: &str) -> StepId {
    let records = events(&installation.data());
    let mut defined = records.iter().filter_map(|event| {
        let definition = &event["definition"]["project"];
        (definition["name"] == project).then(|| field(&definition["steps"][0], "id").parse().expect("an id"))
    });
    defined.next_back().expect("the project was defined")
}

fn manifest_of(installation: &Installation) -> Digest {
    let records = events(&installation.data());
    let uploaded = records.iter().find(|event| event["event"] == "package-uploaded");
    field(&uploaded.expect("a package was uploaded")["package"], "manifest").parse().expect("a digest")
}
