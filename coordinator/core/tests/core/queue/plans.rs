//! The plan is the deployment (SEMANTICS 8): both refuse alike, a digest stands for all that is meant, and who was shown
//! one or left out of one is in the record.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use windlass_api::error::ProblemKind;
use windlass_api::plan::TenantRule;
use windlass_api::requests::TokenRequest;
use windlass_coordinator_core::decide::{Command, LeftOut, Reply, SpaceCommand, TargetChange};
use windlass_coordinator_core::event::{Actor, DeploymentEvent, Event, Observation, Stream};
use windlass_protocol::Digest;
use windlass_protocol::ids::TokenId;
use windlass_protocol::message::Outcome;

use crate::world::{Machine, World, small};

/// The project Web, whose step needs what `body` says and the secret `Key`, released for Alpha and Beta.
fn ready(variables: Value, body: &str) -> World {
    let mut world = small();
    world.apply(&[
        json!({"kind": "project", "name": "Web", "lifecycle": "Free", "tenancy": "tenanted-or-untenanted",
            "templates": [{"name": "Alias", "default": "a"}, {"name": "Key", "control": "sensitive"}], "variables": variables,
            "steps": [{"name": "Install", "roles": ["web"], "script": {"body": body}, "needs": ["Key", "Large."]}]}),
    ]);
    world.apply(&[tenant("Alpha", "one"), tenant("Beta", "two")]);
    enrol(&mut world);
    world.release("Web", "1.0.0");
    world
}

fn tenant(name: &str, secret: &str) -> Value {
    json!({"kind": "tenant", "name": name, "projects": {"Web": ["Staging"]}, "tags": ["Ring/Canary"],
        "values": {"Web": {"Key": {"secret": secret}, "Alias": "x"}}})
}

fn enrol(world: &mut World) {
    world.enrol(
        "machine",
        json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tags": ["Ring/Canary"]}}),
    );
}

fn request(tenants: Value) -> Value {
    json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"], "tenants": tenants})
}

fn alpha() -> Value {
    request(json!({"tenants": ["Alpha"]}))
}

#[test]
fn a_plan_refuses_exactly_what_deploying_refuses_with_the_same_words() {
    let values = |number: usize| -> Value {
        let large = |index| (format!("Large.{index}"), json!([{"value": "x".repeat(64 << 10)}]));
        Value::Object((0..number).map(large).collect())
    };
    let unconnected = |mut world: World| {
        world.apply(&[json!({"kind": "tenant", "name": "Gamma", "tags": ["Tier/Iron"]})]);
        world
    };
    let cases = [
        (ready(json!({}), "true"), alpha(), None),
        (
            unconnected(ready(json!({}), "true")),
            request(json!({"tenants": ["Alpha", "Gamma"]})),
            Some("tenant `Gamma` in Staging: is not connected to `Staging` in `Web`"),
        ),
        (
            unconnected(ready(json!({}), "true")),
            request(json!({"tags": ["Tier/Iron"]})),
            Some(
                "nobody is left to deploy to; tenant `Gamma` in Staging: is not connected to `Staging` in `Web`",
            ),
        ),
        (
            ready(json!({"Port": [{"value": "1"}, {"value": "2"}]}), "get_windlassvariable Port"),
            alpha(),
            Some("step `Install`: `Port` has two values that nothing tells apart"),
        ),
        (
            ready(json!({}), "echo #{Alias}"),
            alpha(),
            Some("step `Install`: `#{Alias}` puts a tenant's value into the script as code"),
        ),
        (ready(values(64), "true"), alpha(), Some("step `Install` needs 4196")),
    ];
    for (mut world, request, sentence) in cases {
        let planned = world.plan(request.clone()).map(|plan| plan.deployments.len());
        let before = world.records.len();
        let made = world.try_deploy(request.clone()).map(|made| made.len());
        assert_eq!(planned, made, "{request}");
        match sentence {
            None => assert_eq!(made, Ok(1)),
            Some(sentence) => {
                let problem = made.expect_err(sentence);
                assert!(problem.message.starts_with(sentence), "{problem}");
                assert_eq!(world.records.len(), before, "nothing is made");
            }
        }
    }
}

