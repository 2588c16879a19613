//! Which value wins.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use windlass_coordinator_core::plan;
use windlass_coordinator_core::variables::{Context, Needs, Rank, Resolution, candidates, resolve};

use super::{port, released, request, value, web};
use crate::world::small;

/// The dimensions in the order of SEMANTICS 6, each with a scope that admits Alpha in Staging on `machine` (roles
/// `web`, which the step targets, and `extra`, which it does not) in the step `Install`.
fn dimensions() -> [(&'static str, Value); 7] {
    [
        ("step", json!({"steps": ["Install"]})),
        ("target", json!({"targets": ["machine"]})),
        ("role of the step", json!({"roles": ["web"]})),
        ("role", json!({"roles": ["extra"]})),
        ("tenant", json!({"tenants": {"tenants": ["Alpha"]}})),
        ("tenant tag", json!({"tenants": {"tags": ["Ring/Canary"]}})),
        ("environment", json!({"environments": ["Staging"]})),
    ]
}

#[test]
fn a_value_with_an_earlier_dimension_beats_one_with_all_later_ones() {
    let dimensions = dimensions();
    for (place, (name, earlier)) in dimensions.iter().enumerate() {
        let mut later = json!({});
        for (_, scope) in &dimensions[place + 1..] {
            merge(&mut later, scope);
        }
        // A tenant scope with a name in it counts as *tenant*; so *tag* is tried without the name.
        if *name == "tenant tag" {
            later = json!({"environments": ["Staging"]});
        }
        // The loser stands first, so that order is not what decides.
        let values = [value("later", &later), value("earlier", earlier)];
        let world = released(json!({"variables": {"Port": values}}));
        let (found, source) = port(&world, Some("Alpha"));
        assert_eq!(found.as_deref(), Some("earlier"), "{name} against {later}");
        assert_eq!(source, format!("project, scoped by {name}"));
    }
}

/// Adds a scope's dimensions to another one's. The roles of a value are one dimension, and so are its tenants.
fn merge(into: &mut Value, scope: &Value) {
    for (key, names) in scope.as_object().expect("an object") {
        into[key] = names.clone();
    }
}

#[test]
fn values_in_every_place_win_in_the_order_of_the_rules() {
    let template = |name, keys: Value| {
        let mut template = json!({"name": name});
        merge(&mut template, &keys);
        template
    };
    let set = |name: &str, keys: Value| {
        let mut document = json!({"kind": "library-set", "name": name});
        merge(&mut document, &keys);
        document
    };
    let unscoped = |text| json!({"Port": [{"value": text}]});
    let mut world = small();
    let own = json!({"Shared": {"Port": "7"}});
    let alpha = |values: Value| {
        json!({"kind": "tenant", "name": "Alpha", "tags": ["Ring/Canary"],
        "projects": {"Web": ["Staging"]}, "values": values})
    };
    world.enrol(
        "machine",
        json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}}),
    );
    let staging = json!({"Port": [{"value": "5", "environments": ["Staging"]}]});
    // Each row adds what wins over all rows before.
    let rows: [(&str, Vec<Value>); 6] = [
        (
            "the template's default",
            vec![
                set("Shared", json!({"templates": [template("Port", json!({"default": "1"}))]})),
                set("Other", json!({})),
                web(json!({"library-sets": ["Shared", "Other"]})),
            ],
        ),
        ("library set `Other`", vec![set("Other", json!({"variables": unscoped("2")}))]),
        (
            "library set `Shared`",
            vec![set(
                "Shared",
                json!({"variables": unscoped("3"), "templates": [template("Port", json!({"default": "1"}))]}),
            )],
        ),
        ("project", vec![web(json!({"library-sets": ["Shared", "Other"], "variables": unscoped("4")}))]),
        ("library set `Other`, scoped by environment", vec![set("Other", json!({"variables": staging}))]),
        ("the tenant's value for library set `Shared`", vec![alpha(own)]),
    ];
    for (index, (source, documents)) in rows.into_iter().enumerate() {
        world.apply(&documents);
        let version = format!("{}.0.0", index + 1);
        world.release("Web", &version);
        let mut wanted = request(Some("Alpha"));
        wanted["version"] = json!(version);
        let wanted = serde_json::from_value(wanted).expect("the request is right");
        let plan = plan::plan(world.space(), &wanted, world.now, &|_| true).expect("it can be planned");
        assert_eq!(plan.deployments[0].steps[0].variables[0].source, source);
    }
}

