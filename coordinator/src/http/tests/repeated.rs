//! Requests that are repeated with the key of the first one: it is done once, and the answer is the same.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::api::ApiFixture;
use super::flow::{released, request, upload};

#[tokio::test]
async fn a_deployment_that_is_asked_for_again_is_made_once() {
    let api = ApiFixture::new();
    released(&api).await;
    let (status, first) = api.send_with_key(Method::POST, "/deployments", request(), "k1").await;
    assert_eq!(status, StatusCode::OK, "{first}");
    let (status, again) = api.send_with_key(Method::POST, "/deployments", request(), "k1").await;
    assert_eq!((status, &again), (StatusCode::OK, &first));
    assert_eq!(api.get("/deployments").await["items"].as_array().unwrap().len(), 1);

    let mut other = request();
    other["reason"] = json!("another one");
    other["skip-steps"] = json!(["Website"]);
    let (status, problem) = api.send_with_key(Method::POST, "/deployments", other, "k1").await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    assert!(problem["message"].as_str().unwrap().contains("was used for another request"), "{problem}");
    assert_eq!(api.get("/deployments").await["items"].as_array().unwrap().len(), 1);

    let (_, second) = api.send_with_key(Method::POST, "/deployments", request(), "k2").await;
    assert_ne!(second["deployments"][0]["id"], first["deployments"][0]["id"]);
}

#[tokio::test]
async fn a_deployment_that_expects_another_plan_is_refused_unless_it_was_made_already() {
    let api = ApiFixture::new();
    released(&api).await;
    let mut expecting = request();
    expecting["expect"] = api.post("/plans", request()).await["digest"].clone();
    let (status, first) = api.send_with_key(Method::POST, "/deployments", expecting.clone(), "k1").await;
    assert_eq!(status, StatusCode::OK, "{first}");
    // Another machine there is another plan.
    api.enrol("another-1", json!({"roles": ["synergy-web"], "environments": ["Testing"]})).await;
    let (status, again) = api.send_with_key(Method::POST, "/deployments", expecting.clone(), "k1").await;
    assert_eq!((status, &again), (StatusCode::OK, &first));
    let before = api.engine.state().number;
    let (status, problem) = api.send_with_key(Method::POST, "/deployments", expecting, "k2").await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    assert!(
        problem["message"].as_str().unwrap().starts_with("the plan is another one now, sha256:"),
        "{problem}"
    );
    assert_eq!(api.engine.state().number, before);
    let mut unknown = request();
    (unknown["expect"], unknown["version"]) = (json!("sha256:any"), json!("9.9.9"));
    let (status, problem) = api.send(Method::POST, "/deployments", unknown).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{problem}");
}

#[tokio::test]
async fn a_key_that_is_too_long_or_empty_is_refused() {
    let api = ApiFixture::new();
    let before = api.engine.state().number;
    for key in ["k".repeat(201), String::new()] {
        let body = json!({"name": "ci", "role": "auditor"});
        let (status, problem) = api.send_with_key(Method::POST, "/tokens", body, &key).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
        assert!(problem["message"].as_str().unwrap().contains("1 to 200"), "{problem}");
    }
    assert_eq!(api.engine.state().number, before);
}

#[tokio::test]
async fn a_secret_that_was_shown_is_not_shown_again_and_no_other_in_its_place() {
    let api = ApiFixture::new();
    let cases =
        [("/tokens", json!({"name": "ci", "role": "auditor"})), ("/enrolments", json!({"name": "web-1"}))];
    for (path, body) in cases {
        let (status, made) = api.send_with_key(Method::POST, path, body.clone(), path).await;
        assert_eq!(status, StatusCode::OK, "{made}");
        let before = api.engine.state().number;
        let (status, problem) = api.send_with_key(Method::POST, path, body, path).await;
        assert_eq!(status, StatusCode::CONFLICT, "{problem}");
        let message = problem["message"].as_str().unwrap();
        assert!(
            message.contains(made["id"].as_str().unwrap()) && message.contains("shown once"),
            "{message}"
        );
        assert!(!problem.to_string().contains("wlt_") && problem["token"] == Value::Null, "{problem}");
        assert_eq!(api.engine.state().number, before);
    }
}

#[tokio::test]
async fn a_release_that_is_asked_for_again_is_the_first_one_though_a_newer_package_came() {
    let api = ApiFixture::new();
    released(&api).await;
    let body = json!({"project": "Synergy", "version": "2.0"});
    let (status, first) = api.send_with_key(Method::POST, "/releases", body.clone(), "r").await;
    assert_eq!(status, StatusCode::OK, "{first}");
    upload(&api, "synergy-web.1.9.0.tar", "echo newer").await;
    let (status, again) = api.send_with_key(Method::POST, "/releases", body, "r").await;
    assert_eq!((status, &again["release"]), (StatusCode::OK, &first["release"]), "{again}");
}

#[tokio::test]
async fn a_tenant_that_is_made_or_changed_again_is_answered_as_the_first_time() {
    let api = ApiFixture::new();
    released(&api).await;
    let cases = [
        (Method::POST, "/tenants", json!({"name": "Customer-9", "tags": ["Hosting/Dedicated"]})),
        (
            Method::PATCH,
            "/tenants",
            json!({"tenants": {"tenants": ["Customer-9"]}, "change": {"remove-tags": ["Hosting/Dedicated"]}}),
        ),
    ];
    for (method, path, body) in cases {
        let key = method.to_string();
        let (status, first) = api.send_with_key(method.clone(), path, body.clone(), &key).await;
        assert_eq!(status, StatusCode::OK, "{first}");
        let before = api.engine.state().number;
        let (status, again) = api.send_with_key(method, path, body, &key).await;
        assert_eq!((status, &again), (StatusCode::OK, &first));
        assert_eq!(api.engine.state().number, before);
    }
}
