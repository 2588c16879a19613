//! Each kind of reference to each kind of thing refuses its deletion, alone (SEMANTICS 2). What a release froze refers to
//! what it names for as long as there is the release: a thing of the same name made anew would be another one, and an
//! exclusion of the old one would exclude nobody.

use serde_json::{Value, json};
use windlass_api::error::Problem;
use windlass_coordinator_core::decide::{Reply, SpaceCommand, TargetChange};

use crate::world::{World, small};

/// A thing of each kind that nothing refers to.
const THINGS: [(&str, &str); 8] = [
    ("environment", "Spare"),
    ("tag-set", "Spares"),
    ("tag", "One"),
    ("tenant", "Zeta"),
    ("library-set", "Extra"),
    ("target", "spare"),
    ("lifecycle", "Slow"),
    ("project", "Shop"),
];

fn base() -> World {
    let mut world = small();
    world.apply(&[
        json!({"kind": "environment", "name": "Spare"}),
        json!({"kind": "tag-set", "name": "Spares", "tags": [{"name": "One"}]}),
        json!({"kind": "tenant", "name": "Zeta"}),
        json!({"kind": "lifecycle", "name": "Slow"}),
        json!({"kind": "lifecycle", "name": "Anywhere", "phases": [{"name": "All"}]}),
        json!({"kind": "library-set", "name": "Extra", "templates": [{"name": "Region"}]}),
        shop(json!({})),
    ]);
    world.enrol("spare", json!({"environments": ["Staging"]}));
    world
}

/// The project Shop with something more.
fn shop(part: Value) -> Value {
    let mut document = json!({"kind": "project", "name": "Shop", "tenancy": "tenanted-or-untenanted", "lifecycle": "Anywhere",
        "templates": [{"name": "Port"}], "steps": [{"name": "Run", "roles": ["web"], "script": {"body": "true"}}]});
    let parts = part.as_object().expect("it is an object").clone();
    document.as_object_mut().expect("it is an object").extend(parts);
    document
}

/// The project Shop with something more in its step.
fn step(part: Value) -> Value {
    let mut step = json!({"name": "Run", "roles": ["web"], "script": {"body": "true"}});
    step.as_object_mut().expect("it is an object").extend(part.as_object().expect("it is an object").clone());
    shop(json!({"steps": [step]}))
}

/// The project Shop with a value that is scoped so.
fn value(mut scope: Value) -> Value {
    scope["value"] = json!("1");
    shop(json!({"variables": {"Host": [scope]}}))
}

/// A library set with a value that is scoped so.
fn of_set(mut scope: Value) -> Value {
    scope["value"] = json!("1");
    json!({"kind": "library-set", "name": "Places", "variables": {"Host": [scope]}})
}

/// Includes a set whose value is scoped so.
fn frozen_in_set(world: &mut World, scope: Value) {
    world.apply(&[of_set(scope), shop(json!({"library-sets": ["Places"]}))]);
    world.release("Shop", "1.0.0");
    world.apply(&[of_set(json!({})), shop(json!({}))]);
}

/// Makes a release of Shop as it is in `document`, and lets nothing but the release be so.
fn frozen(world: &mut World, document: Value) {
    world.apply(&[document]);
    world.release("Shop", "1.0.0");
    world.apply(&[shop(json!({}))]);
}

fn token(world: &mut World, request: Value) {
    world.token(request).expect("the token can be made");
}

fn zeta(world: &mut World, part: Value) {
    let mut tenant = json!({"kind": "tenant", "name": "Zeta"});
    tenant
        .as_object_mut()
        .expect("it is an object")
        .extend(part.as_object().expect("it is an object").clone());
    world.apply(&[tenant]);
}

/// A deployment of Web to Staging that runs, and one behind it with something more in its request.
fn deployed(world: &mut World, more: Value) {
    world.enrol("busy", json!({"roles": ["web"], "environments": ["Staging"]}));
    world.release("Web", "1.0.0");
    let mut request = json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"]});
    world.deploy(request.clone());
    request
        .as_object_mut()
        .expect("it is an object")
        .extend(more.as_object().expect("it is an object").clone());
    world.deploy(request);
}

fn delete(world: &mut World, kind: &str, name: &str) -> Result<Reply, Problem> {
    match kind {
        "tag" => world.try_apply(&[json!({"kind": "tag-set", "name": "Spares", "tags": []})]),
        "target" => {
            let (target, change) = (name.to_owned(), TargetChange::Delete);
            world.ask(SpaceCommand::ChangeTarget { target, change })
        }
        _ => world.delete(kind, name),
    }
}

type Refer = fn(&mut World);

const SHOP: &str = "step `Run` of project `Shop`";
const HOST: &str = "variable `Host` of project `Shop`";
const SET: &str = "variable `Host` of library set `Places`";
const RELEASE: &str = "release 1.0.0 of project `Shop`";

