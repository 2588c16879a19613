//! Tenants in numbers: lists that only add, changes of many, clones without secrets, and whom a query includes.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::api::{ApiFixture, apply_body, sample};

async fn ask(api: &ApiFixture, method: Method, path: &str, body: Value) -> Value {
    let (status, answer) = api.send(method.clone(), path, body).await;
    assert_eq!(status, StatusCode::OK, "{method} {path}: {answer}");
    answer
}

async fn document(api: &ApiFixture, tenant: &str) -> Value {
    ask(api, Method::GET, &format!("/definitions/tenant/{tenant}"), Value::Null).await["document"].clone()
}

fn list(documents: &[Value], dry_run: bool) -> Value {
    let mut body = apply_body(documents);
    body["dry-run"] = json!(dry_run);
    body["only-add"] = json!(true);
    body
}

#[tokio::test]
async fn a_list_only_adds_and_all_of_it_or_nothing() {
    let api = ApiFixture::new();
    ask(&api, Method::POST, "/apply", apply_body(&sample())).await;
    let before = document(&api, "Customer-2").await;
    let rows = [
        json!({"kind": "tenant", "name": "customer-2", "tags": ["Module/Exploration"],
            "projects": {"synergy": ["Testing"]}, "values": {"standard-tenant-details": {"tenantalias": "second"}}}),
        json!({"kind": "tenant", "name": "Customer-9", "tags": ["Hosting/Shared 1"], "projects": {"Synergy": ["Staging"]}}),
    ];
    let number = api.engine.state().number;
    ask(&api, Method::POST, "/apply", list(&rows, true)).await;
    let mut wrong = rows.to_vec();
    wrong.push(json!({"kind": "environment", "name": "Demo"}));
    let (status, answer) = api.send(Method::POST, "/apply", list(&wrong, false)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    assert!(
        answer["message"].as_str().expect("a sentence").contains("only tenants are added to"),
        "{answer}"
    );
    assert_eq!(api.engine.state().number, number);
    ask(&api, Method::POST, "/apply", list(&rows, false)).await;
    let after = document(&api, "Customer-2").await;
    let mut expected = before.clone();
    expected["tags"].as_array_mut().expect("tags").push(json!("Module/Exploration"));
    expected["values"]["Standard tenant details"] = json!({"TenantAlias": "second"});
    let mut environments = before["projects"]["Synergy"].as_array().expect("environments").clone();
    environments.insert(0, json!("Testing"));
    expected["projects"]["Synergy"] = json!(environments);
    assert_eq!(after, expected, "secrets and all else are as they were");
    assert_eq!(document(&api, "Customer-9").await["projects"], json!({"Synergy": ["Staging"]}));
    // A second time nothing changes.
    let answer = ask(&api, Method::POST, "/apply", list(&rows, false)).await;
    assert!(
        answer["changes"].as_array().expect("changes").iter().all(|change| change["change"] == "unchanged"),
        "{answer}"
    );
}

#[tokio::test]
async fn many_are_changed_cloned_and_listed() {
    let api = ApiFixture::new();
    ask(&api, Method::POST, "/apply", apply_body(&sample())).await;
    let clone = json!({"name": "Customer-4", "like": "Customer-2", "tags": ["Module/Exploration"]});
    let answer = ask(&api, Method::POST, "/tenants", clone).await;
    let warnings = answer["warnings"].to_string();
    assert!(warnings.contains("SynergyApiKey") && warnings.contains("was not copied"), "{answer}");
    let (two, four) = (document(&api, "Customer-2").await, document(&api, "Customer-4").await);
    assert_eq!((&two["projects"], two["tags"][0].clone()), (&four["projects"], four["tags"][0].clone()));
    assert!(!four.to_string().contains("unchanged"), "{four}");
    let change = |dry_run| {
        json!({"tenants": {"tags": ["Hosting/Shared 1"], "exclude": {"tenants": ["Customer-4"]}},
            "change": {"remove-tags": ["Hosting/Shared 1"], "add-tags": ["Hosting/Dedicated"]}, "dry-run": dry_run})
    };
    let told = ask(&api, Method::PATCH, "/tenants", change(true)).await;
    assert_eq!(document(&api, "Customer-2").await, two);
    assert_eq!(ask(&api, Method::PATCH, "/tenants", change(false)).await, told);
    let found =
        ask(&api, Method::GET, "/tenants?query=Hosting/Dedicated,tenant:Customer-4", Value::Null).await;
    let found: Vec<_> = found["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| (&item["name"], &item["named"]))
        .collect();
    assert_eq!(json!(found), json!([["Customer-2", false], ["Customer-4", true]]));
    let counts = ask(&api, Method::GET, "/tenant-counts?by=Hosting", Value::Null).await;
    assert_eq!(
        counts,
        json!([{"tag": "Shared 1", "tenants": 1, "disabled": 0}, {"tag": "Dedicated", "tenants": 1, "disabled": 0},
            {"tag": null, "tenants": 1, "disabled": 1}])
    );
}
