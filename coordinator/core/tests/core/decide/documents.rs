//! Documents: all or nothing, and no record where nothing changes.

use serde_json::{Value, json};
use windlass_api::answers::ChangeKind;
use windlass_coordinator_core::decide::Reply;

use crate::world::{World, small};

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