#[test]
fn two_equal_values_are_an_error_that_names_both_and_nothing_starts() {
    let scopes =
        [json!({}), json!({"environments": ["Staging"]}), json!({"tenants": {"tags": ["Ring/Canary"]}})];
    for scope in scopes {
        let mut world = released(json!({"variables": {"Port": [value("1", &scope), value("2", &scope)]}}));
        let problem = world.try_deploy(request(Some("Alpha"))).expect_err("nothing is picked at random");
        let expected = "step `Install`: `Port` has two values that nothing tells apart";
        assert!(problem.message.starts_with(expected), "{}", problem.message);
        assert_eq!(world.space().deployments.len(), 0);
    }
    // Where another value decides, the equal ones do not matter.
    let values =
        [value("1", &json!({})), value("2", &json!({})), value("3", &json!({"environments": ["Staging"]}))];
    let world = released(json!({"variables": {"Port": values}}));
    assert_eq!(port(&world, Some("Alpha")).0.as_deref(), Some("3"));
}

#[test]
fn a_value_that_is_scoped_to_tenants_never_applies_untenanted() {
    let scopes = [
        json!({"tenants": {"tenants": ["Alpha"]}}),
        json!({"tenants": {"tags": ["Ring/Canary"]}}),
        json!({"tenants": {"exclude": {"tenants": ["Beta"]}}}),
    ];
    for scope in scopes {
        let world = released(json!({"variables": {"Port": [value("tenant's", &scope)]}}));
        assert_eq!(port(&world, Some("Alpha")).0.as_deref(), Some("tenant's"), "{scope}");
        assert_eq!(port(&world, Some("Beta")).0, None, "{scope}");
        assert_eq!(port(&world, None).0, None, "{scope}");
    }
}

#[test]
fn a_value_scoped_to_a_role_applies_only_with_the_effective_role() {
    let mut world = released(json!({"variables": {"Port": [{"value": "1", "roles": ["extra"]}]}}));
    assert_eq!(port(&world, None).0.as_deref(), Some("1"));
    let id = world.space().targets.named("machine").expect("it exists").id;
    let roles = Some(vec!["web".to_owned()]);
    world.advertise(id, windlass_protocol::message::Advertised { roles, ..Default::default() });
    assert_eq!(port(&world, None).0, None, "granted, but not advertised");
}

#[test]
fn candidates_come_with_the_winner_first_and_names_ignore_case() {
    let world = released(
        json!({"variables": {"Port": [{"value": "1"}, {"value": "2", "environments": ["Staging"]}]}}),
    );
    let release = world.space().releases.values().next().expect("there is one");
    let context = Context {
        snapshot: &release.snapshot,
        tenant: None,
        tenant_values: None,
        environment: world.space().environments.named("Staging").expect("it exists").id,
        target: None,
        step: None,
    };
    let ranks: Vec<Rank> = candidates("PORT", &context).iter().map(|candidate| candidate.rank).collect();
    assert_eq!(ranks.len(), 2);
    assert!(ranks[0] > ranks[1]);
    assert_eq!(ranks[0].decided(ranks[1]), "environment");
    assert!(matches!(resolve("por", &context), Resolution::Undefined), "a part of a name is no name");
    assert_eq!(Needs::of(&BTreeSet::new(), &context), Needs::default());
}
