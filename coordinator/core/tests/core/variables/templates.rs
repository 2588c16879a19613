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
