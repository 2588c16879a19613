//! A tenant's key that cannot be read: nothing of the tenant's is lost or told, and nobody else is held up.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use windlass_agent::identity::Identity;
use windlass_coordinator_core::state::{WorkKind, assignment_id};
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::message::{
    Answer, Denied, OUTPUT_PURPOSE, Outcome, OutputVariable, OutputVariableValue, Report, ReportKind, Request,
};
use windlass_tests::agents::Agent;
use windlass_tests::client::{runtime, session};
use windlass_tests::installation::Installation;
use windlass_tests::journal::{events, field};

const SCRIPT: &str = "script: {body: 'echo hello'}";

fn of_kind(installation: &Installation, kind: &str) -> Vec<Value> {
    events(&installation.data()).into_iter().filter(|event| event["event"] == kind).collect()
}

/// An installation whose machine serves two tenants of one project.
fn scene() -> (tempfile::TempDir, Installation, Agent) {
    let (folder, installation) = super::installation("", SCRIPT);
    installation.apply(&format!(
        "kind: project\nname: Website\ntenancy: tenanted\nsteps: [{{name: Install, roles: [web], {SCRIPT}}}]\n\
         ---\nkind: tenant\nname: Alpha\nprojects: {{Website: [Production]}}\n\
         ---\nkind: tenant\nname: Beta\nprojects: {{Website: [Production]}}\n"
    ));
    let grant = ["--environment", "Production", "--role", "web", "--tenant", "Alpha", "--tenant", "Beta"];
    let agent = Agent::enrol(&installation, "machine", &grant);
    (folder, installation, agent)
}

/// Deploys a release to both, and answers with what the machine is to run for each.
fn deploy(installation: &Installation, agent: &Agent, version: &str) -> [(String, AssignmentId); 2] {
    installation.windlass(&["release", "create", "--project", "Website", "--version", version]);
    let target = Identity::read(&agent.state()).expect("enrolled").membership.target;
    let events = events(&installation.data());
    let mut steps =
        events.iter().filter_map(|event| event["definition"]["project"]["steps"][0]["id"].as_str());
    let step = WorkKind::Run(steps.next_back().expect("a step").parse().expect("an id"));
    ["Alpha", "Beta"].map(|tenant| {
        let what = ["release", "deploy", "--project", "Website", "--version", version, "--tenant", tenant];
        let answer = installation.json(&[&what[..], &["--environment", "Production"]].concat());
        let id = field(&answer["deployments"][0], "id").to_owned();
        let assignment = assignment_id(id.parse().expect("an id"), target, step, 1);
        (id, assignment)
    })
}

/// Stops, takes the key of Alpha aside, and starts again. Answers where it was and where it is.
fn without_alphas_key(installation: &mut Installation) -> (PathBuf, PathBuf) {
    let defined = of_kind(installation, "defined");
    let mut tenants = defined.iter().filter_map(|event| event["definition"].get("tenant"));
    let alpha = tenants.find(|tenant| tenant["name"] == "Alpha").expect("it was defined");
    let file = installation.data().join("keys").join(field(alpha, "key"));
    let aside = installation.data().join("aside");
    installation.kill();
    fs::rename(&file, &aside).expect("it was made with the tenant");
    installation.serve().expect("it starts");
    (file, aside)
}

fn ended(assignment: AssignmentId, sealed: Vec<u8>) -> Report {
    let value = OutputVariableValue::Sealed(sealed);
    let variables = vec![OutputVariable { name: "Pin".to_owned(), value }];
    Report { assignment, kind: ReportKind::Ended { outcome: Outcome::Succeeded, variables, lines: 0 } }
}

/// The end of the only run of a deployment's step, if it is recorded.
fn end_of(installation: &Installation, deployment: &str) -> Option<Value> {
    of_kind(installation, "run-ended").into_iter().find(|event| event["deployment"] == deployment)
}

#[test]
fn sensitive_output_that_cannot_be_sealed_now_is_told_again_and_what_never_can_fails_the_step() {
    let (_folder, mut installation, agent) = scene();
    let [(alpha, of_alpha), (beta, of_beta)] = deploy(&installation, &agent, "1.0.0");
    let (file, aside) = without_alphas_key(&mut installation);
    let membership = Identity::read(&agent.state()).expect("enrolled").membership;
    let output = windlass_trust::seal(membership.sealing_key.as_bytes(), b"a canary", OUTPUT_PURPOSE);
    let output = output.expect("it is sealed");
    let output = [output.encapsulated, output.ciphertext].concat();
    runtime().block_on(async {
        let session = session(&agent.state()).await.expect("a session");
        let both = Request::Report(vec![ended(of_alpha, output.clone()), ended(of_beta, b"short".to_vec())]);
        let answer = session.link.answer(&both).await;
        assert!(matches!(answer, Ok(Answer::Denied(Denied::Busy))), "it is told again");
        assert_eq!(end_of(&installation, &alpha), None);
        let end = end_of(&installation, &beta).expect("the other one's is taken").to_string();
        assert!(end.contains("the sensitive output variable `Pin` cannot be opened"), "{end}");
        fs::rename(&aside, &file).expect("it is restored");
        assert!(matches!(session.link.answer(&both).await, Ok(Answer::Reported)));
        session.link.close();
    });
    let end = end_of(&installation, &alpha).expect("it is taken").to_string();
    assert!(end.contains("succeeded") && end.contains("ciphertext"), "{end}");
}

#[test]
fn work_of_a_tenant_whose_key_is_missing_fails_by_name_and_other_work_goes_on() {
    let (_folder, mut installation, agent) = scene();
    let (file, _aside) = without_alphas_key(&mut installation);
    let [(alpha, _), (beta, of_beta)] = deploy(&installation, &agent, "1.0.0");
    runtime().block_on(async {
        let session = session(&agent.state()).await.expect("a session");
        let asked = Request::Assignments { since: None, after: None };
        let Ok(Answer::Assignments(work)) = session.link.answer(&asked).await else { panic!("no work") };
        assert_eq!(work.new.len(), 1, "the other one's is delivered");
        let answer = session.link.answer(&Request::Variables { assignment: of_beta }).await;
        assert!(matches!(answer, Ok(Answer::Variables(_))));
        session.link.close();
    });
    let end = end_of(&installation, &alpha).expect("it is given up").to_string();
    assert!(end.contains("the key of tenant `Alpha` is missing"), "{end}");
    assert_eq!(end_of(&installation, &beta), None);
    assert!(!file.exists(), "no other key takes its place");
}
