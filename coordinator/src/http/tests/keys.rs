//! Keys of tenants: made with the tenant, whatever it holds, and by nothing else.

use std::fs;

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::desk::{Desk, apply_body};

fn files(desk: &Desk) -> usize {
    fs::read_dir(desk.place.path().join("keys")).unwrap().count()
}

#[tokio::test]
async fn a_tenant_has_its_key_from_when_it_is_made() {
    let desk = Desk::new();
    let before = files(&desk);
    let tenants: Vec<_> =
        (0..20).map(|index| json!({"kind": "tenant", "name": format!("T{index}")})).collect();
    let mut rehearsal = apply_body(&tenants);
    rehearsal["dry-run"] = json!(true);
    desk.post("/apply", rehearsal).await;
    assert_eq!(files(&desk), before, "a rehearsal leaves none behind");
    desk.apply(&tenants).await;
    let state = desk.engine.state();
    let space = state.spaces.values().next().unwrap();
    for tenant in space.tenants.iter() {
        desk.context.vault.expect(tenant.key).unwrap();
    }
    assert_eq!(files(&desk), before + tenants.len());
    // Somebody else's slug is no name: what is called so is another tenant, with a key of its own.
    desk.apply(&[json!({"kind": "tenant", "name": "Alpha", "slug": "beta"})]).await;
    desk.apply(&[json!({"kind": "tenant", "name": "Beta", "slug": "other"})]).await;
    desk.apply(&tenants).await;
    assert_eq!(files(&desk), before + tenants.len() + 2);
    let (status, answer) = desk.send(Method::DELETE, "/definitions/tenant/T0", json!(null)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(files(&desk), before + tenants.len() + 1);
}
