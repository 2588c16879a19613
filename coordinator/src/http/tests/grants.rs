//! What enrolment tokens grant: told when they are made, and in the list.

use serde_json::{Value, json};

use super::api::{ApiFixture, apply_body, sample};

#[tokio::test]
async fn a_token_that_grants_nothing_is_made_and_says_so_and_the_list_tells_the_whole_grant() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    let place = |more: Value| {
        let mut grant = json!({"roles": ["web"], "environments": ["Testing"]});
        grant.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        grant
    };
    let customer = json!({"tenants": ["Customer-2"]});
    for (grant, warnings) in [
        (json!({"roles": ["web"]}), vec!["no environment is granted, so that it gets nothing"]),
        (json!({"environments": ["Testing"]}), vec!["no role is granted, so that it gets nothing"]),
        (
            place(json!({"participation": "tenanted"})),
            vec![
                "it takes part in deployments for tenants alone and no tenant is granted, so that it gets nothing",
            ],
        ),
        (
            place(json!({"participation": "untenanted", "tenants": customer})),
            vec![
                "tenants are granted, but it takes part in untenanted deployments alone, so that it gets nothing of theirs",
            ],
        ),
        (place(json!({})), vec![]),
        (place(json!({"participation": "both"})), vec![]),
        (place(json!({"tenants": customer})), vec![]),
    ] {
        let made = api.post("/enrolments", json!({"grant": grant})).await;
        let told: Vec<_> =
            made["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        assert_eq!(told, warnings, "{grant}");
        assert!(made["token"].as_str().unwrap().starts_with("wle_"), "{made}");
    }
    let made =
        api.post("/enrolments", json!({"name": "last", "grant": place(json!({"tenants": customer}))})).await;
    let listed = api.get("/enrolments?filter=last").await;
    let item = &listed["items"][0];
    assert_eq!((&item["id"], &item["participation"]), (&made["id"], &json!("tenanted")), "{listed}");
    assert_eq!(item["tenants"], customer);
}

#[tokio::test]
async fn a_rehearsed_apply_tells_what_a_document_that_says_little_would_take_away() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    let before = api.get("/export").await;
    let mut body = apply_body(&[json!({"kind": "tenant", "name": "customer-2"})]);
    body["dry-run"] = json!(true);
    let answer = api.post("/apply", body).await;
    let change = &answer["changes"][0];
    assert_eq!(
        (&change["change"], &change["renamed_from"]),
        (&json!("changed"), &json!("Customer-2")),
        "{answer}"
    );
    let lost: Vec<_> =
        change["fields"].as_array().unwrap().iter().map(|field| field["field"].as_str().unwrap()).collect();
    let secret = "values/Synergy/SynergyApiKey/Production";
    for expected in [secret, "projects/Synergy/Production", "tags/Hosting/Shared 1"] {
        assert!(lost.contains(&expected), "{expected}: {answer}");
    }
    assert_eq!((lost[0], &change["fields"][0]["secrets_removed"]), (secret, &json!(1)), "{answer}");
    assert_eq!(api.get("/export").await, before, "nothing was done");
}
