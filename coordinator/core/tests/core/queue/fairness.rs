//! Slots go round: nobody waits for all that another one has asked for before.

use serde_json::json;
use windlass_coordinator_core::decide::SpaceCommand;
use windlass_coordinator_core::event::{DeploymentEvent, Event};
use windlass_coordinator_core::state::Caps;
use windlass_protocol::ids::DeploymentId;

use super::{caps, ready, running, runs, to};
use crate::world::{World, small};

/// Any of `all` that runs succeeds, the first one first.
fn end_one(world: &mut World, all: &[DeploymentId]) {
    let id = all.iter().find(|id| runs(world, **id)).copied().expect("one runs");
    world.succeed(id);
}

#[test]
fn a_thousand_deployments_of_one_tenant_do_not_hold_back_the_one_of_another() {
    let mut world = ready(1000);
    caps(&mut world, 4, 1000);
    // Without turns the first by id would always be the first.
    let mut tenants = ["Alpha", "Beta"];
    tenants.sort_by_key(|name| world.space().tenants.named(name).map(|tenant| tenant.id));
    let many: Vec<_> = (0..1000).map(|index| world.deploy(to(index, Some(tenants[0])))).collect();
    assert_eq!(running(&world, &many), 4);
    let one = world.deploy(to(0, Some(tenants[1])));
    let untenanted = world.deploy(to(0, None));
    assert!(!runs(&world, one) && !runs(&world, untenanted), "the space has no slot left");
    // Each flow that waits gets a slot before any gets a second one.
    for _ in 0..2 {
        end_one(&mut world, &many);
    }
    assert!(runs(&world, one) && runs(&world, untenanted));
    assert_eq!(running(&world, &many), 2);
}

/// What comes to nothing takes no slot, and does not keep the turn either.
#[test]
fn a_tenant_whose_deployments_come_to_nothing_does_not_hold_back_the_one_of_another() {
    let orders = [("Alpha", "Beta"), ("Beta", "Alpha")];
    // Nobody serves them, or they may not any more.
    for ((idle, busy), may_not) in orders.into_iter().flat_map(|order| [(order, false), (order, true)]) {
        let mut world = small();
        world.replays = false;
        world.goes_on = false;
        let grant = json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": [busy]}});
        world.enrol("machine", grant);
        world.release("Web", "1.0.0");
        let of = |tenant: &str| {
            json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"],
                "tenants": {"tenants": [tenant]}})
        };
        (0..1000).for_each(|_| _ = world.deploy(of(idle)));
        let one = world.deploy(of(busy));
        if may_not {
            world.apply(&[json!({"kind": "tenant", "name": idle})]);
        }
        world.go_on_once();
        assert!(runs(&world, one), "{busy} has its turn in the first pass ({may_not})");
    }
}

#[test]
fn caps_hold_and_what_is_untenanted_is_one_flow_that_only_the_space_bounds() {
    // The caps of space and tenant, and how many of Alpha's, Beta's and the untenanted ones run then.
    let cases = [
        ((100, 20), [10, 10, 10]),
        ((100, 2), [2, 2, 10]),
        ((6, 20), [2, 2, 2]),
        ((7, 2), [2, 2, 3]),
        ((5, 1), [1, 1, 3]),
    ];
    let base = ready(10);
    for ((space, tenant), expected) in cases {
        let mut world = base.clone();
        caps(&mut world, space, tenant);
        world.goes_on = false;
        let all = [Some("Alpha"), Some("Beta"), None]
            .map(|tenant| (0..10).map(|index| world.deploy(to(index, tenant))).collect::<Vec<_>>());
        world.go_on();
        let ran = [0, 1, 2].map(|flow| running(&world, &all[flow]));
        assert_eq!(ran, expected, "{space} in the space, {tenant} of a tenant");
        // It stays so until all are over: whatever ends, no more than that run.
        world.goes_on = true;
        let everything = all.concat();
        while running(&world, &everything) > 0 {
            end_one(&mut world, &everything);
            let ran = [0, 1, 2].map(|flow| running(&world, &all[flow]));
            assert!(ran.iter().sum::<usize>() <= space && ran[0] <= tenant && ran[1] <= tenant, "{ran:?}");
        }
        assert!(everything.iter().all(|id| world.end(*id).is_some()), "nobody is forgotten");
    }
}

#[test]
fn a_cap_that_is_lowered_stops_nothing_and_one_that_makes_no_sense_is_refused() {
    let mut world = ready(6);
    let all: Vec<_> = (0..5).map(|index| world.deploy(to(index, Some("Alpha")))).collect();
    caps(&mut world, 100, 2);
    assert_eq!(running(&world, &all), 5, "what was admitted runs");
    let waiting = world.deploy(to(5, Some("Alpha")));
    for left in (2..5).rev() {
        end_one(&mut world, &all);
        assert_eq!((running(&world, &all), runs(&world, waiting)), (left, false));
    }
    end_one(&mut world, &all);
    assert!(runs(&world, waiting));
    assert_eq!(world.events_of(|world| caps(world, 100, 2)), [], "they are so already");
    for (space, tenant) in [(0, 1), (1, 0), (100_001, 1), (1, 100_001)] {
        let problem = world.ask(SpaceCommand::SetCaps(Caps { space, tenant })).expect_err("no sense");
        assert_eq!(problem.message, "a cap is 1 to 100000 deployments that run at once");
    }
}

