//! What of a template is not well-formed stays as it is written, and that is said (SEMANTICS 6).

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::api::{ApiFixture, sample};
use super::flow::upload;

/// A project with this script, and a variable that is a template itself.
async fn project(api: &ApiFixture, body: &str) -> Value {
    api.apply(&sample()).await;
    let project = json!({"kind": "project", "name": "Wrong", "variables": {"Url": [{"value": "http://#{Host"}]},
        "steps": [
            {"name": "Run", "roles": ["web"], "script": {"shell": "bash", "body": body}},
            {"name": "Install", "roles": ["web"], "package": {"id": "synergy-web", "substitute": ["*.conf"]}}]});
    api.apply(&[project]).await;
    let hook = "true\necho #{Y | Uper}";
    assert_eq!(upload(api, "synergy-web.1.0.0.tar", hook).await.0, StatusCode::OK);
    api.enrol("web-1", json!({"roles": ["web"], "environments": ["Testing"]})).await;
    api.post("/releases", json!({"project": "Wrong", "version": "1.0.0"})).await
}

const SCRIPT: &str = "echo #{Url}\necho #{X | Uper}\necho #{if X}yes";

#[tokio::test]
async fn a_release_with_a_template_that_is_mistyped_is_made_and_warns_of_each_place() {
    let made = project(&ApiFixture::new(), SCRIPT).await;
    let warnings: Vec<_> =
        made["warnings"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    let expected = [
        "step `Run`, its script, line 2, column 6: the filter is not known",
        "step `Run`, its script, line 3, column 6: `#{if}` has no `#{/if}`",
        "variable `Url`, line 1, column 14: `}` is expected here; `#{` that is meant literally is written `##{`",
        "PreDeploy.sh in synergy-web 1.0.0, line 2, column 6: the filter is not known",
    ];
    assert_eq!(warnings.len(), expected.len(), "{warnings:?}");
    for text in expected {
        assert!(warnings.iter().any(|warning| warning.starts_with(text)), "{text} in {warnings:?}");
        assert!(
            warnings.iter().all(|warning| warning.ends_with("; it stays as it is written")),
            "{warnings:?}"
        );
    }
}

#[tokio::test]
async fn a_plan_lists_each_place_of_a_template_that_is_mistyped() {
    let api = ApiFixture::new();
    project(&api, SCRIPT).await;
    let request = json!({"project": "Wrong", "version": "latest", "environments": ["Testing"]});
    let plan = api.post("/plans", request).await;
    let steps = &plan["deployments"][0]["steps"];
    let places: Vec<_> = steps[0]["malformed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|place| {
            (
                place["place"].as_str().unwrap(),
                place["line"].as_u64().unwrap(),
                place["column"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(places, [("its script", 2, 6), ("its script", 3, 6), ("variable `Url`", 1, 14)]);
    assert_eq!(steps[0]["malformed"][1]["problem"], "`#{if}` has no `#{/if}`");
    assert_eq!(steps[1]["malformed"], Value::Null);
}

#[tokio::test]
async fn a_script_without_a_mistake_warns_of_nothing() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    let body = "echo #{if X}yes#{/if} ##{ #{X | ToUpper}";
    let project = json!({"kind": "project", "name": "Right",
        "steps": [{"name": "Run", "roles": ["web"], "script": {"shell": "bash", "body": body}}]});
    api.apply(&[project]).await;
    let made = api.post("/releases", json!({"project": "Right", "version": "1.0.0"})).await;
    assert_eq!(made["warnings"], Value::Null);
}
