//! Variables (SEMANTICS 6), through the plans that people see.

mod data;
mod long;
mod needs;
mod outputs;
mod ranks;
mod rendered;
mod secrets;
mod shared;
mod templates;

use serde_json::{Value, json};
use windlass_api::plan::Plan;
use windlass_coordinator_core::plan;

use crate::world::{World, small};

/// A world where the project Web, with these keys beside, has a release, and `machine` takes part in everything.
pub(super) fn released(keys: Value) -> World {
    let mut world = small();
    let tenants = json!({"tenants": ["Alpha", "Beta"]});
    world.enrol(
        "machine",
        json!({"roles": ["web", "extra"], "environments": ["Testing", "Staging"], "tenants": tenants,
        "participation": "both"}),
    );
    world.apply(&[web(keys)]);
    world.release("Web", "1.0.0");
    world
}

pub(super) fn web(keys: Value) -> Value {
    let mut document = json!({"kind": "project", "name": "Web", "tenancy": "tenanted-or-untenanted", "lifecycle": "Free",
        "steps": [{"name": "Install", "roles": ["web"], "script": {"body": "get_windlassvariable Port"}}]});
    let (document_keys, keys) = (document.as_object_mut().expect("an object"), keys);
    document_keys.extend(keys.as_object().expect("an object").clone());
    document
}

pub(super) fn value(value: &str, scope: &Value) -> Value {
    let mut scope = scope.clone();
    scope["value"] = json!(value);
    scope
}

pub(super) fn request(tenant: Option<&str>) -> Value {
    let named: Vec<_> = tenant.into_iter().collect();
    json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"], "tenants": {"tenants": named}})
}

pub(super) fn plan_for(world: &World, tenant: Option<&str>) -> Plan {
    let request = serde_json::from_value(request(tenant)).expect("the request is right");
    plan::plan(world.space(), &request, world.now, &|_| true).expect("it can be planned")
}

/// What the plan says that Port is: its value and why.
pub(super) fn port(world: &World, tenant: Option<&str>) -> (Option<String>, String) {
    let plan = plan_for(world, tenant);
    let variables = &plan.deployments[0].steps[0].variables;
    let port = variables.iter().find(|variable| variable.name == "Port").expect("the step needs it");
    (port.value.clone(), port.source.clone())
}
