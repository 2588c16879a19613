//! The queue (SEMANTICS 9): slots in turns, caps, and what a plan says of waiting.

mod digests;
mod fairness;
mod plans;
mod sizes;
mod waits;

use serde_json::{Value, json};
use windlass_coordinator_core::decide::SpaceCommand;
use windlass_coordinator_core::model::DeploymentState;
use windlass_coordinator_core::state::Caps;
use windlass_protocol::ids::DeploymentId;

use crate::world::{World, project, small};

/// `projects` projects, `P0` and so on, each of one script, which Alpha and Beta are connected to in Staging, where one
/// machine serves everybody.
fn ready(projects: usize) -> World {
    let mut world = small();
    world.replays = false;
    let names: Vec<_> = (0..projects).map(|index| format!("P{index}")).collect();
    let script = json!([{"name": "Install", "roles": ["web"], "script": {"body": "true"}}]);
    let connected: serde_json::Map<_, _> =
        names.iter().map(|name| (name.clone(), json!(["Staging"]))).collect();
    let mut documents: Vec<_> = names.iter().map(|name| project(name, script.clone())).collect();
    documents.extend(
        ["Alpha", "Beta"].map(
            |name| json!({"kind": "tenant", "name": name, "tags": ["Ring/Canary"], "projects": connected}),
        ),
    );
    world.apply(&documents);
    world.enrol("machine", json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": ["Alpha", "Beta"]}, "participation": "both"}));
    names.iter().for_each(|name| world.release(name, "1.0.0"));
    world
}

/// A request for one deployment of project `P{index}`.
fn to(index: usize, tenant: Option<&str>) -> Value {
    let tenants: Vec<_> = tenant.into_iter().collect();
    json!({"project": format!("P{index}"), "version": "1.0.0", "environments": ["Staging"], "tenants": {"tenants": tenants}})
}

fn caps(world: &mut World, space: usize, tenant: usize) {
    world.ask(SpaceCommand::SetCaps(Caps { space, tenant })).expect("the caps are right");
}

fn runs(world: &World, id: DeploymentId) -> bool {
    world.deployment(id).state == DeploymentState::Running
}

/// Those of `all` that run.
fn running(world: &World, all: &[DeploymentId]) -> usize {
    all.iter().filter(|id| runs(world, **id)).count()
}
