//! What an `apply` says that it changes: the names of all that is added, changed and removed, and no value.

use serde_json::{Value, json};
use windlass_coordinator_core::decide::Reply;

use crate::golden;
use crate::world::{World, small};

/// One of each kind, with much in it.
fn whole() -> Vec<Value> {
    vec![
        json!({"kind": "environment", "name": "Demo", "description": "For shows", "order": 9}),
        json!({"kind": "tag-set", "name": "Region", "type": "single",
            "tags": [{"name": "EU", "colour": "#2f6fed"}, {"name": "US"}, {"name": "Asia"}]}),
        json!({"kind": "lifecycle", "name": "Careful", "phases": [
            {"name": "First", "environments": ["Testing", "Staging"], "minimum": 1}, {"name": "Rest", "optional": true}]}),
        json!({"kind": "library-set", "name": "Shared",
            "templates": [{"name": "Zone"}, {"name": "Pin", "control": "sensitive"}],
            "variables": {"Url": [{"value": "u"}], "Key": [{"value": {"secret": "canary-1"}}, {"value": {"secret": "canary-2"},
                "environments": ["Staging"]}]}}),
        json!({"kind": "project", "name": "Shop", "tenancy": "tenanted", "lifecycle": "Free", "library-sets": ["Shared"],
            "templates": [{"name": "Port", "label": "The port"},
                {"name": "ApiKey", "control": "sensitive", "default": {"secret": "canary-3"}}],
            "variables": {"Host": [{"value": "canary-4"}]},
            "steps": [
                {"name": "Copy", "roles": ["web", "db"], "package": {"id": "shop", "substitute": ["*.json"]}},
                {"name": "Run", "roles": ["web"], "script": {"body": "true"}, "needs": ["Port"], "timeout-seconds": 60}]}),
        json!({"kind": "tenant", "name": "Customer-3", "tags": ["Ring/Stable", "Tier/Iron"],
            "projects": {"Shop": ["Staging", "Production"], "Web": ["Testing"]},
            "values": {"Shared": {"Zone": "eu", "Pin": {"secret": "canary-5"}},
                "Shop": {"Port": "1", "environments": {"Staging": {"ApiKey": {"secret": "canary-6"}}}}}}),
    ]
}

/// The answer of an `apply`, as people are told.
fn told(world: &mut World, documents: &[Value]) -> String {
    let Reply::Applied(changes) = world.try_apply(documents).expect("the documents are right") else {
        panic!("not the answer to an apply");
    };
    let mut text = String::new();
    for change in changes {
        let change = serde_json::to_value(change).expect("an answer");
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        text += &format!("{} {}: {}", word(&change["kind"]), word(&change["name"]), word(&change["change"]));
        text +=
            &change["renamed_from"].as_str().map(|name| format!(", renamed from {name}")).unwrap_or_default();
        text += &change["more"].as_u64().map(|more| format!(", {more} more")).unwrap_or_default();
        for field in change["fields"].as_array().into_iter().flatten() {
            let secrets = field["secrets_removed"].as_u64().map(|number| format!(" ({number} secrets)"));
            let line = format!(
                "\n  {} {}{}",
                word(&field["change"]),
                word(&field["field"]),
                secrets.unwrap_or_default()
            );
            text += &line;
        }
        text.push('\n');
    }
    text
}

#[test]
fn an_apply_tells_by_name_what_it_adds_changes_and_removes_of_every_kind() {
    let mut world = small();
    let mut text = format!("# new\n{}", told(&mut world, &whole()));
    text += &format!("# again\n{}", told(&mut world, &whole()));
    let alone = json!({"kind": "tenant", "name": "customer-3"});
    text += &format!("# a tenant alone\n{}", told(&mut world, &[alone]));
    text += &format!("# its values back\n{}", told(&mut world, &whole()[5..]));
    let bare = [
        json!({"kind": "environment", "name": "Demo"}),
        json!({"kind": "lifecycle", "name": "careful", "phases": [{"name": "First", "environments": ["Testing"]}]}),
        json!({"kind": "tenant", "name": "customer-3"}),
        json!({"kind": "library-set", "name": "Shared", "variables": {"Key": [{"value": {"sensitive": "unchanged"}}]}}),
        json!({"kind": "project", "name": "Shop", "lifecycle": "Free", "steps": [
            {"name": "Copy", "roles": ["web"], "package": {"id": "other"}}]}),
        json!({"kind": "tag-set", "name": "Region", "tags": [{"name": "US"}, {"name": "EU"}]}),
    ];
    text += &format!("# nothing but what has to be\n{}", told(&mut world, &bare));
    text += &format!("# whole again\n{}", told(&mut world, &whole()));
    let mut turned = whole();
    turned[4]["steps"].as_array_mut().expect("steps").reverse();
    text += &format!("# another order\n{}", told(&mut world, &turned[4..5]));
    assert!(!text.contains("canary"), "{text}");
    golden::check("differences-of-documents", "What an `apply` says that it does, of every kind.", &text);
}

#[test]
fn of_many_changes_the_first_are_told_and_the_others_counted() {
    let mut world = small();
    let variables = |name: &str, number: usize| {
        let variables = (0..number).map(|index| (format!("V{index:04}"), json!([{"value": "v"}])));
        json!({"kind": "library-set", "name": name, "variables": variables.collect::<serde_json::Map<_, _>>()})
    };
    world.apply(&[variables("One", 50)]);
    let answer = told(&mut world, &[variables("One", 20)]);
    assert_eq!(answer.lines().count(), 21, "{answer}");
    assert!(answer.starts_with("library-set One: changed, 10 more\n  removed variables/V0020\n"), "{answer}");
    let many = |number| (0..150).map(|index| variables(&format!("Set {index}"), number)).collect::<Vec<_>>();
    world.apply(&many(20));
    let answer = told(&mut world, &many(0));
    assert_eq!(answer.lines().filter(|line| line.starts_with("  removed")).count(), 2000);
    assert_eq!(answer.lines().filter(|line| line.ends_with("changed, 20 more")).count(), 50);
}

#[test]
fn long_words_are_cut_where_they_are_told() {
    let mut world = small();
    let set = |letter: &str| {
        let options = [letter.repeat(2000), "other".to_owned()];
        json!({"kind": "library-set", "name": "One", "templates": [{"name": "T", "control": "select", "options": options}]})
    };
    world.apply(&[set("x")]);
    let answer = told(&mut world, &[set("y")]);
    assert!(answer.lines().all(|line| line.chars().count() < 120), "{answer}");
    assert!(answer.contains(&format!("{}…", "x".repeat(64))), "{answer}");
}
