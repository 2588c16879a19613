//! What somebody who is limited to tenants sees of machines that serve several of them: what each one holds for whom
//! (SEMANTICS 3, 10).

use serde_json::json;
use windlass_coordinator_core::decide::{SpaceCommand, WorkReportKind};
use windlass_coordinator_core::graph::RunState;
use windlass_coordinator_core::sight::Sight;
use windlass_protocol::Digest;
use windlass_protocol::message::Outcome;

use super::{limited, of_limited, sight_of_all};
use crate::world::{Machine, World, ended, project, small};

/// What a machine has to pull for one tenant depends on what it holds of another.
#[test]
fn what_a_shared_machine_had_already_is_not_seen() {
    let mut world = small();
    world.package("shop", "1.0.0");
    let step = json!({"name": "Copy", "roles": ["web"], "package": {"id": "shop"}});
    let connected = |name: &str| json!({"kind": "tenant", "name": name, "projects": {"Shop": ["Staging"]}});
    world.apply(&[project("Shop", json!([step])), connected("Alpha"), connected("Beta")]);
    world.release("Shop", "1.0.0");
    let target = world.enrol(
        "shared",
        json!({"roles": ["web"], "environments": ["Staging"],
        "tenants": {"tenants": ["Alpha", "Beta"]}}),
    );
    limited(&mut world, "Alpha's", json!({"tenants": ["Alpha"]})).expect("it can be made");
    let request = |tenant: &str| {
        json!({"project": "Shop", "version": "1.0.0", "environments": ["Staging"],
        "tenants": {"tenants": [tenant]}})
    };
    let manifest = Digest::of("shop 1.0.0");
    let theirs = world.deploy(request("Beta"));
    let assignment = world.work(theirs)[0].1;
    let peer = world.peer(target);
    let pulled = SpaceCommand::RecordPulled { peer, assignment, manifest, bytes: 10 };
    world.ask(pulled).expect("it may pull");
    world.succeed(theirs);
    let ours = world.deploy(request("Alpha"));
    let held = |world: &World| of_limited(world).space().pulled.len();
    assert_eq!(held(&world), 0, "nothing was fetched for Alpha yet");
    world.work_off(ours, &Outcome::Succeeded);
    assert_eq!(held(&world), 1);
    let traffic = |sight: &Sight| -> Vec<(u64, u64)> {
        let ended = |state: &RunState| match state {
            RunState::Ended(end) => Some((end.moved, end.saved)),
            _ => None,
        };
        let graph = &sight.space().deployments[&ours].graph;
        graph.runs().filter_map(|(.., run)| ended(&run.state)).collect()
    };
    assert_eq!(traffic(&sight_of_all(&world)), [(10, 990)]);
    assert_eq!(traffic(&of_limited(&world)), [(0, 0)]);
}

/// SEMANTICS 3: what a machine already holds stays listed, however it came to hold it.
#[test]
fn a_machine_that_may_hold_something_of_theirs_stays_listed() {
    let grant = |tenant: &str| {
        json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": [tenant]},
            "participation": "tenanted"})
    };
    for how in ["all done", "cancelled", "its scope is gone while the step runs", "the same key again"] {
        let mut world = small();
        world.package("shop", "1.0.0");
        let step = json!([{"name": "Copy", "roles": ["web"], "package": {"id": "shop"}}]);
        world.apply(&[project("Web", step)]);
        let one = world.enrol("one", grant("Alpha"));
        world.release("Web", "1.0.0");
        limited(&mut world, "alphas", json!({"tenants": ["Alpha"]})).expect("a token");
        let id = world.deploy(json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"],
            "tenants": {"tenants": ["Alpha"]}}));
        let (_, assignment, _) = world.work(id)[0];
        let (peer, manifest) = (world.peer(one), Digest::of("shop 1.0.0"));
        world.ask(SpaceCommand::RecordPulled { peer, assignment, manifest, bytes: 10 }).expect("pulled");
        world.work_off(id, &Outcome::Succeeded);
        match how {
            "cancelled" => drop(world.ask(SpaceCommand::Cancel(id)).expect("cancelled")),
            "its scope is gone while the step runs" => {
                let (_, assignment, _) = world.work(id)[0];
                world.report(one, assignment, WorkReportKind::Started);
                world.grant("one", grant("Beta"));
                world.report(one, assignment, ended(Outcome::Succeeded));
            }
            _ => world.succeed(id),
        }
        if how == "the same key again" {
            let token = world.token(json!({"target": "one"})).expect("a token");
            world.use_token(token, "secret", &Machine::new("one"));
        }
        world.grant("one", grant("Beta"));
        assert!(world.space().pulled.contains(&(one, manifest)), "{how}: it is known to have it");
        assert!(of_limited(&world).space().targets.get(one).is_some(), "{how}: who is Alpha's sees it");
        let other = json!({"target": "one"});
        let token = world.token(other).expect("a token");
        let other_key = Machine { key: "another", ..Machine::new("one") };
        world.use_token(token, "secret", &other_key);
        assert!(of_limited(&world).space().targets.get(one).is_none(), "{how}: another machine has nothing");
    }
}
