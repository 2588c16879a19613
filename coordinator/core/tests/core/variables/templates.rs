//! Templates: what a tenant fills, and what is missing.

use serde_json::{Value, json};

use super::{port, released, request, web};

#[test]
fn a_tenants_value_for_one_environment_wins_over_its_value_for_all() {
    let mut world = released(json!({"templates": [{"name": "Port", "default": "1"}]}));
    assert_eq!(port(&world, Some("Alpha")), (Some("1".to_owned()), "the template's default".to_owned()));
    assert_eq!(port(&world, None), (Some("1".to_owned()), "the template's default".to_owned()));
    let alpha = |values: Value| json!({"kind": "tenant", "name": "Alpha", "projects": {"Web": ["Testing", "Staging"]}, "values": {"Web": values}});
    for (values, expected) in [
        (json!({"Port": "2"}), "2"),
        (json!({"port": "2", "environments": {"Staging": {"PORT": "3"}}}), "3"),
        (json!({"Port": "2", "environments": {"Testing": {"Port": "3"}}}), "2"),
    ] {
        world.apply(&[alpha(values)]);
        assert_eq!(port(&world, Some("Alpha")).0.as_deref(), Some(expected));
        assert_eq!(port(&world, Some("Beta")).0.as_deref(), Some("1"), "another tenant's is its own");
    }
}

#[test]
fn what_is_missing_refuses_the_deployment_before_anything_starts_and_is_listed() {
    let templates =
        json!([{"name": "Host"}, {"name": "Port", "default": "1"}, {"name": "Key", "control": "sensitive"}]);
    let mut world = released(json!({"templates": templates}));
    for tenant in [Some("Alpha"), None] {
        let problem = world.try_deploy(request(tenant)).expect_err("it is incomplete");
        assert!(problem.message.ends_with(": needs values for Host, Key"), "{}", problem.message);
    }
    world.apply(&[web(json!({"templates": templates, "variables": {"host": [{"value": "h"}], "Key": [{"value": "k", "environments": ["Testing"]}]}}))]);
    world.release("Web", "2.0.0");
    let mut later = request(None);
    later["version"] = json!("2.0.0");
    let problem = world.try_deploy(later).expect_err("Key applies elsewhere");
    assert!(problem.message.ends_with(": needs values for Key"), "{}", problem.message);
}

#[test]
fn a_template_does_not_ask_for_what_the_tenants_values_are_not_and_who_has_them_is_named() {
    let template = |control: Value| {
        let mut template = control;
        template["name"] = json!("Word");
        json!([template])
    };
    let of_web = |templates: Value| web(json!({"templates": templates}));
    let of_set = |templates: Value| json!({"kind": "library-set", "name": "Shared", "templates": templates});
    let filled = |name: &str, owner: &str, value: Value| json!({"kind": "tenant", "name": name, "projects": {"Web": ["Staging"]}, "values": {owner: {"Word": value}}});
    let sensitive = template(json!({"control": "sensitive"}));
    let cases = [
        (sensitive.clone(), "a sensitive value", json!({"secret": "hunter2"})),
        (template(json!({"control": "checkbox"})), "`True` or `False`", json!("True")),
        (
            template(json!({"control": "select", "options": ["one", "two"]})),
            "one of its `options`",
            json!("two"),
        ),
        (template(json!({"control": "single-line"})), "a single line", json!("one line")),
    ];
    let several = template(json!({"control": "multi-line"}));
    type Owner<'a> = (&'a str, &'a dyn Fn(Value) -> Value);
    let owners: [Owner<'_>; 2] = [("Web", &of_web), ("Shared", &of_set)];
    for ((other, wanted, fitting), (owner, define)) in
        cases.iter().flat_map(|case| owners.iter().map(move |owner| (case, owner)))
    {
        let mut world = released(json!({}));
        world.apply(&[define(several.clone())]);
        world.apply(&["Alpha", "Beta"].map(|name| filled(name, owner, json!("hunter2\nhunter3"))));
        // One that was taken out for a while asks for what it did, or for what there is.
        for gone in [false, true] {
            if gone {
                world.apply(&[define(json!([]))]);
            }
            let problem = world.try_apply(&[define(other.clone())]).expect_err("nobody has such a value");
            let expected = format!(
                "template `Word`: what it would ask for is {wanted}, and the values of these tenants are not: `Alpha`, \
                 `Beta`; give them others, before or in the same apply"
            );
            assert!(problem.message.ends_with(&expected), "{}", problem.message);
            assert!(!problem.message.contains("hunter"), "no value is told");
        }
        world.apply(&[define(several.clone())]);
        let all = ["Alpha", "Beta"].map(|name| filled(name, owner, fitting.clone()));
        let problem = world.try_apply(&[define(other.clone()), all[0].clone()]).expect_err("Beta's is left");
        assert!(problem.message.contains("are not: `Beta`;"), "{}", problem.message);
        world.apply(&[define(other.clone()), all[0].clone(), all[1].clone()]);
    }
}
