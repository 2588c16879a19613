//! Documents: all or nothing, and no record where nothing changes.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde_json::{Value, json};
use windlass_api::answers::ChangeKind;
use windlass_api::error::Problem;
use windlass_api::requests::{ApplyRequest, PlacedDocument};
use windlass_coordinator_core::decide::{Command, Reply, SpaceCommand, decide_while};

use crate::world::{World, read, small};

fn changes(reply: Reply) -> Vec<ChangeKind> {
    match reply {
        Reply::Applied(changes) => changes.into_iter().map(|change| change.change).collect(),
        other => panic!("not the answer to an apply: {other:?}"),
    }
}

/// One document of each kind, with everything in it that a document can have.
fn everything() -> Vec<Value> {
    vec![
        // Projects may name tenants although tenants come last, and documents come in any order.
        json!({"kind": "project", "name": "Shop", "slug": "shop-2", "tenancy": "tenanted", "lifecycle": "Careful",
            "library-sets": ["Shared"],
            "templates": [{"name": "Port", "label": "The port", "help": "A number", "default": "80"},
                {"name": "Mode", "control": "select", "options": ["fast", "safe"]}],
            "variables": {
                "Same": [{"value": "1"}, {"value": "2"}],
                "Host": [{"value": "a"}, {"value": "b", "environments": ["Staging"], "steps": ["Run"], "roles": ["web"],
                    "tenants": {"tenants": ["Delta"], "tags": ["Ring/Canary"], "exclude": {"tenants": ["Beta"]}}}]},
            "steps": [
                {"name": "Copy", "roles": ["web", "db"], "package": {"id": "shop", "substitute": ["*.json"]}},
                {"name": "Run", "roles": ["web"], "script": {"shell": "python", "body": "#{Host}"}, "needs": ["Port"],
                    "environments": ["Staging"], "exclude-environments": ["Testing"], "timeout-seconds": 60,
                    "safe-to-repeat": true, "concurrent": true, "tenants": {"tags": ["Tier/Gold"]}}]}),
        json!({"kind": "tenant", "name": "Delta", "enabled": false, "tags": ["Ring/Stable", "Tier/Iron"],
            "projects": {"Shop": ["Staging", "Production"]},
            "values": {"Shop": {"Port": 8080, "environments": {"Staging": {"Mode": "safe"}}}, "Shared": {"Debug": "True"}}}),
        json!({"kind": "library-set", "name": "Shared", "templates": [{"name": "Debug", "control": "checkbox"}],
            "variables": {"Zone": [{"value": "x", "environments": ["Testing"]}]}}),
        json!({"kind": "lifecycle", "name": "Careful", "phases": [{"name": "First", "environments": ["Testing", "Staging"], "minimum": 1},
            {"name": "Rest", "optional": true}]}),
        json!({"kind": "tag-set", "name": "Region", "type": "single", "tags": [{"name": "EU", "colour": "#2f6fed"}]}),
        json!({"kind": "environment", "name": "Demo", "description": "For shows", "order": 9}),
    ]
}

#[test]
fn what_is_applied_again_is_unchanged_and_makes_no_record() {
    let mut world = small();
    let first = changes(world.try_apply(&everything()).expect("the documents are right"));
    assert_eq!(first, [ChangeKind::Created; 6]);
    let before = (world.state.digest(), world.records.len());
    for documents in [everything(), everything().into_iter().rev().collect()] {
        let again = changes(world.try_apply(&documents).expect("the documents are right"));
        assert_eq!(again, [ChangeKind::Unchanged; 6]);
        assert_eq!((world.state.digest(), world.records.len()), before);
    }
}