/// What may name an environment.
const OF_ENVIRONMENT: &[(Refer, &str)] = &[
    (
        |world| {
            world.apply(&[json!({"kind": "lifecycle", "name": "Slow", "phases": [{"name": "One", "environments": ["Spare"]}]})])
        },
        "lifecycle `Slow`",
    ),
    (|world| world.apply(&[step(json!({"environments": ["Spare"]}))]), SHOP),
    (|world| world.apply(&[step(json!({"exclude-environments": ["Spare"]}))]), SHOP),
    (|world| world.apply(&[value(json!({"environments": ["Spare"]}))]), HOST),
    (|world| world.apply(&[of_set(json!({"environments": ["Spare"]}))]), SET),
    (|world| zeta(world, json!({"projects": {"Shop": ["Spare"]}})), "tenant `Zeta`"),
    (
        |world| zeta(world, json!({"values": {"Shop": {"environments": {"Spare": {"Port": "1"}}}}})),
        "tenant `Zeta`",
    ),
    (|world| world.grant("spare", json!({"environments": ["Spare"]})), "target `spare`"),
    (|world| token(world, json!({"grant": {"environments": ["Spare"]}})), "enrolment token `"),
    (|world| frozen(world, step(json!({"environments": ["Spare"]}))), RELEASE),
    (|world| frozen(world, step(json!({"exclude-environments": ["Spare"]}))), RELEASE),
    (|world| frozen(world, value(json!({"environments": ["Spare"]}))), RELEASE),
    (|world| frozen_in_set(world, json!({"environments": ["Spare"]})), RELEASE),
];

/// What may name a tag: whoever does holds it in its set, and its set.
const OF_TAG: &[(Refer, &str)] = &[
    (|world| zeta(world, json!({"tags": ["Spares/One"]})), "tenant `Zeta`"),
    (|world| world.apply(&[step(json!({"tenants": {"tags": ["Spares/One"]}}))]), SHOP),
    (|world| world.apply(&[step(json!({"tenants": {"exclude": {"tags": ["Spares/One"]}}}))]), SHOP),
    (|world| world.apply(&[value(json!({"tenants": {"tags": ["Spares/One"]}}))]), HOST),
    (|world| world.apply(&[value(json!({"tenants": {"exclude": {"tags": ["Spares/One"]}}}))]), HOST),
    (|world| world.grant("spare", json!({"tenants": {"tags": ["Spares/One"]}})), "target `spare`"),
    (
        |world| world.grant("spare", json!({"tenants": {"exclude": {"tags": ["Spares/One"]}}})),
        "target `spare`",
    ),
    (
        // Whom it serves is found by the smaller set, and it is not this one.
        |world| {
            let two = json!([{"name": "One"}, {"name": "Two"}]);
            world.apply(&[json!({"kind": "tag-set", "name": "Spares", "tags": two})]);
            world.grant("spare", json!({"tenants": {"tags": ["Spares/One", "Spares/Two", "Tier/Gold"]}}));
        },
        "target `spare`",
    ),
    (|world| token(world, json!({"grant": {"tenants": {"tags": ["Spares/One"]}}})), "enrolment token `"),
    (|world| frozen(world, step(json!({"tenants": {"tags": ["Spares/One"]}}))), RELEASE),
    (|world| frozen(world, step(json!({"tenants": {"exclude": {"tags": ["Spares/One"]}}}))), RELEASE),
    (|world| frozen(world, value(json!({"tenants": {"tags": ["Spares/One"]}}))), RELEASE),
    (|world| frozen(world, value(json!({"tenants": {"exclude": {"tags": ["Spares/One"]}}}))), RELEASE),
];

/// What may name a tenant.
const OF_TENANT: &[(Refer, &str)] = &[
    (|world| world.apply(&[step(json!({"tenants": {"tenants": ["Zeta"]}}))]), SHOP),
    (|world| world.apply(&[step(json!({"tenants": {"exclude": {"tenants": ["Zeta"]}}}))]), SHOP),
    (|world| world.apply(&[value(json!({"tenants": {"tenants": ["Zeta"]}}))]), HOST),
    (|world| world.apply(&[value(json!({"tenants": {"exclude": {"tenants": ["Zeta"]}}}))]), HOST),
    (|world| world.grant("spare", json!({"tenants": {"tenants": ["Zeta"]}})), "target `spare`"),
    (|world| world.grant("spare", json!({"tenants": {"exclude": {"tenants": ["Zeta"]}}})), "target `spare`"),
    (|world| token(world, json!({"grant": {"tenants": {"tenants": ["Zeta"]}}})), "enrolment token `"),
    (|world| frozen(world, step(json!({"tenants": {"tenants": ["Zeta"]}}))), RELEASE),
    (|world| frozen(world, step(json!({"tenants": {"exclude": {"tenants": ["Zeta"]}}}))), RELEASE),
    (|world| frozen(world, value(json!({"tenants": {"tenants": ["Zeta"]}}))), RELEASE),
    (|world| frozen(world, value(json!({"tenants": {"exclude": {"tenants": ["Zeta"]}}}))), RELEASE),
];

