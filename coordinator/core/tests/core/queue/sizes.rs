//! A plan is made of as much as somebody asks for, and its answer is bounded all the same: every deployment is named, and
//! what there is no room for is told (THREATS G5; SEMANTICS 8).

use std::cell::Cell;
use std::sync::Arc;

use serde_json::{Value, json};
use windlass_api::error::Problem;
use windlass_api::plan::{Plan, TenantRule};
use windlass_coordinator_core::authorise::{self, Action};
use windlass_coordinator_core::plan;
use windlass_coordinator_core::sight::Sight;
use windlass_protocol::Digest;

use crate::world::{World, small};

/// What a plan tells of its deployments, and some for naming a thousand of them.
const MOST: usize = (8 << 20) + 1000 * 1000;

/// The project Web with these steps, released for so many tenants who carry a tag.
fn world(tenants: usize, project: Value, tenant: impl Fn(usize) -> Value) -> World {
    let mut world = small();
    world.replays = false;
    world.goes_on = false;
    let mut document = json!({"kind": "project", "name": "Web", "lifecycle": "Free", "tenancy": "tenanted"});
    add(&mut document, project);
    world.apply(&[document]);
    let all: Vec<_> = (0..tenants).collect();
    for part in all.chunks(200) {
        let documents = part.iter().map(|number| {
            let mut document = json!({"kind": "tenant", "name": format!("Tenant-{number:04}"),
                "projects": {"Web": ["Staging"]}, "tags": ["Tier/Iron"]});
            add(&mut document, tenant(*number));
            document
        });
        world.apply(&documents.collect::<Vec<_>>());
    }
    world.release("Web", "1.0.0");
    world
}

fn add(document: &mut Value, more: Value) {
    let (Value::Object(document), Value::Object(more)) = (document, more) else { panic!("objects") };
    document.extend(more);
}

fn serving(world: &mut World) {
    world.enrol(
        "machine",
        json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tags": ["Tier/Iron"]}}),
    );
}

fn by_tag(world: &World) -> Plan {
    world
        .plan(json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"],
        "tenants": {"tags": ["Tier/Iron"]}}))
        .expect("it can be planned")
}

fn bytes(plan: &Plan) -> usize {
    serde_json::to_vec(plan).expect("a plan is JSON").len()
}

#[test]
fn steps_with_many_roles_that_nobody_has_are_few_words_for_each() {
    let roles: Vec<_> = (0..2000).map(|number| format!("{number:0>190}")).collect();
    let step = |number| json!({"name": format!("Step {number}"), "roles": roles, "script": {"body": "true"}});
    let steps: Vec<_> = (0..10).map(step).collect();
    let world = world(100, json!({"steps": steps}), |_| json!({}));
    let plan = by_tag(&world);
    assert_eq!(plan.deployments.len(), 100);
    assert!(bytes(&plan) < (1 << 20) + (100 << 10), "{} bytes", bytes(&plan));
    let reason = plan.deployments[0].steps[0].reason.as_deref().expect("it is skipped");
    assert!(reason.ends_with(" and 1995 more is in scope"), "{reason}");
}

#[test]
fn deployments_of_a_long_plan_that_say_the_same_of_their_steps_say_it_once() {
    let steps =
        json!([{"name": "Install", "roles": ["web"], "script": {"body": "get_windlassvariable Port"}}]);
    let project = json!({"variables": {"Port": [{"value": "8".repeat(60 << 10)}]}, "steps": steps,
        "templates": [{"name": "Alias", "default": "a"}]});
    let mut world = world(40, project, |_| json!({}));
    serving(&mut world);
    let plan = by_tag(&world);
    let whole = plan.deployments.iter().take_while(|one| one.steps_as.is_none()).count();
    assert!(plan.deployments[..whole].iter().all(|one| one.steps.len() == 1));
    assert!((1 << 20..2 << 20).contains(&bytes(&plan)), "a megabyte has room for {whole} of 60 kB");
    let last = plan.deployments[whole - 1].tenant.as_deref();
    for later in &plan.deployments[whole..] {
        let first = later.steps_as.as_ref().expect("they are an earlier one's");
        assert_eq!((first.environment.as_str(), first.tenant.as_deref()), ("Staging", last));
        assert!(later.steps.is_empty() && later.more_steps == 0);
    }
    assert_eq!(plan.cut, None);
}

