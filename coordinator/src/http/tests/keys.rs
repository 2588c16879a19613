//! Keys of tenants: made with the tenant, whatever it holds, and by nothing else.

use std::io::ErrorKind;

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::desk::{Desk, apply_body, sample};
use crate::vault::KeyName;

#[tokio::test]
async fn a_tenant_has_its_key_from_when_it_is_made() {
    let desk = Desk::new();
    let before = desk.data_keys().len();
    let tenants: Vec<_> =
        (0..20).map(|index| json!({"kind": "tenant", "name": format!("T{index}")})).collect();
    let mut rehearsal = apply_body(&tenants);
    rehearsal["dry-run"] = json!(true);
    desk.post("/apply", rehearsal).await;
    assert_eq!(desk.data_keys().len(), before, "a rehearsal leaves none behind");
    desk.apply(&tenants).await;
    let state = desk.engine.state();
    let space = state.spaces.values().next().unwrap();
    for tenant in space.tenants.iter() {
        desk.context.vault.expect(tenant.key).unwrap();
    }
    assert_eq!(desk.data_keys().len(), before + tenants.len());
    // Somebody else's slug is no name: what is called so is another tenant, with a key of its own.
    desk.apply(&[json!({"kind": "tenant", "name": "Alpha", "slug": "beta"})]).await;
    desk.apply(&[json!({"kind": "tenant", "name": "Beta", "slug": "other"})]).await;
    desk.apply(&tenants).await;
    assert_eq!(desk.data_keys().len(), before + tenants.len() + 2);
    let (status, answer) = desk.send(Method::DELETE, "/definitions/tenant/T0", json!(null)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(desk.data_keys().len(), before + tenants.len() + 1);
}

/// A tenant of the sample's project with this value of its own.
fn tenant(name: &str, secret: &str) -> serde_json::Value {
    let values = json!({"Synergy": {"environments": {"Production": {"SynergyApiKey": {"secret": secret}}}}});
    json!({"kind": "tenant", "name": name, "projects": {"Synergy": ["Production"]}, "values": values})
}

#[tokio::test]
async fn a_missing_key_of_a_tenant_refuses_what_is_that_tenants_by_name_and_nothing_else() {
    let mut desk = Desk::new();
    desk.apply(&sample()).await;
    desk.apply(&[tenant("Alpha", "a canary"), tenant("Beta", "a canary")]).await;
    let state = desk.engine.state();
    let key = state.space_named(None).unwrap().tenants.named("Alpha").unwrap().key;
    desk.keys.lose(KeyName::Data(key));
    desk.forget_keys();
    let (status, problem) =
        desk.send(Method::POST, "/apply", apply_body(&[tenant("Alpha", "another")])).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let said = "sample.yaml:1: tenant `Alpha`: its key is missing; the coordinator's log tells which file to restore";
    assert_eq!(problem["message"], said);
    assert!(!desk.data_keys().contains(&key), "no other takes its place");
    // The others', the space's, and what of it holds no secret.
    desk.apply(&[tenant("Beta", "another"), tenant("Gamma", "a canary")]).await;
    let mut project = sample().remove(8);
    project["variables"]["LogLevel"][2]["value"]["secret"] = json!("another canary");
    desk.apply(&[project]).await;
    desk.apply(&[json!({"kind": "tenant", "name": "Alpha", "enabled": false})]).await;
    let (status, answer) = desk.send(Method::DELETE, "/definitions/tenant/Alpha", json!(null)).await;
    assert_eq!(status, StatusCode::OK, "what is lost can be destroyed: {answer}");
}

#[tokio::test]
async fn a_tenant_whose_key_finds_no_room_is_not_made_and_the_full_disk_is_said() {
    let desk = Desk::new();
    let tenant = json!({"kind": "tenant", "name": "Alpha"});
    for (trouble, kind) in [(ErrorKind::StorageFull, 507), (ErrorKind::NotConnected, 422)] {
        desk.keys.set_trouble(Some(trouble));
        let (status, problem) =
            desk.send(Method::POST, "/apply", apply_body(std::slice::from_ref(&tenant))).await;
        assert_eq!(status.as_u16(), kind, "{problem}");
        assert!(desk.get("/definitions/tenant").await["items"].as_array().unwrap().is_empty());
    }
    desk.keys.set_trouble(None);
    desk.apply(&[tenant]).await;
}
