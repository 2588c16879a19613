//! Keys of tenants: made with the tenant, whatever it holds, and by nothing else.

use std::io::ErrorKind;
use std::thread;
use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use serde_json::json;
use tokio::runtime::Handle;
use windlass_api::error::{Problem, ProblemKind};
use windlass_protocol::ids::KeyId;

use super::api::{ApiFixture, apply_body, sample};
use crate::http::refusal::Refusal;
use crate::vault::KeyName;

#[tokio::test]
async fn a_tenant_has_its_key_from_when_it_is_made() {
    let api = ApiFixture::new();
    let before = api.data_keys().len();
    let tenants: Vec<_> =
        (0..20).map(|index| json!({"kind": "tenant", "name": format!("T{index}")})).collect();
    let mut rehearsal = apply_body(&tenants);
    rehearsal["dry-run"] = json!(true);
    api.post("/apply", rehearsal).await;
    assert_eq!(api.data_keys().len(), before, "a rehearsal leaves none behind");
    api.apply(&tenants).await;
    let state = api.engine.state();
    let space = state.spaces.values().next().unwrap();
    for tenant in space.tenants.iter() {
        api.context.services.vault.expect(tenant.key).unwrap();
    }
    assert_eq!(api.data_keys().len(), before + tenants.len());
    // Somebody else's slug is no name: what is called so is another tenant, with a key of its own.
    api.apply(&[json!({"kind": "tenant", "name": "Alpha", "slug": "beta"})]).await;
    api.apply(&[json!({"kind": "tenant", "name": "Beta", "slug": "other"})]).await;
    api.apply(&tenants).await;
    assert_eq!(api.data_keys().len(), before + tenants.len() + 2);
    let (status, answer) = api.send(Method::DELETE, "/definitions/tenant/T0", json!(null)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(api.data_keys().len(), before + tenants.len() + 1);
}

/// A tenant of the sample's project with this value of its own.
fn tenant(name: &str, secret: &str) -> serde_json::Value {
    let values = json!({"Synergy": {"environments": {"Production": {"SynergyApiKey": {"secret": secret}}}}});
    json!({"kind": "tenant", "name": name, "projects": {"Synergy": ["Production"]}, "values": values})
}

#[tokio::test]
async fn a_missing_key_of_a_tenant_refuses_what_is_that_tenants_by_name_and_nothing_else() {
    let mut api = ApiFixture::new();
    api.apply(&sample()).await;
    api.apply(&[tenant("Alpha", "a canary"), tenant("Beta", "a canary")]).await;
    let state = api.engine.state();
    let key = state.space_named(None).unwrap().tenants.named("Alpha").unwrap().key;
    api.keys.lose(KeyName::Data(key));
    api.forget_keys();
    let (status, problem) = api.send(Method::POST, "/apply", apply_body(&[tenant("Alpha", "another")])).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let said = "sample.yaml:1: tenant `Alpha`: its key is missing; the coordinator's log tells which file to restore";
    assert_eq!(problem["message"], said);
    assert!(!api.data_keys().contains(&key), "no other takes its place");
    // The others', the space's, and what of it holds no secret.
    api.apply(&[tenant("Beta", "another"), tenant("Gamma", "a canary")]).await;
    let mut project = sample().remove(8);
    project["variables"]["LogLevel"][2]["value"]["secret"] = json!("another canary");
    api.apply(&[project]).await;
    api.apply(&[json!({"kind": "tenant", "name": "Alpha", "enabled": false})]).await;
    let (status, answer) = api.send(Method::DELETE, "/definitions/tenant/Alpha", json!(null)).await;
    assert_eq!(status, StatusCode::OK, "what is lost can be destroyed: {answer}");
}

#[tokio::test]
async fn a_tenant_whose_key_finds_no_room_is_not_made_and_the_full_disk_is_said() {
    let api = ApiFixture::new();
    let tenant = json!({"kind": "tenant", "name": "Alpha"});
    for (trouble, kind) in [(ErrorKind::StorageFull, 507), (ErrorKind::NotConnected, 422)] {
        api.keys.set_trouble(Some(trouble));
        let (status, problem) =
            api.send(Method::POST, "/apply", apply_body(std::slice::from_ref(&tenant))).await;
        assert_eq!(status.as_u16(), kind, "{problem}");
        assert!(api.get("/definitions/tenant").await["items"].as_array().unwrap().is_empty());
    }
    api.keys.set_trouble(None);
    api.apply(&[tenant]).await;
}

#[tokio::test]
async fn keys_of_refused_applies_go_and_those_that_a_record_may_name_stay() {
    let api = ApiFixture::new();
    api.apply(&[json!({"kind": "tenant", "name": "There"})]).await;
    let (vault, before) = (&api.context.services.vault, api.data_keys());
    // Refused by the decision, after the keys were made.
    let other = json!({"kind": "tenant", "name": "Other"});
    let decided = json!({"kind": "tenant", "name": "New", "tags": ["No such/Tag"]});
    let (status, problem) = api.send(Method::POST, "/apply", apply_body(&[other.clone(), decided])).await;
    assert!(status.is_client_error(), "{problem}");
    assert_eq!(api.data_keys().len(), before.len() + 2);
    // It is tried again until the store does it.
    api.keys.set_trouble(Some(ErrorKind::PermissionDenied));
    vault.discard_unnamed(|| api.engine.state());
    api.keys.set_trouble(None);
    vault.discard_unnamed(|| api.engine.state());
    assert_eq!(api.data_keys(), before);
    // What the journal could not take may be in it until there is a later record.
    let unsure = KeyId::from_bytes([9; 16]);
    vault.make(&[unsure]).unwrap();
    let full = Refusal::from(Problem::new(ProblemKind::DiskFull, "full"));
    assert!(!full.is_of_the_decision());
    vault.answered([unsure], api.engine.state().number);
    vault.discard_unnamed(|| api.engine.state());
    assert!(api.data_keys().contains(&unsure));
    api.apply(&[other]).await;
    vault.discard_unnamed(|| api.engine.state());
    assert_eq!(api.data_keys().len(), before.len() + 1);
    assert!(!api.data_keys().contains(&unsure));
    for tenant in api.engine.state().spaces.values().flat_map(|space| space.tenants.iter()) {
        vault.expect(tenant.key).unwrap();
    }
}

#[tokio::test]
async fn keys_go_that_were_made_before_another_value_could_not_be_sealed() {
    let mut api = ApiFixture::new();
    api.apply(&sample()).await;
    api.apply(&[tenant("Alpha", "a canary")]).await;
    let state = api.engine.state();
    let key = state.space_named(None).unwrap().tenants.named("Alpha").unwrap().key;
    api.keys.lose(KeyName::Data(key));
    api.forget_keys();
    let before = api.data_keys();
    let both = apply_body(&[json!({"kind": "tenant", "name": "New"}), tenant("Alpha", "another")]);
    let (status, problem) = api.send(Method::POST, "/apply", both).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert_eq!(api.data_keys().len(), before.len() + 1);
    api.context.services.vault.discard_unnamed(|| api.engine.state());
    assert_eq!(api.data_keys(), before);
}

/// Whoever looks for keys that nothing names takes the state after it knows of which keys: an apply that is answered in
/// between has a record that an older state does not know.
#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_tenant_that_is_made_meanwhile_stays() {
    let api = ApiFixture::new();
    let vault = &api.context.services.vault;
    // Of a command that was refused, so that there is something to look for.
    let unnamed = KeyId::from_bytes([9; 16]);
    vault.make(&[unnamed]).unwrap();
    vault.answered([unnamed], 0);
    let (api, runtime) = (&api, Handle::current());
    thread::scope(|threads| {
        vault.discard_unnamed(|| {
            let before = api.engine.state();
            let alpha = [json!({"kind": "tenant", "name": "Alpha"})];
            let applied = threads.spawn(move || runtime.block_on(api.apply(&alpha)));
            while api.engine.state().number == before.number {
                assert!(!applied.is_finished(), "it is not applied");
                thread::sleep(Duration::from_millis(1));
            }
            // Its answer has to wait, or else comes long before this is over.
            let decided = Instant::now();
            while !applied.is_finished() && decided.elapsed() < Duration::from_millis(500) {
                thread::sleep(Duration::from_millis(1));
            }
            before
        });
    });
    let key = api.engine.state().space_named(None).unwrap().tenants.named("Alpha").unwrap().key;
    assert!(api.data_keys().contains(&key), "its record names it");
    assert!(!api.data_keys().contains(&unnamed), "nothing was looked for");
}
