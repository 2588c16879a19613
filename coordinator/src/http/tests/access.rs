//! Who may do what, over every route that there is.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use utoipa::openapi::path::PathItem;
use windlass_protocol::Digest;
use windlass_protocol::token::{Token, TokenKind};
use zeroize::Zeroizing;

use super::api::{ApiFixture, sample};
use crate::http::openapi;

/// Posts that only read.
const READING_POSTS: [&str; 1] = ["/api/v1/plans"];

fn operations(item: &PathItem) -> Vec<Method> {
    let all = [
        (Method::GET, &item.get),
        (Method::PUT, &item.put),
        (Method::POST, &item.post),
        (Method::DELETE, &item.delete),
        (Method::PATCH, &item.patch),
    ];
    all.into_iter().filter(|(_, operation)| operation.is_some()).map(|(method, _)| method).collect()
}

/// Every path with its methods, the names in it made up.
pub(super) fn routes() -> Vec<(Method, String, String)> {
    let mut routes = Vec::new();
    for (path, item) in openapi().paths.paths {
        let filled: Vec<_> =
            path.split('/').map(|part| if part.starts_with('{') { "something" } else { part }).collect();
        for method in operations(&item) {
            routes.push((method, path.clone(), filled.join("/")));
        }
    }
    routes
}

#[tokio::test]
async fn the_last_administrator_stays_and_an_enrolment_token_names_its_maker() {
    let api = ApiFixture::new();
    let name = "/tokens/First%20administrator";
    let (status, problem) = api.send(Method::DELETE, name, Value::Null).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    assert!(problem["message"].as_str().unwrap().contains("no administrator would be left"), "{problem}");
    api.post("/enrolments", json!({"grant": {}})).await;
    assert_eq!(api.get("/enrolments").await["items"][0]["made_by"], "First administrator");
}

#[tokio::test]
async fn what_somebody_typed_comes_back_escaped() {
    let api = ApiFixture::new();
    let (status, problem) = api.send(Method::GET, "/targets/%1b%5B2J%0A", Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(problem["message"], r"there is no target `\u{1b}[2J\n`");
}

#[tokio::test]
async fn nobody_without_a_good_token_learns_anything_on_any_route() {
    let api = ApiFixture::new();
    let good = Token::parse(TokenKind::Api, &api.token).unwrap();
    let wrong_secret = Token { secret: Zeroizing::new([9; 32]), ..good.clone() }.to_text();
    let unknown = Token { id: [9; 16], ..good }.to_text();
    let enrolment = Token {
        kind: TokenKind::Enrolment,
        id: [1; 16],
        secret: Zeroizing::new([1; 32]),
        fingerprint: Digest::of("ca"),
    };
    let enrolment = enrolment.to_text();
    let routes = routes();
    assert!(routes.len() > 35, "{} routes", routes.len());
    for (method, _, path) in
        routes.into_iter().chain([(Method::GET, String::new(), "/api/v1/openapi.json".into())])
    {
        let mut answers = Vec::new();
        for token in [None, Some("nonsense"), Some(&**wrong_secret), Some(&**unknown), Some(&**enrolment)] {
            answers.push(api.raw(method.clone(), &path, token, "{}").await);
        }
        assert_eq!(answers[0].0, StatusCode::UNAUTHORIZED, "{method} {path}");
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{method} {path}: all alike");
    }
}

#[tokio::test]
async fn an_auditor_reads_every_route_and_changes_nothing_on_any() {
    let api = ApiFixture::new();
    let made = api.post("/tokens", json!({"name": "Auditor", "role": "auditor"})).await;
    let auditor = made["token"].as_str().unwrap();
    let before = api.engine.state().digest();
    let mut refused_count = 0;
    for (method, template, path) in routes() {
        let (status, body) = api.raw(method.clone(), &path, Some(auditor), "{}").await;
        let reads = method == Method::GET || READING_POSTS.contains(&template.as_str());
        let text = String::from_utf8_lossy(&body);
        if reads {
            assert!(
                ![StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::INTERNAL_SERVER_ERROR]
                    .contains(&status),
                "{method} {path}: {status} {text}"
            );
        } else {
            refused_count += 1;
            assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}: {text}");
            assert!(text.contains("not-authorised"), "{text}");
        }
    }
    assert_eq!(api.engine.state().digest(), before);
    api.context.services.strangers.record(&api.engine).await;
    let records = api.get("/audit?event=token-refused").await;
    let told = format!("token refused: {refused_count} times, origin others, token Auditor");
    assert_eq!(records["items"][0]["summary"], json!([told]));
}

#[tokio::test]
async fn a_token_that_was_taken_back_or_has_expired_is_unknown_and_so_are_those_that_it_made() {
    let api = ApiFixture::new();
    let first = api.post("/tokens", json!({"name": "Pipeline", "role": "administrator"})).await;
    let first = first["token"].as_str().unwrap();
    let body = json!({"name": "Step", "role": "auditor"}).to_string();
    let (_, made) = api.raw(Method::POST, "/api/v1/tokens", Some(first), body).await;
    let made: Value = serde_json::from_slice(&made).unwrap();
    let second = made["token"].as_str().unwrap();
    let whoami = async |token: &str| api.raw(Method::GET, "/api/v1/whoami", Some(token), "").await.0;
    assert_eq!(whoami(second).await, StatusCode::OK);
    let (status, _) = api.send(Method::DELETE, "/tokens/Pipeline", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(whoami(first).await, StatusCode::UNAUTHORIZED);
    assert_eq!(whoami(second).await, StatusCode::UNAUTHORIZED);
    let expired = api.post("/tokens", json!({"name": "Short", "role": "auditor", "ttl-seconds": 0})).await;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    assert_eq!(whoami(expired["token"].as_str().unwrap()).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn no_secret_is_in_any_answer_of_any_route() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    api.enrol(
        "shared-1",
        json!({"roles": ["synergy-web"], "environments": ["Production"],
        "tenants": {"tags": ["Hosting/Shared 1"]}}),
    )
    .await;
    let kinds = ["environment", "tag-set", "lifecycle", "library-set", "project", "tenant"];
    let lists = kinds.iter().map(|kind| format!("/definitions/{kind}"));
    let others = [
        "/definitions/project/Synergy",
        "/definitions/tenant/Customer-2",
        "/export",
        "/audit?limit=1000",
        "/audit/what-can/shared-1",
        "/audit/who-can/Customer-2",
        "/variables?project=Synergy&tenant=Customer-2&environment=Production&step=Website",
        "/tokens",
        "/enrolments",
        "/targets/shared-1",
    ];
    let secret = Token::parse(TokenKind::Api, &api.token).unwrap().secret_digest().to_string();
    for path in lists.chain(others.map(str::to_owned)) {
        let text = api.get(&path).await.to_string();
        for canary in ["canary", "ciphertext", "wlt_", "wle_", secret.as_str()] {
            assert!(!text.contains(canary), "{canary} in {path}: {text}");
        }
    }
    let journal = std::fs::read_dir(api.place.path().join("journal")).unwrap();
    for file in journal {
        let path = file.unwrap().path();
        if path.is_file() {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert!(!text.contains("canary"), "{}", path.display());
        }
    }
}

#[tokio::test]
async fn a_space_is_named_in_the_address_and_an_unknown_one_is_not_found() {
    let api = ApiFixture::new();
    assert_eq!(api.get("/whoami?space=default").await["space"], "Default");
    let (status, answer) = api.send(Method::GET, "/targets?space=defalt", Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(answer["message"], "there is no space `defalt`; did you mean `Default`?");
}