#[test]
fn what_changes_keeps_its_id_and_is_one_record_of_what_differs() {
    let mut world = small();
    world.apply(&everything());
    let before = world.space().projects.named("Shop").expect("it exists").clone();
    let mut documents = everything();
    documents[0]["steps"][1]["script"]["body"] = json!("#{Zone}");
    let events = world.events_of(|world| {
        let all = changes(world.try_apply(&documents).expect("the documents are right"));
        assert_eq!(all.iter().filter(|change| **change == ChangeKind::Changed).count(), 1);
    });
    assert_eq!(events.len(), 1);
    let after = world.space().projects.named("Shop").expect("it exists");
    assert_eq!(after.id, before.id);
    let ids = |project: &windlass_coordinator_core::model::Project| {
        project.steps.iter().map(|step| step.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(after), ids(&before));
    assert_eq!((&after.templates, &after.variables), (&before.templates, &before.variables));
}

#[test]
fn one_wrong_document_and_nothing_is_done() {
    let mut world = small();
    let before = world.state.digest();
    let mut documents = everything();
    documents.push(json!({"kind": "tenant", "name": "Last", "tags": ["Ring/None"]}));
    world.try_apply(&documents).expect_err("the last one is wrong");
    assert_eq!(world.state.digest(), before);
}

#[test]
fn a_document_never_takes_over_a_thing_that_only_has_its_name_as_a_slug() {
    let mut world = World::new();
    world.apply(&[json!({"kind": "tenant", "name": "Alpha Hospital", "slug": "alpha"})]);
    let problem =
        world.try_apply(&[json!({"kind": "tenant", "name": "alpha"})]).expect_err("the slug is taken");
    let sentence = "the tenant `Alpha Hospital` has this name or the slug `alpha` already; give this one a `slug` of its own";
    assert!(problem.message.ends_with(sentence), "{}", problem.message);
    world.apply(&[json!({"kind": "tenant", "name": "alpha", "slug": "alpha-2"})]);
    assert_eq!(world.space().tenants.len(), 2);
    // A name in another case is the same name.
    world.apply(&[json!({"kind": "tenant", "name": "ALPHA", "slug": "alpha-2"})]);
    assert_eq!(world.space().tenants.len(), 2);
}

#[test]
fn a_project_may_name_a_tenant_of_the_same_apply_by_the_slug_that_its_name_comes_to() {
    let named = |name: &str| {
        json!({"kind": "project", "name": "Shop", "lifecycle": "Free", "steps": [
            {"name": "Run", "roles": ["web"], "script": {"body": "true"}, "tenants": {"tenants": [name]}}]})
    };
    let of_step = |world: &World| {
        let project = world.space().projects.named("Shop").expect("it was made");
        project.steps[0].tenants.tenants.iter().next().copied().expect("it names one")
    };
    let named_tenant = |world: &World, name: &str| world.space().tenants.called(name).expect("it exists").id;
    for (document, name) in [
        (json!({"kind": "tenant", "name": "Capital Animal Hospital"}), "capital-animal-hospital"),
        (json!({"kind": "tenant", "name": "Capital Animal Hospital"}), "CAPITAL animal hospital"),
        (json!({"kind": "tenant", "name": "Capital Animal Hospital", "slug": "capital"}), "capital"),
    ] {
        let mut world = small();
        world.apply(&[named(name), document]);
        assert_eq!(of_step(&world), named_tenant(&world, "Capital Animal Hospital"), "{name}");
    }
    // The slug that it would have had is nothing where it gives another one.
    let given = json!({"kind": "tenant", "name": "Capital Animal Hospital", "slug": "capital"});
    small().try_apply(&[named("capital-animal-hospital"), given]).expect_err("that slug is nobody's");
    // A name counts before a slug, whoever is there already.
    let mut world = small();
    world.apply(&[json!({"kind": "tenant", "name": "Omega", "slug": "last"})]);
    world.apply(&[named("omega"), json!({"kind": "tenant", "name": "Omega!"})]);
    assert_eq!(of_step(&world), named_tenant(&world, "Omega"));
}

/// Shop with these templates, and a library set with these.
fn with_templates(shop: &[&str], shared: &[&str]) -> [Value; 2] {
    let templates = |names: &[&str]| names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>();
    [
        json!({"kind": "project", "name": "Shop", "lifecycle": "Free", "templates": templates(shop)}),
        json!({"kind": "library-set", "name": "Shared", "templates": templates(shared)}),
    ]
}

/// A tenant of Shop in Staging with these values.
fn filled(name: &str, values: Value) -> Value {
    json!({"kind": "tenant", "name": name, "projects": {"Shop": ["Staging"]}, "values": values})
}

#[test]
fn the_values_of_a_template_that_is_taken_out_stay_for_the_releases_that_froze_it() {
    let mut world = small();
    world.apply(&with_steps(&["Port", "Host"], &["Zone"]));
    let values = || json!({"Shared": {"Zone": "eu"}, "Shop": {"Port": "1", "Host": "h", "environments": {"Staging": {"Port": "2"}}}});
    world.apply(&[filled("Delta", values()), filled("Epsilon", values())]);
    world.release("Shop", "1.0.0");
    world.enrol(
        "web",
        json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": ["Delta"]}}),
    );
    let frozen = |world: &World, id| {
        let frozen = world.deployment(id).frozen.clone().expect("it runs");
        frozen.tenant.clone().expect("it is for a tenant").values.len()
    };
    let deploy = |world: &mut World| {
        let request = json!({"project": "Shop", "version": "1.0.0", "environments": ["Staging"], "tenants": {"tenants": ["Delta"]}});
        let id = world.try_deploy(request).expect("the release finds its values")[0];
        assert_eq!(frozen(world, id), 4);
        world.succeed(id);
    };
    // However many tenants have filled it: what is recorded is about the owners alone.
    let events = world.events_of(|world| world.apply(&with_steps(&["Host"], &[])));
    assert_eq!(events.len(), 2, "{events:?}");
    deploy(&mut world);
    // An export of the tenant does not say them, and applying it neither needs nor loses them, also with something else
    // in it that is new.
    let left = json!({"Shop": {"Host": "h"}});
    assert_eq!(changes_of(&mut world, &filled("Delta", left.clone())), [ChangeKind::Unchanged]);
    let mut tagged = filled("Delta", left);
    tagged["tags"] = json!(["Ring/Stable"]);
    assert_eq!(changes_of(&mut world, &tagged), [ChangeKind::Changed]);
    deploy(&mut world);
    // A template of the old name is the old one, in whatever case it is written, and still filled.
    world.apply(&with_steps(&["Host", "PORT"], &["Zone"]));
    tagged["values"] = values();
    assert_eq!(changes_of(&mut world, &tagged), [ChangeKind::Unchanged]);
    deploy(&mut world);
    // What a document leaves out of what is there, goes.
    tagged["values"] = json!({});
    world.apply(&[tagged]);
    assert!(world.space().tenants.named("Delta").expect("it exists").values.is_empty());
}

#[test]
fn values_that_are_of_no_use_to_anybody_hold_nothing_and_go_when_their_tenant_is_written() {
    let mut world = small();
    world.apply(&with_steps(&["Port"], &["Zone"]));
    world.apply(&[
        json!({"kind": "environment", "name": "Spare"}),
        filled(
            "Delta",
            json!({"Shared": {"Zone": "eu"}, "Shop": {"environments": {"Spare": {"Port": "2"}}}}),
        ),
    ]);
    world.apply(&with_steps(&[], &[]));
    world.apply(&[json!({"kind": "project", "name": "Shop", "lifecycle": "Free", "steps": steps()})]);
    world.delete("library-set", "Shared").expect("what nobody sees does not hold it");
    world.delete("environment", "Spare").expect("what nobody sees does not hold it");
    let values = |world: &World| world.space().tenants.named("Delta").expect("it exists").values.len();
    assert_eq!(values(&world), 2);
    assert_eq!(changes_of(&mut world, &filled("Delta", json!({}))), [ChangeKind::Unchanged]);
    let mut tagged = filled("Delta", json!({}));
    tagged["tags"] = json!(["Ring/Stable"]);
    world.apply(&[tagged]);
    assert_eq!(values(&world), 0);
}

#[test]
fn a_value_for_an_environment_that_is_gone_does_not_come_back_with_its_template() {
    let mut world = small();
    world.apply(&[json!({"kind": "environment", "name": "Old"})]);
    world.apply(&with_steps(&["Port"], &[]));
    world.apply(&[filled("Gamma", json!({"Shop": {"environments": {"Old": {"Port": "2"}}}}))]);
    world.apply(&with_steps(&[], &[]));
    world.delete("environment", "Old").expect("what nobody sees does not hold it");
    let mut back = with_steps(&["Port"], &[]);
    back[0]["templates"] = json!([{"name": "Port", "control": "select", "options": ["1"]}]);
    world.apply(&back);
    let seen = |world: &World| {
        let gamma = world.space().tenants.named("Gamma").expect("it exists");
        (world.space().values_of(gamma).count(), gamma.values.len())
    };
    assert_eq!(seen(&world), (0, 1));
    assert_eq!(changes_of(&mut world, &filled("Gamma", json!({}))), [ChangeKind::Unchanged], "as exported");
    let mut tagged = filled("Gamma", json!({}));
    tagged["tags"] = json!(["Ring/Stable"]);
    world.apply(&[tagged]);
    assert_eq!(seen(&world), (0, 0));
}

#[test]
fn a_project_remembers_the_templates_that_it_had_last_and_not_all_that_it_ever_had() {
    let mut world = small();
    let names = |round: usize| (0..300).map(|index| format!("T{round} {index}")).collect::<Vec<_>>();
    let mut ids = Vec::new();
    for round in 0..5 {
        let names = names(round);
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        world.apply(&with_steps(&names, &[]));
        ids.push(world.space().projects.named("Shop").expect("it exists").templates[0].id);
    }
    world.apply(&with_steps(&["T3 0", "T0 0"], &[]));
    let shop = world.space().projects.named("Shop").expect("it exists");
    assert_eq!(shop.retired.len(), 1000);
    assert_eq!(shop.templates[0].id, ids[3], "one of the last comes back");
    assert_ne!(shop.templates[1].id, ids[0], "the first ones are forgotten");
}

fn steps() -> Value {
    json!([{"name": "Run", "roles": ["web"], "script": {"body": "true"}}])
}

/// The same, where Shop includes the set and has a step.
fn with_steps(shop: &[&str], shared: &[&str]) -> [Value; 2] {
    let [mut shop, set] = with_templates(shop, shared);
    shop["tenancy"] = json!("tenanted");
    shop["library-sets"] = json!(["Shared"]);
    shop["steps"] = steps();
    [shop, set]
}

fn changes_of(world: &mut World, document: &Value) -> Vec<ChangeKind> {
    changes(world.try_apply(std::slice::from_ref(document)).expect("the document is right"))
}

#[test]
fn after_the_last_order_that_there_is_an_environment_needs_one_of_its_own() {
    let mut world = crate::world::small();
    world.apply(&[json!({"kind": "environment", "name": "Last", "order": u32::MAX})]);
    let problem =
        world.try_apply(&[json!({"kind": "environment", "name": "Next"})]).expect_err("none is left");
    assert!(
        problem.message.ends_with(
            "no `order` comes after that of the environment `Last`, which is 4294967295; give this one an `order`, or that \
             one a lower one"
        ),
        "{}",
        problem.message
    );
    world.apply(&[
        json!({"kind": "environment", "name": "Next", "order": 3}),
        json!({"kind": "environment", "name": "Last"}),
    ]);
    let orders = world.space().environments_in_order();
    let orders: Vec<_> = orders.iter().map(|one| (one.name.as_str(), one.order)).collect();
    assert_eq!(orders[3..], [("Next", 3), ("Last", u32::MAX)], "what has one keeps it");
}

#[test]
fn an_apply_ends_with_the_next_document_when_nobody_waits_for_it_any_more() {
    let mut world = small();
    let documents = (0..5).map(|number| {
        let document = read(&json!({"kind": "environment", "name": format!("E{number}")}));
        PlacedDocument { place: String::new(), document }
    });
    let request = ApplyRequest { documents: documents.collect(), dry_run: true, only_add: false };
    let apply = SpaceCommand::Apply { request, keys: BTreeMap::new() };
    let command = Command::Space(world.space_id(), apply);
    let (envelope, asked) = (world.envelope(), Cell::new(0));
    let gone = || {
        asked.set(asked.get() + 1);
        if asked.get() < 3 { Ok(()) } else { Err(Problem::failed("gone")) }
    };
    let decided = decide_while(&world.state, &envelope, &command, &gone).map(|decision| decision.reply);
    assert_eq!((decided.expect_err("nobody waits").message.as_str(), asked.get()), ("gone", 3));
    assert!(decide_while(&world.state, &envelope, &command, &|| Ok(())).is_ok());
}