/// Whose deployments start, in order, with one slot in all; with a restart after each.
fn turns(restarts: bool) -> Vec<Option<usize>> {
    let mut world = ready(3);
    caps(&mut world, 1, 20);
    let flows = [Some("Alpha"), Some("Beta"), None];
    let all = flows.map(|tenant| (0..3).map(|index| world.deploy(to(index, tenant))).collect::<Vec<_>>());
    let before = world.records.len();
    let everything = all.concat();
    while running(&world, &everything) > 0 {
        if restarts {
            world.restart();
        }
        end_one(&mut world, &everything);
    }
    let started = world.records[before..].iter().flat_map(|record| &record.events);
    let started = started.filter_map(|event| match event {
        Event::Deployment(DeploymentEvent::Started(started)) => Some(started.deployment),
        _ => None,
    });
    started.map(|id| all.iter().position(|of_flow| of_flow.contains(&id))).collect()
}

#[test]
fn turns_go_round_and_a_restart_does_not_begin_them_anew() {
    let started = turns(false);
    assert_eq!(started.len(), 8, "all but the one that had the slot at once");
    // Alpha's first one had it. From then on all three take turns, until one has no more.
    for round in started[..6].chunks(3) {
        let mut whose: Vec<_> = round.to_vec();
        whose.sort();
        assert_eq!(whose, [Some(0), Some(1), Some(2)], "{started:?}");
    }
    assert_eq!(turns(true), started);
}

#[test]
fn what_waits_for_lost_targets_keeps_its_key_and_not_its_slot() {
    let mut world = ready(3);
    caps(&mut world, 2, 20);
    let machine = world.target("machine");
    let betas =
        serde_json::json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": ["Beta"]}});
    let alphas = [0, 1].map(|index| world.deploy(to(index, Some("Alpha"))));
    let beta = world.deploy(to(2, Some("Beta")));
    let second = world.deploy(to(0, Some("Alpha")));
    assert_eq!((running(&world, &alphas), runs(&world, beta)), (2, false), "both slots are taken");
    world.lose(machine);
    assert_eq!((running(&world, &alphas), runs(&world, beta)), (2, true), "both were given back");
    assert!(!runs(&world, second), "the key is not");
    // Beta's waits for the same machine, and takes no slot either until it has another one.
    assert_eq!(world.space().indexes.slots_taken, 0);
    world.enrol("betas", betas);
    let last = world.deploy(to(1, Some("Beta")));
    assert!(runs(&world, last));
    assert_eq!(world.space().indexes.slots_taken, 1);
    // Who is back has the slots of its flow at once, and takes none of what the space has for others.
    world.presence(vec![], vec![machine]);
    let slots = ["Alpha", "Beta"].map(|name| {
        let tenant = world.space().tenants.named(name).expect("it is there").id;
        world.space().slots_of(Some(tenant))
    });
    assert_eq!((world.space().indexes.slots_taken, slots), (1, [2, 2]));
    let all = [alphas[0], alphas[1], beta, last, second];
    while running(&world, &all) > 0 {
        end_one(&mut world, &all);
    }
    assert!(all.iter().all(|id| world.end(*id).is_some()), "everything came to its end");
    assert_eq!(world.space().indexes.slots_taken, 0);
}

/// What waits for lost machines holds no slot, and nothing of its flow waits for it; what is back has slots of its flow, and
/// nothing of what others have.
#[test]
fn what_waited_for_lost_machines_takes_no_turn_of_others_when_they_are_back() {
    let mut world = ready(100);
    let grant = |tenant: &str| {
        serde_json::json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": [tenant]},
            "participation": "both"})
    };
    world.grant("machine", grant("Beta"));
    let mut own = grant("Alpha");
    own["participation"] = "tenanted".into();
    let alphas = world.enrol("alphas", own);
    caps(&mut world, 10, 5);
    for round in 0..3 {
        // Nobody knows that it is lost before it has work.
        let first = world.deploy(to(0, Some("Alpha")));
        world.lose(alphas);
        let mut all = vec![first];
        all.extend((1..100).map(|index| world.deploy(to(index, Some("Alpha")))));
        assert_eq!(running(&world, &all), 100, "{round}: whatever its cap, for what is lost takes nothing");
        let healthy = world.deploy(to(0, Some("Beta")));
        assert!(runs(&world, healthy), "{round}: another machine's is not held up");
        world.succeed(healthy);
        world.presence(vec![], vec![alphas]);
        let others: Vec<_> = (0..6).map(|index| world.deploy(to(index, Some("Beta")))).collect();
        assert_eq!(running(&world, &others), 5, "{round}: all of its cap, and at once");
        let alpha = world.space().tenants.named("Alpha").expect("it is there").id;
        assert_eq!(
            world.space().slots_of(Some(alpha)),
            100,
            "{round}: nothing more of its own starts before they end"
        );
        let untenanted: Vec<_> = (0..6).map(|index| world.deploy(to(index, None))).collect();
        assert_eq!(running(&world, &untenanted), 5, "{round}: the rest of the space's");
        let all: Vec<_> = all.into_iter().chain(others).chain(untenanted).collect();
        while running(&world, &all) > 0 {
            end_one(&mut world, &all);
        }
        assert_eq!((world.space().indexes.slots_taken, world.space().returned.len()), (0, 0), "{round}");
    }
}
