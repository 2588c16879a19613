//! Much that has to be looked at again is looked at in parts: rights are denied at once, and nothing is lost between.

use serde_json::json;
use windlass_coordinator_core::authorise;
use windlass_coordinator_core::decide::{SpaceCommand, has_more};
use windlass_coordinator_core::event::{DeploymentEvent, Event};
use windlass_coordinator_core::model::DeploymentEnd;
use windlass_coordinator_core::state::Caps;
use windlass_protocol::ids::{AssignmentId, DeploymentId, TargetId};
use windlass_protocol::message::Request;

use crate::world::{World, project, small};

/// Alpha's deployments of `projects` projects, each running its one step on `targets` targets in Staging.
fn running(projects: usize, targets: usize) -> (World, Vec<DeploymentId>) {
    let mut world = small();
    world.replays = false;
    world.ask(SpaceCommand::SetCaps(Caps { space: 1000, tenant: 1000 })).expect("the caps are right");
    let names: Vec<_> = (0..projects).map(|index| format!("P{index}")).collect();
    let script = json!([{"name": "Run", "roles": ["web"], "script": {"body": "true"}}]);
    let mut documents: Vec<_> = names.iter().map(|name| project(name, script.clone())).collect();
    let connected: serde_json::Map<_, _> =
        names.iter().map(|name| (name.clone(), json!(["Staging"]))).collect();
    documents.push(json!({"kind": "tenant", "name": "Alpha", "projects": connected}));
    world.apply(&documents);
    for index in 0..targets {
        let grant = json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}});
        world.enrol(&format!("machine-{index}"), grant);
    }
    let deploy = |name: &String| {
        world.release(name, "1.0.0");
        world.deploy(json!({"project": name, "version": "1.0.0", "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}}))
    };
    let all = names.iter().map(deploy).collect();
    (world, all)
}

/// How many of `work` their targets may read the variables of.
fn may(world: &World, work: &[(TargetId, AssignmentId)]) -> usize {
    let may = |(target, assignment): &&(TargetId, AssignmentId)| {
        let request = Request::Variables { assignment: *assignment };
        authorise::request(&world.state, &world.peer(*target), &request, world.now).is_ok()
    };
    work.iter().filter(may).count()
}

fn work(world: &World, all: &[DeploymentId]) -> Vec<(TargetId, AssignmentId)> {
    let of =
        |id: &DeploymentId| world.work(*id).into_iter().map(|(target, assignment, _)| (target, assignment));
    all.iter().flat_map(of).collect()
}

fn removals(events: &[Event]) -> usize {
    let removed = |event: &&Event| matches!(event, Event::Deployment(DeploymentEvent::ScopeRemoved { .. }));
    events.iter().filter(removed).count()
}

fn disconnect(world: &mut World) {
    world.apply(&[json!({"kind": "tenant", "name": "Alpha"})]);
}

#[test]
fn an_edit_that_touches_much_is_reviewed_in_passes_and_denies_at_once() {
    // 34 deployments on 33 targets: more than one pass looks at.
    let (mut world, all) = running(34, 33);
    let work = work(&world, &all);
    assert_eq!((work.len(), may(&world, &work)), (34 * 33, 34 * 33));
    world.goes_on = false;
    let edit = world.events_of(disconnect);
    assert_eq!((edit.len(), removals(&edit)), (1, 0), "the edit is a small record");
    assert_eq!(world.space().unsettled.len(), 34 * 33);
    assert_eq!(may(&world, &work), 0, "nobody gets anything from now on");
    let mut removed = Vec::new();
    while has_more(&world.state, world.space_id()) {
        // Whatever happens in between, what is left to do is in the state.
        world.restart();
        removed.push(removals(&world.events_of(World::go_on_once)));
    }
    assert_eq!(removed, [1000, 122]);
    for id in &all {
        assert_eq!(world.end(*id), Some(DeploymentEnd::Failed));
        assert!(world.deployment(*id).parts.values().all(|part| part.removed.is_some()));
    }
    assert!(world.space().indexes.work.is_empty() && world.space().unsettled.is_empty());
}

#[test]
fn an_edit_of_one_connection_has_what_runs_by_it_looked_at_again_and_nothing_else() {
    let (mut world, all) = running(34, 33);
    world.goes_on = false;
    let connected = |projects: std::ops::Range<usize>| {
        let projects: serde_json::Map<_, _> =
            projects.map(|index| (format!("P{index}"), json!(["Staging"]))).collect();
        json!({"kind": "tenant", "name": "Alpha", "projects": projects})
    };
    let edit = world.events_of(|world| world.apply(&[connected(1..34)]));
    assert_eq!((removals(&edit), world.space().unsettled.len()), (33, 0), "little enough for its own record");
    assert_eq!(world.end(all[0]), Some(DeploymentEnd::Failed));
    let edit = world.events_of(|world| world.apply(&[connected(0..34)]));
    assert_eq!(edit.len(), 1, "nothing rests on a connection that was not there");
}

#[test]
fn an_edit_that_touches_little_is_reviewed_in_its_own_record() {
    for (targets, at_once) in [(64, true), (65, false)] {
        let (mut world, all) = running(1, targets);
        world.goes_on = false;
        let edit = world.events_of(disconnect);
        assert_eq!(removals(&edit), if at_once { targets } else { 0 });
        world.go_on();
        assert_eq!(world.end(all[0]), Some(DeploymentEnd::Failed));
    }
}

#[test]
fn of_a_tenant_that_is_disabled_with_much_that_waits_nothing_starts_any_more() {
    let (mut world, all) = running(1, 1);
    let request = json!({"project": "P0", "version": "1.0.0", "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}});
    let waiting: Vec<_> = (0..70).map(|_| world.deploy(request.clone())).collect();
    world.goes_on = false;
    world.apply(&[
        json!({"kind": "tenant", "name": "Alpha", "enabled": false, "projects": {"P0": ["Staging"]}}),
    ]);
    assert_eq!(world.space().unsettled.len(), 70, "left to a pass");
    // What runs ends before that pass comes, and still the next one does not start.
    world.succeed(all[0]);
    world.restart();
    world.go_on();
    for id in waiting {
        assert_eq!(world.end(id), Some(DeploymentEnd::Cancelled));
        assert_eq!(world.reason(id), "the tenant was disabled");
    }
}

#[test]
fn what_is_overdue_is_given_up_in_parts() {
    let (mut world, all) = running(34, 33);
    world.wait(7 * 24 * 3600 + 1);
    let mut ended = Vec::new();
    loop {
        let events = world.events_of(|world| {
            world.ask(SpaceCommand::GiveUpOverdue).expect("giving up always works");
        });
        let runs = events
            .iter()
            .filter(|event| matches!(event, Event::Deployment(DeploymentEvent::RunEnded { .. })));
        match runs.count() {
            0 => break,
            runs => ended.push(runs),
        }
        world.restart();
    }
    assert_eq!(ended, [1000, 122]);
    assert!(all.iter().all(|id| world.end(*id) == Some(DeploymentEnd::Failed)));
    assert!(world.space().indexes.deadlines.is_empty());
}
