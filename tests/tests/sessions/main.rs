//! Sessions and enrolments of real programs over QUIC, and what a client gets that does not keep to the protocol.

mod answers;
mod assignments;
mod certificates;
mod enrolments;
mod keys;
mod malformed;
mod news;
mod output;
mod pulls;
mod repeats;
mod reports;
mod running;
mod stopped;
mod withdrawal;

use std::time::Duration;

use windlass_protocol::ids::StepId;
use windlass_tests::agents::Agent;
use windlass_tests::installation::Installation;
use windlass_tests::journal::{events, field};

/// The shortest time that an agent waits before it comes back. Who comes back sooner is made to wait before long.
const PAUSE: Duration = Duration::from_millis(250);

/// What every machine of these tests is granted.
const GRANT: [&str; 4] = ["--environment", "Production", "--role", "web"];

/// An installation with one environment and a project of one step, under these lines of configuration.
fn installation(configuration: &str, step: &str) -> (tempfile::TempDir, Installation) {
    windlass_trust::install_provider();
    let folder = tempfile::tempdir().expect("a folder");
    let installation = Installation::start_with(folder.path(), configuration).expect("a coordinator");
    installation.apply(&format!(
        "kind: environment\nname: Production\n---\nkind: project\nname: Website\n\
         steps: [{{name: Install, roles: [web], {step}}}]\n"
    ));
    (folder, installation)
}

fn enrolled(installation: &Installation, name: &str) -> Agent {
    Agent::enrol(installation, name, &GRANT)
}

/// Starts a deployment and answers with its id.
fn deploy(installation: &Installation, version: &str) -> String {
    deploy_project(installation, "Website", version)
}

fn deploy_project(installation: &Installation, project: &str, version: &str) -> String {
    installation.windlass(&["release", "create", "--project", project, "--version", version]);
    let what = ["release", "deploy", "--project", project, "--version", version];
    let answer = installation.json(&[&what[..], &["--environment", "Production"]].concat());
    field(&answer["deployments"][0], "id").to_owned()
}

/// The only step of a project.
fn step_of(installation: &Installation, project: &str) -> StepId {
    let of_project = |event: &serde_json::Value| {
        let found = &event["definition"]["project"];
        (found["name"] == project).then(|| field(&found["steps"][0], "id").parse().expect("an id"))
    };
    events(&installation.data()).iter().find_map(of_project).expect("the project has a step")
}