#[test]
fn the_digest_of_a_plan_stands_for_all_that_it_means_but_time_and_presence() {
    type Change = fn(&mut World);
    let cases: [(&str, Change, bool); 10] = [
        ("nothing", |_| (), true),
        ("time, certificates that expire among it", |world| world.wait(40 * 24 * 3600), true),
        ("the same secret, sealed anew", |world| world.apply(&[tenant("Alpha", "one")]), true),
        ("another tenant's secret", |world| world.apply(&[tenant("Beta", "three")]), true),
        ("one that comes first", |world| _ = world.deploy(alpha()), true),
        (
            "a machine that is lost",
            |world| {
                world.deploy(alpha());
                world.lose(world.target("machine"));
            },
            true,
        ),
        ("another secret behind the same mask", |world| world.apply(&[tenant("Alpha", "four")]), false),
        (
            "another machine of the same name",
            |world| {
                world.change("machine", TargetChange::Delete);
                enrol(world);
            },
            false,
        ),
        (
            "the same target with another key",
            |world| {
                let token = world.token(json!({"target": "machine"})).expect("the token can be made");
                let machine = Machine { key: "new", ..Machine::new("machine") };
                world.use_token(token, "secret", &machine);
            },
            false,
        ),
        (
            "another tenant of the same name",
            |world| {
                world.delete("tenant", "Alpha").expect("nothing names it");
                world.apply(&[tenant("Alpha", "one")]);
            },
            false,
        ),
    ];
    let base = ready(json!({}), "true");
    let before = base.plan(alpha()).expect("it can be planned");
    let mut expecting = alpha();
    expecting["expect"] = json!(before.digest);
    for (what, change, same) in cases {
        let mut world = base.clone();
        change(&mut world);
        let after = world.plan(alpha()).expect("it can be planned");
        assert_eq!(after.digest == before.digest, same, "{what}");
        if !same {
            assert_eq!(after.deployments, before.deployments, "what is printed is the same: {what}");
        }
        let made = world.try_deploy(expecting.clone());
        assert_eq!(made.is_ok(), same, "{what}: {made:?}");
    }
}

#[test]
fn a_plan_that_was_looked_at_is_looked_at_again_only_where_something_has_changed_since() {
    let mut world = ready(json!({}), "true");
    let mut another = alpha();
    another["expect"] = json!("sha256:another");
    let sequence = |world: &World| world.state.sequence(Stream::Space(world.space_id()));
    let looked_at = |request: &Value, at: u64| {
        SpaceCommand::DeployPlanned(
            serde_json::from_value(request.clone()).expect("the request is right"),
            at,
        )
    };
    let at = sequence(&world);
    world.clone().ask(looked_at(&another, at)).expect("nobody looks at it a second time");
    world.apply(&[tenant("Beta", "three")]);
    let refused = world.ask(looked_at(&another, at)).expect_err("it is another plan");
    assert!(refused.message.starts_with("the plan is another one now"), "{refused}");
    let mut same = alpha();
    same["expect"] = json!(world.plan(alpha()).expect("it can be planned").digest);
    world.ask(looked_at(&same, at)).expect("it is the same plan, also after what has changed");
}

#[test]
fn another_tenant_of_the_same_name_is_another_plan_also_where_it_has_no_values() {
    let mut world = small();
    world.release("Web", "1.0.0");
    let plain = |world: &mut World| {
        world.apply(&[json!({"kind": "tenant", "name": "Plain", "projects": {"Web": ["Staging"]}})])
    };
    let digest =
        |world: &World| world.plan(request(json!({"tenants": ["Plain"]}))).expect("it can be planned").digest;
    plain(&mut world);
    let before = digest(&world);
    plain(&mut world);
    assert_eq!(digest(&world), before);
    world.delete("tenant", "Plain").expect("nothing names it");
    plain(&mut world);
    assert_ne!(digest(&world), before);
}

