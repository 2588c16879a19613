//! Which finished deployments the state remembers: each flow (a tenant, or what is untenanted) its own newest whatever
//! others do, and beyond that what all share fairly.

use serde_json::{Value, json};
use windlass_coordinator_core::state::Space;
use windlass_protocol::ids::DeploymentId;

use crate::sight::{limited, of_limited};
use crate::world::{World, project, small};

/// Deployments that end as soon as they are asked for: nobody has the role.
fn idle() -> World {
    let mut world = small();
    world.replays = false;
    world.apply(&[project("Web", json!([{"name": "Say", "roles": ["nobody"], "script": {"body": "true"}}]))]);
    world.release("Web", "1.0.0");
    world
}

fn request(tenant: Option<&str>) -> Value {
    let mut request = json!({"project": "Web", "version": "1.0.0", "environments": ["Testing"]});
    if let Some(tenant) = tenant {
        request["tenants"] = json!({"tenants": [tenant]});
    }
    request
}

fn all(space: &Space, ids: &[DeploymentId]) -> usize {
    ids.iter().filter(|id| space.deployments.contains_key(*id)).count()
}

#[test]
fn a_busy_neighbour_does_not_push_out_what_a_quiet_tenant_had() {
    let mut world = idle();
    let quiet: Vec<_> = (0..30).map(|_| world.deploy(request(Some("Alpha")))).collect();
    let first = world.deploy(request(None));
    for _ in 0..10_000 {
        world.deploy(request(Some("Beta")));
    }
    let space = world.space();
    assert_eq!(all(space, &quiet), 30, "of all that share, who holds most gives way");
    assert!(space.deployments.contains_key(&first));
    assert_eq!(space.deployments.len(), 10_000);
}

/// How many of a tenant's are there beyond those that are certain, follows from what others do.
#[test]
fn who_is_limited_sees_the_newest_of_a_tenant_whatever_others_do() {
    let mut world = idle();
    limited(&mut world, "Alpha's", json!({"tenants": ["Alpha"]})).expect("it can be made");
    let theirs: Vec<_> = (0..30).map(|_| world.deploy(request(Some("Alpha")))).collect();
    let seen = |world: &World| -> Vec<_> { of_limited(world).space().deployments.keys().copied().collect() };
    let mut newest = theirs[10..].to_vec();
    newest.sort_unstable();
    assert_eq!(seen(&world), newest);
    assert_eq!(all(world.space(), &theirs), 30);
    assert_eq!(of_limited(&world).space().finished.len(), 20);
}
