//! Sessions and enrolments of real programs over QUIC, and what a client gets that does not keep to the protocol.

mod assignments;
mod certificates;
mod enrolments;
mod keys;
mod malformed;
mod output;
mod pulls;
mod repeats;
mod withdrawal;

use windlass_tests::agents::Agent;
use windlass_tests::installation::Installation;

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
    installation.windlass(&["release", "create", "--project", "Website", "--version", version]);
    let what = ["release", "deploy", "--project", "Website", "--version", version];
    let answer = installation.json(&[&what[..], &["--environment", "Production"]].concat());
    windlass_tests::journal::field(&answer["deployments"][0], "id").to_owned()
}