#[test]
fn whom_a_tag_brought_in_and_who_was_left_out_is_in_the_answer_and_in_the_record() {
    let mut world = ready(json!({}), "true");
    world.apply(&[json!({"kind": "tenant", "name": "Gamma", "enabled": false, "tags": ["Ring/Canary"]})]);
    let request = request(json!({"tags": ["Ring/Canary"]}));
    let plan = world.plan(request.clone()).expect("two are left");
    let gamma = world.space().tenants.named("Gamma").expect("it exists").id;
    let environment = world.space().environments.named("Staging").expect("it exists").id;
    // All rules, the first one first.
    let rules = vec![TenantRule::NotConnected, TenantRule::TenantDisabled, TenantRule::MissingVariable];
    assert_eq!(plan.left_out.iter().map(|out| &out.rules).collect::<Vec<_>>(), [&rules]);
    let typed = serde_json::from_value(request).expect("the request is right");
    let mut reply = None;
    let events = world.events_of(|world| reply = Some(world.ask(SpaceCommand::Deploy(typed))));
    let Some(Ok(Reply::Deployments { made, left_out })) = reply else { panic!("{reply:?}") };
    assert_eq!(made.len(), 2);
    assert_eq!(left_out, [LeftOut { environment, tenant: gamma, rules: rules.clone() }]);
    let release = world.deployment(made[0]).release();
    let recorded = Event::Deployment(DeploymentEvent::LeftOut { release, environment, tenant: gamma, rules });
    assert!(events.contains(&recorded), "{events:?}");
    world.work_off(made[0], &Outcome::Succeeded);
}

#[test]
fn a_plan_that_somebody_was_shown_is_an_event_and_an_auditor_may_look_but_not_deploy() {
    let mut world = ready(json!({}), "true");
    let auditor = (TokenId::from_bytes([5; 16]), Digest::of("auditor"));
    let token = TokenRequest {
        name: "auditor".to_owned(),
        role: "auditor".to_owned(),
        ttl_seconds: None,
        tenants: None,
    };
    world
        .run(&Command::CreateToken { request: token, space: world.space_id(), token: auditor })
        .expect("it can be made");
    world.actor = Actor::Token(auditor.0);
    let request = || serde_json::from_value(alpha()).expect("the request is right");
    let digest = world.plan(alpha()).expect("it can be planned").digest;
    let mut latest = alpha();
    latest["version"] = json!("latest");
    let shown = SpaceCommand::RecordPlan(world.printed(latest));
    let space = world.space();
    let project = space.projects.named("Web").expect("it exists").id;
    let release = space.releases_of(project).next().expect("it has one").id;
    let (environment, tenant) = (space.environments.named("Staging"), space.tenants.named("Alpha"));
    let (environments, tenant) =
        (environment.map(|found| found.id).into_iter().collect(), tenant.expect("it exists").id);
    // Whatever its names mean by the time that it is recorded.
    world.actor = Actor::Installer;
    world.release("Web", "9.0.0");
    world.actor = Actor::Token(auditor.0);
    let events = world.events_of(|world| drop(world.ask(shown).expect("who may read may look")));
    let tags = BTreeMap::new();
    let named = Observation::PlanNamed { release, tenant, digest: digest.clone() };
    let printed = Observation::PlanPrinted { project, release, environments, tags, digest, deployments: 1 };
    assert_eq!(events, [named, printed].map(Event::Observation));
    assert_eq!(world.records.last().map(|record| record.header.actor), Some(Actor::Token(auditor.0)));
    let refused = world.ask(SpaceCommand::Deploy(request())).expect_err("it may not");
    assert_eq!(refused.kind, ProblemKind::NotAuthorised);
}

#[test]
fn a_plan_says_what_becomes_of_a_name_that_nothing_defines() {
    let body = "echo #{Windlass.Enviroment.Name} #{octopus.environment.name}; get_windlassvariable Nope";
    let world = ready(json!({}), body);
    let plan = world.plan(alpha()).expect("it can be planned");
    let variables = &plan.deployments[0].steps[0].variables;
    let source = |name: &str| {
        let found = variables.iter().find(|variable| variable.name == name);
        found.unwrap_or_else(|| panic!("{name} in {variables:?}")).source.as_str()
    };
    let nothing =
        "nothing defines it: `#{…}` of it stays as it is written, and a script that asks for it gets nothing";
    assert_eq!(source("Windlass.Enviroment.Name"), nothing);
    assert_eq!(source("Nope"), nothing);
    assert_eq!(source("octopus.environment.name"), "the deployment itself");
}