/// 20 steps that need 30 values of each tenant.
fn ordinary(tenants: usize) -> World {
    let names: Vec<_> = (0..30).map(|number| format!("Value{number}")).collect();
    let step = |number| json!({"name": format!("Step {number}"), "roles": ["web"], "script": {"body": "true"}, "needs": names});
    let templates: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
    let project = json!({"templates": templates, "steps": (0..20).map(step).collect::<Vec<_>>()});
    let mut world = world(tenants, project, |tenant| {
        let values = names.iter().map(|name| (name.clone(), json!(format!("{name} of {tenant}"))));
        json!({"values": {"Web": values.collect::<serde_json::Map<_, _>>()}})
    });
    serving(&mut world);
    world
}

#[test]
fn a_plan_of_much_for_many_names_every_deployment_and_says_what_it_does_not_print() {
    let world = ordinary(300);
    let plan = by_tag(&world);
    assert!(bytes(&plan) < MOST, "{} bytes", bytes(&plan));
    assert_eq!(plan.deployments.len(), 300);
    let tenants: Vec<_> = plan.deployments.iter().filter_map(|one| one.tenant.clone()).collect();
    assert_eq!(tenants, (0..300).map(|number| format!("Tenant-{number:04}")).collect::<Vec<_>>());
    let cut = plan.deployments.iter().filter(|one| one.more_steps > 0).count();
    assert!((1..300).contains(&cut), "{cut}");
    assert!(plan.deployments.iter().all(|one| one.steps.len() + one.more_steps == 20));
    let told = plan.cut.as_deref().expect("it says so");
    assert!(
        told.starts_with(&format!("{cut} of 300 deployments are printed without all their steps")),
        "{told}"
    );
}

#[test]
fn what_is_not_printed_is_in_the_digest() {
    let mut world = ordinary(300);
    let before = by_tag(&world);
    let last = before.deployments.last().expect("there are some");
    assert_eq!((last.tenant.as_deref(), last.steps.len()), (Some("Tenant-0299"), 0));
    let values: serde_json::Map<_, _> =
        (0..30).map(|number| (format!("Value{number}"), json!("another"))).collect();
    world.apply(&[json!({"kind": "tenant", "name": "Tenant-0299", "projects": {"Web": ["Staging"]},
        "tags": ["Tier/Iron"], "values": {"Web": values}})]);
    assert_ne!(by_tag(&world).digest, before.digest);
}

#[test]
fn one_deployment_that_is_too_much_alone_is_printed_as_far_as_it_goes() {
    let variables: serde_json::Map<_, _> =
        (0..50).map(|number| (format!("Large{number}"), json!([{"value": "x".repeat(60 << 10)}]))).collect();
    let names: Vec<_> = variables.keys().cloned().collect();
    let step = |number| json!({"name": format!("Step {number}"), "roles": ["web"], "script": {"body": "true"}, "needs": names});
    let project = json!({"variables": variables, "steps": (0..10).map(step).collect::<Vec<_>>()});
    let mut world = world(1, project, |_| json!({}));
    serving(&mut world);
    let plan = by_tag(&world);
    assert!(bytes(&plan) < MOST, "{} bytes", bytes(&plan));
    let steps = plan.deployments[0].steps.len();
    assert_eq!((steps, plan.deployments[0].more_steps), (2, 8));
}

