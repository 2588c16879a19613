//! What failed stays a failure, whatever becomes of its machine: only guided failure, where it is asked for, goes on
//! without one (SEMANTICS 7), and only success promotes (SEMANTICS 4).

use serde_json::json;
use windlass_coordinator_core::decide::{TargetChange, WorkReportKind};
use windlass_coordinator_core::model::DeploymentEnd;
use windlass_protocol::ids::{DeploymentId, TargetId};
use windlass_protocol::message::{Advertised, Outcome};

use crate::world::{Machine, World, ended, project, small};

/// A world in which a step of two machines runs and another one comes after it.
fn running(steps: &serde_json::Value) -> (World, [TargetId; 2], DeploymentId) {
    let mut world = small();
    world.package("shop", "1.0.0");
    world.apply(&[project("Web", steps.clone())]);
    let grant = json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]},
        "participation": "tenanted"});
    let machines = ["one", "two"].map(|name| world.enrol(name, grant.clone()));
    world.release("Web", "1.0.0");
    let id = world.deploy(json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"],
        "tenants": {"tenants": ["Alpha"]}}));
    (world, machines, id)
}

/// The ways of a machine out of a deployment that runs.
const WAYS: [&str; 4] = ["it says less", "disabled", "deleted", "another machine has its place"];

fn leave(world: &mut World, target: TargetId, way: &str) {
    match way {
        "it says less" => {
            world.advertise(target, Advertised { environments: Some(vec![]), ..Advertised::default() });
        }
        "disabled" => world.change("one", TargetChange::Disable),
        "deleted" => world.change("one", TargetChange::Delete),
        _ => {
            let token = world.token(json!({"target": "one"})).expect("a token");
            world.use_token(token, "secret", &Machine { key: "other", ..Machine::new("one") });
        }
    }
}

/// A failed step, and a failed fetch: no step runs before every package is on every machine.
#[test]
fn what_failed_fails_its_deployment_also_where_its_machine_leaves_then() {
    let script = |name: &str| json!({"name": name, "roles": ["web"], "script": {"body": "true"}});
    let copy = json!([{"name": "Copy", "roles": ["web"], "package": {"id": "shop"}}]);
    let report = |reason: &str| match reason {
        "no room" => WorkReportKind::FetchFailed(reason.to_owned()),
        "was stopped" => ended(Outcome::Stopped),
        _ => ended(Outcome::Failed { reason: reason.to_owned() }),
    };
    let two = || json!([script("Install"), script("After")]);
    // Nobody had it stopped.
    let failures = [(two(), "exit code 3"), (two(), "was stopped"), (copy, "no room")];
    for (steps, reason) in &failures {
        for way in WAYS {
            let (mut world, [one, _], id) = running(steps);
            let work = world.work(id);
            let (_, assignment, _) = *work.iter().find(|(target, ..)| *target == one).expect("it has work");
            world.report(one, assignment, report(reason));
            leave(&mut world, one, way);
            world.work_off(id, &Outcome::Succeeded);
            assert_eq!(world.end(id), Some(DeploymentEnd::Failed), "{reason}, {way}");
            assert!(world.reason(id).contains(reason), "{reason}, {way}: {}", world.reason(id));
            assert_eq!(world.successes(), 0, "{reason}, {way}: it promotes nothing");
        }
    }
}

/// What runs there when it leaves is stopped, and the others go on; also where its agent says so before what has changed was
/// looked at again.
#[test]
fn what_is_stopped_because_its_machine_leaves_is_no_failure() {
    // Of the others nothing is heard any more.
    for (way, says_so) in WAYS.map(|way| (way, false)).into_iter().chain([(WAYS[0], true)]) {
        let (mut world, [one, _], id) =
            running(&json!([{"name": "Install", "roles": ["web"], "script": {"body": "true"}}]));
        let work = world.work(id);
        let (_, assignment, _) = *work.iter().find(|(target, ..)| *target == one).expect("it has work");
        world.report(one, assignment, WorkReportKind::Started);
        world.goes_on = !says_so;
        leave(&mut world, one, way);
        if says_so {
            world.report(one, assignment, ended(Outcome::Stopped));
        }
        world.goes_on = true;
        world.go_on();
        world.work_off(id, &Outcome::Succeeded);
        assert_eq!(world.end(id), Some(DeploymentEnd::Succeeded), "{way}, {says_so}");
    }
}
