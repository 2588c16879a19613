//! More work at once than one answer holds; and work that an agent does not take for its coordinator's.

use std::fs;

use windlass_tests::agents::{Agent, is_root, wait_for_presence};
use windlass_tests::installation::Installation;

/// Bytes of the script of each deployment: two of them fit one answer.
const SCRIPT_BYTES: usize = 400 << 10;
const TENANTS: [&str; 5] = ["Alpha", "Beta", "Gamma", "Delta", "Epsilon"];

#[test]
fn work_of_one_record_that_does_not_fit_one_answer_comes_in_several() {
    windlass_trust::install_provider();
    let folder = tempfile::tempdir().expect("a folder");
    let installation = Installation::start(folder.path()).expect("a coordinator");
    let script = "# ".to_owned() + &"x".repeat(SCRIPT_BYTES);
    let mut documents = format!(
        "kind: environment\nname: Production\n---\nkind: project\nname: Website\ntenancy: tenanted\n\
         steps: [{{name: Say, roles: [web], concurrent: true, script: {{shell: sh, body: '{script}'}}}}]\n"
    );
    for tenant in TENANTS {
        documents += &format!("---\nkind: tenant\nname: {tenant}\nprojects: {{Website: [Production]}}\n");
    }
    installation.apply(&documents);
    installation.windlass(&["release", "create", "--project", "Website", "--version", "1.0.0"]);
    let named: Vec<&str> = TENANTS.iter().flat_map(|tenant| ["--tenant", tenant]).collect();
    let mut agent = Agent::enrol(&installation, "shared", &[&super::GRANT[..], &named].concat());
    // Who cannot switch users serves one tenant, unless its own configuration says otherwise.
    let isolation = if is_root() { "" } else { "isolation = \"none\"\n" };
    agent.configure(&format!("coordinator = \"{}\"\n{isolation}", installation.quic));
    // One command, one record, one generation for the work of all tenants; the machine comes when it waits.
    let deploy =
        ["release", "deploy", "--project", "Website", "--version", "1.0.0", "--environment", "Production"];
    let arguments = [&deploy[..], &named].concat();
    installation.windlass(&arguments);
    agent.run();
    wait_for_presence(&installation, "shared", true);
    windlass_tests::installation::wait_until("the end of all deployments", || {
        let deployments = installation.json(&["deployment", "list"]);
        let items = deployments["items"].as_array().expect("a list");
        items.len() == TENANTS.len() && items.iter().all(|item| item["state"] == "succeeded")
    });
}

#[test]
fn an_assignment_that_is_not_the_coordinators_fails_its_deployment_with_that_reason() {
    let (_folder, installation) = super::installation("", "script: {body: 'echo hello'}");
    let mut agent = Agent::enrol(&installation, "machine", &super::GRANT);
    // The machine knows another key than the one that its coordinator signs with.
    let path = agent.state().join("identity/membership.json");
    let text = fs::read(&path).expect("a membership");
    let mut membership: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let another = windlass_trust::AssignmentSigner::from_secret(&[7; 32].into()).public();
    membership["assignment_key"] = windlass_protocol::Digest::from_bytes(another).to_string().into();
    fs::write(&path, membership.to_string()).expect("a file");
    agent.run();
    wait_for_presence(&installation, "machine", true);
    let id = super::deploy(&installation, "1.0.0");
    windlass_tests::installation::wait_until("the end of the deployment", || {
        installation.json(&["deployment", "view", &id])["state"] == "failed"
    });
    let view = installation.windlass(&["deployment", "view", &id]);
    assert!(view.contains("the assignment's signature is not the coordinator's"), "{view}");
    let told = installation.json(&["audit", "list", "--event", "run-ended"]).to_string();
    assert!(told.contains("the assignment's signature is not the coordinator's"), "{told}");
}
