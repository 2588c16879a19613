//! Two plans that differ have two digests, so that `--expect` starts what was looked at or nothing (SEMANTICS 8).

use std::collections::BTreeMap;

use proptest::collection::vec;
use serde_json::{Value, json};
use windlass_api::plan::{Plan, TargetRule, TargetState};
use windlass_coordinator_core::decide::TargetChange;
use windlass_protocol::message::Isolation;

use crate::chance;
use crate::world::{Happening, World, happening, in_whole, lively, project, small};

/// A plan as far as a digest stands for it: without what waits, without sentences beside the rules that they are of, and
/// without the machines that have nothing to do with the
/// tenant there, since nobody who sees one tenant alone may learn of those.
fn meant(plan: &Plan) -> Plan {
    let near = [TargetRule::Role, TargetRule::Disabled, TargetRule::Revoked, TargetRule::Excluded];
    let mut plan = Plan { digest: String::new(), deployments: in_whole(plan), ..plan.clone() };
    plan.left_out.iter_mut().for_each(|left_out| left_out.reason.clear());
    for deployment in &mut plan.deployments {
        deployment.waits.clear();
        for step in &mut deployment.steps {
            step.more_targets = 0;
            step.targets.retain(|target| {
                target.state == TargetState::In || target.rules.iter().all(|rule| near.contains(rule))
            });
        }
    }
    plan
}

fn request(tenants: Value) -> Value {
    json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"], "tenants": tenants})
}

fn alpha(key: &str, value: Value) -> Value {
    let mut request = request(json!({"tenants": ["Alpha"]}));
    request[key] = value;
    request
}

/// Alpha is served by `one`; `two` has another role.
fn ready() -> World {
    let mut world = small();
    for (name, role) in [("one", "web"), ("two", "other")] {
        let grant = json!({"roles": [role], "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}, "participation": "both"});
        world.enrol(name, grant);
    }
    world.release("Web", "1.0.0");
    world
}

#[test]
fn whatever_a_plan_shows_or_a_deployment_gets_is_in_its_digest() {
    type Change = Box<dyn Fn(&mut World)>;
    let isolation = |world: &mut World| {
        let mut greeting = world.greeting(world.target("one"));
        greeting.isolation = Isolation::None;
        world.greet(greeting).expect("it is welcome");
    };
    let document = |kind: &str, name: &str, slug: &str| json!({"kind": kind, "name": name, "slug": slug});
    let cases: [(&str, Change); 7] = [
        ("keeping tenants apart by nothing", Box::new(isolation)),
        (
            "the environment's slug",
            Box::new(move |world| world.apply(&[document("environment", "Staging", "other")])),
        ),
        (
            "the environment's name",
            Box::new(move |world| world.apply(&[document("environment", "STAGING", "staging")])),
        ),
        (
            "the tenant's slug",
            Box::new(|world| {
                world.apply(&[json!({"kind": "tenant", "name": "Alpha", "slug": "other", "tags": ["Ring/Canary", "Tier/Gold"],
                    "projects": {"Web": ["Testing", "Staging", "Production"]}})]);
            }),
        ),
        (
            "the project's slug",
            Box::new(move |world| {
                let mut web = project(
                    "Web",
                    json!([{"name": "Install", "roles": ["web"], "script": {"body": "echo installed"}}]),
                );
                web["slug"] = json!("other");
                world.apply(&[web]);
            }),
        ),
        (
            "a target that gets nothing, for another reason",
            Box::new(|world| world.change("two", TargetChange::Disable)),
        ),
        (
            "a target more that gets nothing",
            Box::new(|world| {
                world.enrol("three", json!({"roles": ["other"], "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}}));
            }),
        ),
    ];
    let base = ready();
    let before = base.plan(alpha("expect", Value::Null)).expect("a plan");
    for (what, change) in cases {
        let mut world = base.clone();
        change(&mut world);
        assert_ne!(world.plan(alpha("expect", Value::Null)).expect("a plan").digest, before.digest, "{what}");
        let refused = world.try_deploy(alpha("expect", json!(before.digest))).expect_err(what);
        assert!(refused.message.starts_with("the plan is another one now"), "{what}: {refused}");
    }
}

#[test]
fn the_digest_of_a_request_that_is_limited_starts_no_other_request() {
    let limits = [
        ("only-targets", json!(["one"])),
        ("only-targets", json!(["one", "two"])),
        ("exclude-targets", json!(["two"])),
        ("skip-steps", json!(["Install"])),
        ("expect", Value::Null),
    ];
    let mut world = ready();
    let requests = limits.map(|(key, value)| alpha(key, value));
    let digests = requests.clone().map(|request| world.plan(request).expect("a plan").digest);
    for (place, request) in requests.iter().enumerate() {
        for (other, digest) in digests.iter().enumerate() {
            let mut expecting = request.clone();
            expecting["expect"] = json!(digest);
            assert_eq!(
                world.try_deploy(expecting).is_ok(),
                place == other,
                "{request} with that of {}",
                requests[other]
            );
        }
    }
}

#[test]
fn no_history_leads_to_two_plans_that_share_a_digest() {
    let base = lively();
    let (mut plans, mut compared) = (BTreeMap::<String, Plan>::new(), 0);
    let shop = |environments: &[&str], tenants: Value, key: &str, value: Value| {
        let mut request =
            json!({"project": "Shop", "version": "1.0.0", "environments": environments, "tenants": tenants});
        request[key] = value;
        request
    };
    let requests = [
        shop(&["Staging"], json!({"tenants": ["Alpha"]}), "expect", Value::Null),
        shop(&["Staging", "Testing"], json!({"tags": ["Ring/Canary"]}), "expect", Value::Null),
        shop(
            &["Staging"],
            json!({"tags": ["Ring/Canary", "Ring/Stable"]}),
            "exclude-targets",
            json!(["two"]),
        ),
        shop(&["Testing"], json!({"tenants": ["Beta"]}), "only-targets", json!(["one"])),
        shop(&["Testing"], json!({}), "skip-steps", json!(["Check"])),
    ];
    chance::cases(60, &vec(happening(), 5..40), |history: Vec<Happening>| {
        let mut world = base.clone();
        for happening in history {
            world.happen(happening);
            for request in &requests {
                let Ok(plan) = world.plan(request.clone()) else { continue };
                let meant = meant(&plan);
                if let Some(known) = plans.insert(plan.digest.clone(), meant.clone()) {
                    assert_eq!(known, meant, "{request}");
                    compared += 1;
                }
            }
        }
    });
    assert!(plans.len() > 100 && compared > 1000, "{} plans, compared {compared} times", plans.len());
}