#[test]
fn who_is_left_out_and_what_is_waited_for_is_said_in_few_words() {
    let templates: Vec<_> =
        (0..300).map(|number| json!({"name": format!("Missing{number:0>150}")})).collect();
    let steps = json!([{"name": "Install", "roles": ["web"], "script": {"body": "true"}}]);
    let full: serde_json::Map<_, _> =
        (0..300).map(|number| (format!("Missing{number:0>150}"), json!("x"))).collect();
    let mut world = world(101, json!({"templates": templates, "steps": steps}), |tenant| {
        if tenant == 0 { json!({"values": {"Web": full}}) } else { json!({}) }
    });
    for number in 0..30 {
        world.enrol(
            &format!("machine-{number}"),
            json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tags": ["Tier/Iron"]}}),
        );
    }
    let request =
        serde_json::from_value(json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"],
        "tenants": {"tags": ["Tier/Iron"]}}))
        .expect("the request is right");
    let plan = plan::plan(world.space(), &request, world.now, &|_| false).expect("it can be planned");
    assert!(bytes(&plan) < (1 << 20) + (100 << 10), "{} bytes", bytes(&plan));
    assert_eq!(plan.left_out.len(), 100);
    assert!(
        plan.left_out
            .iter()
            .all(|out| { out.rule == TenantRule::MissingVariable && out.reason.ends_with(" and 294 more") })
    );
    let waits = &plan.deployments[0].waits;
    let named = waits.iter().filter(|wait| wait.reason.starts_with("target `machine-")).count();
    let counted = waits.last().map(|wait| wait.reason.as_str());
    assert_eq!(
        (named, counted),
        (
            9,
            Some(
                "21 more of its targets are not ready: held, not connected, or with a certificate that has expired"
            )
        )
    );
}

#[test]
fn a_plan_ends_when_nobody_waits_for_it_any_more() {
    let steps = json!([{"name": "Install", "roles": ["web"], "script": {"body": "true"}}]);
    let world = world(10, json!({"steps": steps}), |_| json!({}));
    let request =
        serde_json::from_value(json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"],
        "tenants": {"tags": ["Tier/Iron"]}}))
        .expect("the request is right");
    let permit = authorise::person(
        &world.state,
        World::administrator(),
        Digest::of("administrator"),
        Action::Read,
        world.now,
    );
    let sight = Sight::open(Arc::new(world.state.clone()), &permit.expect("it may"), None).expect("a space");
    let asked = Cell::new(0);
    let gone = || {
        asked.set(asked.get() + 1);
        if asked.get() < 4 { Ok(()) } else { Err(Problem::failed("gone")) }
    };
    let plan = plan::plan_in_sight(&sight, &request, world.now, &|_| true, &gone);
    assert_eq!((plan.expect_err("nobody waits").message.as_str(), asked.take()), ("gone", 4));
    let digest = plan::digest_in_sight(&sight, &request, world.now, &gone);
    assert_eq!((digest.expect_err("nobody waits").message.as_str(), asked.take()), ("gone", 4));
    let digest = plan::digest_in_sight(&sight, &request, world.now, &|| Ok(()));
    assert_eq!(digest.expect("a digest"), by_tag(&world).digest);
}

/// Where values are scoped to targets, each target that one names has a mix of its own.
#[test]
fn values_of_too_many_kinds_of_targets_are_refused_before_they_fill_the_memory() {
    let names: Vec<_> = (0..100).map(|number| format!("Name{number}")).collect();
    let step = |number| json!({"name": format!("Step {number}"), "roles": ["web"], "script": {"body": "true"}, "needs": names});
    let steps: Vec<_> = (0..110).map(step).collect();
    let targets: Vec<_> = (0..100).map(|number| format!("machine-{number}")).collect();
    let mut world = small();
    world.replays = false;
    world.goes_on = false;
    for target in &targets {
        world.enrol(target, json!({"roles": ["web"], "environments": ["Staging"]}));
    }
    // What nothing defines is looked up as well.
    let of_each: Vec<_> = targets.iter().map(|target| json!({"value": "80", "targets": [target]})).collect();
    let variables = json!({"Port": of_each});
    world.apply(&[json!({"kind": "project", "name": "Web", "lifecycle": "Free", "variables": variables, "steps": steps})]);
    world.release("Web", "1.0.0");
    let all = json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"]});
    let problem = world.plan(all).expect_err("1,100,000 values").message;
    let sentence = "its steps would be given more than 1048576 values, since their targets are of many kinds or have \
        values of their own; deploy to fewer targets at once";
    assert_eq!(problem, sentence);
    let fewer = json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"], "only-targets": targets[..5]});
    world.plan(fewer).expect("55,000 values");
}
