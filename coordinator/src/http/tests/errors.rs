//! Errors: one sentence, the right status, nothing half done.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::api::{ApiFixture, apply_body, sample};

#[tokio::test]
async fn each_error_has_its_status_and_says_what_would_be_right() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    let deploy = |change: Value| {
        let mut body = json!({"project": "Synergy", "version": "1.0", "environments": ["Testing"]});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        body
    };
    let cases = [
        (Method::GET, "/definitions/tennant", Value::Null, 400, "did you mean `tenant`?"),
        (Method::GET, "/definitions/tenant/Custmer-2", Value::Null, 404, "did you mean `Customer-2`?"),
        (Method::GET, "/targets/nowhere", Value::Null, 404, "there is no target `nowhere`"),
        (Method::GET, "/deployments/nothing", Value::Null, 404, "there is no deployment `nothing`"),
        (Method::GET, "/packages/web/1.0", Value::Null, 404, "there is no package `web`"),
        (
            Method::GET,
            "/releases/Synergy/latest",
            Value::Null,
            404,
            "the project `Synergy` has no release yet",
        ),
        (
            Method::DELETE,
            "/definitions/tag-set/Hosting",
            Value::Null,
            409,
            "is in use by tenant `Customer-2`",
        ),
        (Method::POST, "/releases", json!({"project": "Synergy"}), 404, "none is uploaded"),
        (Method::POST, "/deployments", deploy(json!({})), 404, "there is no release `1.0` of `Synergy`"),
        (Method::POST, "/deployments", deploy(json!({"verison": "1.0"})), 400, "unknown field `verison`"),
        (Method::POST, "/tokens", json!({"name": "a", "role": "king"}), 400, "`administrator` or `auditor`"),
        (Method::POST, "/tenants", json!({"name": "customer-2"}), 409, "there is a tenant"),
        (
            Method::PATCH,
            "/tenants",
            json!({"tenants": {"tenants": ["Customer-3"]}, "change": {"remove-tags": ["Hosting/Dedicated"]}}),
            409,
            "is not tagged with",
        ),
        (Method::GET, "/audit?about=nobody", Value::Null, 404, "nothing here is called `nobody`"),
        (Method::GET, "/audit?after=x", Value::Null, 400, "the query of the address"),
        (
            Method::POST,
            "/packages?name=web.txt",
            Value::Null,
            400,
            "does not tell the package's id and version",
        ),
        (Method::GET, "/nothing", Value::Null, 404, "no such path"),
        (Method::PUT, "/apply", json!({}), 405, "no such path with this method"),
    ];
    let before = api.engine.state().number;
    for (method, path, body, status, part) in cases {
        let (found, answer) = api.send(method.clone(), path, body).await;
        assert_eq!(found.as_u16(), status, "{method} {path}: {answer}");
        let message = answer["message"].as_str().unwrap();
        assert!(message.contains(part), "{method} {path}: {message}");
    }
    assert_eq!(api.engine.state().number, before);
}

#[tokio::test]
async fn an_error_in_a_document_names_its_place_and_nothing_is_applied() {
    let api = ApiFixture::new();
    let mut documents = sample();
    documents[9]["tags"] = json!(["Hosting/Shared 2"]);
    let (status, answer) = api.send(Method::POST, "/apply", apply_body(&documents)).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(
        answer["message"],
        "sample.yaml:91: tenant `Customer-2`: there is no tag `Shared 2` in `Hosting`; did you mean `Shared 1`?"
    );
    assert_eq!(api.get("/definitions/environment").await["items"], json!([]));
}

#[tokio::test]
async fn what_only_the_command_may_read_is_refused() {
    let api = ApiFixture::new();
    let mut documents = sample();
    documents[8]["templates"][1]["default"] = json!({"from-env": "PATH"});
    let (status, answer) = api.send(Method::POST, "/apply", apply_body(&documents)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(answer["message"].as_str().unwrap().contains("read by the `windlass` command"), "{answer}");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let api = ApiFixture::new();
    let body = format!("{{\"documents\": \"{}\"}}", "x".repeat(33 << 20));
    let (status, _) = api.raw(Method::POST, "/api/v1/apply", Some(&api.token), body).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn what_is_no_place_in_a_list_is_said_to_be_none() {
    let api = ApiFixture::new();
    super::flow::released(&api).await;
    let made = api.post("/deployments", super::flow::request()).await;
    let id = made["deployments"][0]["id"].as_str().unwrap();
    let logs = format!("/deployments/{id}/logs");
    let lists = [
        "/definitions/environment",
        "/definitions/tenant",
        "/targets",
        "/tokens",
        "/enrolments",
        "/packages",
        "/releases",
        "/deployments",
        "/missing-values",
        "/audit",
        "/audit/pulled/test-1",
        &logs,
    ];
    for list in lists {
        for after in ["nothing-like-it", "deployment-00000000000000000000000000", "999999999", "a/1.0"] {
            let (status, problem) =
                api.send(Method::GET, &format!("{list}?after={after}"), Value::Null).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{list} after {after}: {problem}");
        }
    }
}

#[tokio::test]
async fn lists_come_in_parts_and_are_filtered() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    let mut names = Vec::new();
    let mut after = String::new();
    loop {
        let part = api.get(&format!("/definitions/environment?limit=2{after}")).await;
        names.extend(
            part["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()),
        );
        let Some(next) = part["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(names, ["Production", "Staging", "Testing"]);
    let found = api.get("/definitions/environment?filter=stag").await;
    assert_eq!(found["items"][0]["name"], "Staging");
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
}
