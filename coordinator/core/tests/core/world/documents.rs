//! The documents that worlds are made of.

use serde_json::{Value, json};

use super::World;

/// Testing, Staging, Production; Ring/Canary, Ring/Stable, Tier/Gold; tenants Alpha (Canary, Gold), Beta (Stable),
/// Gamma (nothing); the project Web, of one script for role `web`, to which Alpha and Beta are connected everywhere.
pub fn small() -> World {
    let mut world = World::new();
    world.apply(&[
        json!({"kind": "environment", "name": "Testing"}),
        json!({"kind": "environment", "name": "Staging"}),
        json!({"kind": "environment", "name": "Production"}),
        json!({"kind": "tag-set", "name": "Ring", "tags": [{"name": "Canary"}, {"name": "Stable"}]}),
        json!({"kind": "tag-set", "name": "Tier", "type": "single", "tags": [{"name": "Gold"}, {"name": "Iron"}]}),
        json!({"kind": "lifecycle", "name": "Free", "phases": [
            {"name": "Anywhere", "environments": ["Testing", "Staging", "Production"]}]}),
        project("Web", json!([script("Install", "echo installed")])),
        tenant("Alpha", json!(["Ring/Canary", "Tier/Gold"]), json!({"Web": ["Testing", "Staging", "Production"]})),
        tenant("Beta", json!(["Ring/Stable"]), json!({"Web": ["Testing", "Staging", "Production"]})),
        tenant("Gamma", json!([]), json!({})),
    ]);
    world
}

/// A project with a free lifecycle, for everybody.
pub fn project(name: &str, steps: Value) -> Value {
    json!({"kind": "project", "name": name, "tenancy": "tenanted-or-untenanted", "lifecycle": "Free", "steps": steps})
}

fn script(name: &str, body: &str) -> Value {
    json!({"name": name, "roles": ["web"], "script": {"body": body}})
}

fn tenant(name: &str, tags: Value, projects: Value) -> Value {
    json!({"kind": "tenant", "name": name, "tags": tags, "projects": projects})
}