const OF_LIBRARY_SET: &[(Refer, &str)] = &[
    (|world| world.apply(&[shop(json!({"library-sets": ["Extra"]}))]), "project `Shop`"),
    (|world| zeta(world, json!({"values": {"Extra": {"Region": "eu"}}})), "tenant `Zeta`"),
    (|world| frozen(world, shop(json!({"library-sets": ["Extra"]}))), RELEASE),
];

const OF_TARGET: &[(Refer, &str)] = &[
    (|world| world.apply(&[value(json!({"targets": ["spare"]}))]), HOST),
    (|world| world.apply(&[of_set(json!({"targets": ["spare"]}))]), SET),
    (|world| deployed(world, json!({"only-targets": ["spare"]})), "deployment-"),
    (|world| deployed(world, json!({"exclude-targets": ["spare"]})), "deployment-"),
    (|world| frozen(world, value(json!({"targets": ["spare"]}))), RELEASE),
    (|world| frozen_in_set(world, json!({"targets": ["spare"]})), RELEASE),
];

const OF_LIFECYCLE: &[(Refer, &str)] =
    &[(|world| world.apply(&[shop(json!({"lifecycle": "Slow"}))]), "project `Shop`")];

const OF_PROJECT: &[(Refer, &str)] = &[
    (|world| zeta(world, json!({"projects": {"Shop": ["Staging"]}})), "tenant `Zeta`"),
    (|world| zeta(world, json!({"values": {"Shop": {"Port": "1"}}})), "tenant `Zeta`"),
    (|world| world.release("Shop", "1.0.0"), RELEASE),
];

#[test]
fn every_kind_of_reference_refuses_the_deletion_of_what_it_names_and_says_which_it_is() {
    let base = base();
    let mut rows = 0;
    for (kind, name) in THINGS {
        delete(&mut base.clone(), kind, name).unwrap_or_else(|why| panic!("nothing names {name}: {why:?}"));
        let references = match kind {
            "environment" => OF_ENVIRONMENT,
            "tag-set" | "tag" => OF_TAG,
            "tenant" => OF_TENANT,
            "library-set" => OF_LIBRARY_SET,
            "target" => OF_TARGET,
            "lifecycle" => OF_LIFECYCLE,
            _ => OF_PROJECT,
        };
        for (index, (refer, by)) in references.iter().enumerate() {
            let row = format!("{kind} `{name}`, row {index}, by {by}");
            let mut world = base.clone();
            refer(&mut world);
            let problem = delete(&mut world, kind, name).expect_err(&row);
            let start = format!("the {kind} `{name}` is in use by {by}");
            assert!(problem.message.contains(&start), "{row}: {}", problem.message);
            assert!(problem.message.ends_with("; take it out there first"), "{row}: {}", problem.message);
            assert!(!problem.message.contains("`, "), "{row}, and nothing else: {}", problem.message);
            rows += 1;
        }
    }
    assert_eq!(rows, 13 + 2 * 13 + 11 + 3 + 6 + 1 + 3);
}

#[test]
fn deployments_that_are_not_over_hold_their_tenant_and_environment_whether_they_run_or_wait() {
    let mut world = base();
    world.release("Web", "1.0.0");
    zeta(&mut world, json!({"projects": {"Web": ["Testing"]}, "tags": ["Ring/Stable"]}));
    let grant = json!({"roles": ["web"], "environments": ["Testing"], "tenants": {"tags": ["Ring/Stable"]}});
    world.enrol("busy", grant);
    let request = json!({"project": "Web", "version": "1.0.0", "environments": ["Testing"], "tenants": {"tenants": ["Zeta"]}});
    let [running, waiting] = [0, 1].map(|_| world.deploy(request.clone()).to_string());
    for (kind, name) in [("tenant", "Zeta"), ("environment", "Testing")] {
        let problem = world.delete(kind, name).expect_err("it is deployed to");
        let names = |id: &String| problem.message.contains(id);
        assert!(names(&running) && names(&waiting), "{}", problem.message);
    }
}

#[test]
fn a_step_of_an_old_release_excludes_whom_it_excluded_whatever_was_deleted_since() {
    let mut world = base();
    frozen(&mut world, step(json!({"tenants": {"exclude": {"tags": ["Spares/One"]}}})));
    world.delete("tag-set", "Spares").expect_err("the release excludes who carries it");
    zeta(&mut world, json!({"tags": ["Spares/One"], "projects": {"Shop": ["Staging"]}}));
    world.enrol(
        "web",
        json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": ["Zeta"]}}),
    );
    let request = json!({"project": "Shop", "version": "1.0.0", "environments": ["Staging"], "tenants": {"tenants": ["Zeta"]}});
    zeta(
        &mut world,
        json!({"tags": ["Spares/One"], "projects": {"Shop": ["Staging"]}, "values": {"Shop": {"Port": "1"}}}),
    );
    let id = world.deploy(request);
    assert!(world.reason(id).starts_with("no step had a target; "));
}
