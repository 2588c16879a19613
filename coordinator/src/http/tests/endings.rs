//! What is taken back, and what is destroyed.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use windlass_coordinator_core::decide::{EnrolmentUse, Reply, SpaceCommand};
use windlass_coordinator_core::event::Actor;
use windlass_coordinator_core::model::TargetKey;
use windlass_protocol::ids::EnrolmentId;
use windlass_protocol::message::{Advertised, EnrolRefusal, Isolation};
use windlass_protocol::token::{Token, TokenKind};
use windlass_protocol::{Digest, Timestamp};

use super::api::{ApiFixture, sample};

#[tokio::test]
async fn an_enrolment_token_is_taken_back_by_id_or_name_and_that_is_told() {
    let api = ApiFixture::new();
    let made = api.post("/enrolments", json!({"name": "web-1"})).await;
    let token = Token::parse(TokenKind::Enrolment, made["token"].as_str().unwrap()).unwrap();
    let other = api.post("/enrolments", json!({"name": "web-2"})).await;
    let (status, _) = api.send(Method::DELETE, "/enrolments/web-1", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    let listed = api.get("/enrolments").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    let machine = EnrolmentUse {
        enrolment: EnrolmentId::from_bytes(token.id),
        secret: token.secret_digest(),
        key: TargetKey {
            public_key: Digest::of("key"),
            sealing_key: String::new(),
            certificate_expires: Timestamp::from_milliseconds(0),
        },
        name: "web-1".to_owned(),
        advertised: Advertised::default(),
        isolation: Isolation::Accounts,
    };
    let actor = Actor::Enrolment(machine.enrolment);
    let reply = api.in_space(actor, SpaceCommand::Enrol(Box::new(machine))).await;
    assert_eq!(reply, Reply::EnrolmentRefused(EnrolRefusal::Unknown));
    for gone in ["web-1", made["id"].as_str().unwrap()] {
        let (status, problem) = api.send(Method::DELETE, &format!("/enrolments/{gone}"), Value::Null).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{problem}");
    }
    let id = other["id"].as_str().unwrap();
    assert_eq!(api.send(Method::DELETE, &format!("/enrolments/{id}"), Value::Null).await.0, StatusCode::OK);
    let told = api.get("/audit?event=enrolment-deleted").await;
    assert_eq!(told["items"].as_array().unwrap().len(), 2, "{told}");
    assert_eq!(told["items"][0]["actor"], "token First administrator");
    let summary = told["items"][0]["summary"][0].as_str().unwrap();
    assert_eq!(summary, format!("enrolment deleted: enrolment {id}"));
}

#[tokio::test]
async fn with_a_tenant_the_key_of_its_values_is_destroyed_and_that_is_told() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    let keys = || api.data_keys();
    let state = api.engine.state();
    let tenant = state.space_named(None).unwrap().tenants.named("Customer-2").unwrap().clone();
    let (own, before) = (tenant.key, keys());
    assert!(before.contains(&own), "{before:?}");
    // Refused, nothing is destroyed.
    assert_eq!(
        api.send(Method::DELETE, "/definitions/tenant/Nobody", Value::Null).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(keys().len(), before.len());
    let (status, answer) = api.send(Method::DELETE, "/definitions/tenant/customer-2", Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let after = keys();
    assert!(!after.contains(&own) && after.len() == before.len() - 1, "{after:?}");
    let told = api.get("/audit?event=key-destroyed").await;
    let summary = told["items"][0]["summary"].to_string();
    assert!(summary.contains("deleted: ") && summary.contains("name Customer-2"), "{summary}");
    assert!(summary.contains(&format!("key destroyed: tenant {}", tenant.id)), "{summary}");
    api.get("/audit/verification").await;
    // A tenant of the same name begins with nothing, and with a key of its own.
    api.apply(&sample()).await;
    let state = api.engine.state();
    let anew = state.space_named(None).unwrap().tenants.named("Customer-2").unwrap();
    assert_ne!((anew.id, anew.key), (tenant.id, tenant.key));
    assert!(keys().contains(&anew.key) && !keys().contains(&own));
}

#[tokio::test]
async fn nobody_is_told_that_a_key_is_destroyed_while_it_is_there() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    api.keys.set_trouble(Some(std::io::ErrorKind::PermissionDenied));
    let (status, problem) = api.send(Method::DELETE, "/definitions/tenant/Customer-2", Value::Null).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let said = problem["message"].as_str().unwrap();
    assert!(said.starts_with("the tenant is deleted, but the file of its key is still there"), "{said}");
}
