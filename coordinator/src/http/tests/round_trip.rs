//! What is exported is exactly what `apply` reads.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::api::{ApiFixture, apply_body, sample};

fn changes(answer: &Value) -> Vec<(&str, &str)> {
    let changes = answer["changes"].as_array().unwrap();
    changes
        .iter()
        .map(|change| (change["name"].as_str().unwrap(), change["change"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn applying_an_export_changes_nothing() {
    let api = ApiFixture::new();
    api.enrol("shared-1", json!({"roles": ["synergy-web"]})).await;
    let mut documents = sample();
    documents[8]["variables"]["Port"] =
        json!([{"value": "80", "targets": ["shared-1"], "roles": ["synergy-web"]}]);
    let first = api.apply(&documents).await;
    assert!(
        changes(&first).iter().all(|(name, change)| *change == "created" || *name == "Default"),
        "{first}"
    );
    let before = api.engine.state();
    let exported = api.get("/export").await;
    let exported = exported["documents"].as_array().unwrap().clone();
    assert_eq!(exported.len(), sample().len());
    let again = api.apply(&exported).await;
    assert!(changes(&again).iter().all(|(_, change)| *change == "unchanged"), "{again}");
    assert_eq!(api.engine.state().number, before.number, "nothing was recorded");
    assert_eq!(api.get("/export").await["documents"].as_array().unwrap(), &exported);
}

#[tokio::test]
async fn after_a_template_is_taken_out_applying_an_export_changes_nothing_either() {
    let api = ApiFixture::new();
    let mut documents = sample();
    api.apply(&documents).await;
    let is_filled = |export: &Value| export.to_string().contains("SynergyDatabase");
    assert!(is_filled(&api.get("/export?kind=tenant").await));
    let project = &mut documents[8];
    assert_eq!(project["name"], "Synergy");
    let whole = project.clone();
    project["templates"].as_array_mut().unwrap().retain(|template| template["name"] != "SynergyDatabase");
    let filled = api.get("/export?kind=tenant").await;
    api.apply(std::slice::from_ref(project)).await;
    let exported = api.get("/export").await;
    assert!(!is_filled(&api.get("/export?kind=tenant").await));
    let again = api.apply(exported["documents"].as_array().unwrap()).await;
    assert!(changes(&again).iter().all(|(_, change)| *change == "unchanged"), "{again}");
    // Nor has it lost anything: with the template, what was filled is back.
    api.apply(&[whole]).await;
    assert_eq!(api.get("/export?kind=tenant").await, filled);
}

#[tokio::test]
async fn the_same_secret_again_is_no_change_and_another_one_is() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    let again = api.apply(&sample()).await;
    assert!(changes(&again).iter().all(|(_, change)| *change == "unchanged"), "{again}");
    let mut other = sample();
    other[9]["values"]["Synergy"]["environments"]["Production"]["SynergyApiKey"] =
        json!({"secret": "another"});
    let again = api.apply(&other).await;
    let changed: Vec<_> = changes(&again).into_iter().filter(|(_, change)| *change != "unchanged").collect();
    assert_eq!(changed, [("Customer-2", "changed")]);
}

#[tokio::test]
async fn a_dry_run_says_what_would_change_and_changes_nothing() {
    let api = ApiFixture::new();
    let before = api.engine.state().number;
    let mut body = apply_body(&sample());
    body["dry-run"] = json!(true);
    let keys_before = api.data_keys();
    let answer = api.post("/apply", body).await;
    assert!(changes(&answer).iter().any(|(name, change)| *name == "Customer-2" && *change == "created"));
    assert_eq!(api.engine.state().number, before);
    assert_eq!(api.data_keys(), keys_before, "none is made for nothing");
    assert!(api.get("/export?kind=tenant").await["documents"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_short_secret_is_taken_with_a_warning() {
    let api = ApiFixture::new();
    let mut documents = sample();
    documents[9]["values"]["Synergy"]["environments"]["Production"]["SynergyApiKey"] =
        json!({"secret": "abc"});
    let answer = api.apply(&documents).await;
    let warnings = answer["warnings"].to_string();
    assert!(warnings.contains("less than 4 characters") && warnings.contains("Customer-2"), "{warnings}");
    assert!(!warnings.contains("abc"));
}

#[tokio::test]
async fn of_a_secret_no_name_is_recorded_that_nothing_defines() {
    let api = ApiFixture::new();
    let mut documents = sample();
    let project = documents.iter_mut().find(|document| document["kind"] == "project").expect("there is one");
    project["variables"]["Host"] = json!([{"value": "h"}]);
    project["variables"]["Key"] = json!([{"value": {"secret": "abc#{hunter}d#{HOST}"}}]);
    project["variables"]["Plain"] = json!([{"value": {"secret": "abcd#{Host}"}}]);
    let name = project["name"].as_str().expect("it has one").to_owned();
    let answer = api.apply(&documents).await;
    let warnings = answer["warnings"].as_array().expect("a list");
    let of_project: Vec<_> = warnings.iter().filter(|warning| warning.to_string().contains(&name)).collect();
    assert!(of_project.len() == 1 && of_project[0].to_string().contains("nothing defines"), "{warnings:?}");
    let recorded = serde_json::to_string(&*api.engine.state()).expect("it is data");
    assert!(recorded.contains("\"references\":[\"Host\"]"));
    for text in [answer.to_string(), recorded] {
        assert!(!text.contains("hunter") && !text.contains("HOST"), "{text}");
    }
}

#[tokio::test]
async fn a_view_has_the_document_and_the_id() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    let view = api.get("/definitions/tenant/customer-2").await;
    assert!(view["id"].as_str().unwrap().starts_with("tenant-"));
    assert_eq!(view["document"]["kind"], "tenant");
    assert_eq!(view["document"]["projects"], json!({"Synergy": ["Staging", "Production"]}));
    let key = &view["document"]["values"]["Synergy"]["environments"]["Production"]["SynergyApiKey"];
    assert_eq!(*key, json!({"sensitive": "unchanged"}));
    let by_id = api.get(&format!("/definitions/tenant/{}", view["id"].as_str().unwrap())).await;
    assert_eq!(by_id, view);
}

#[tokio::test]
async fn tenants_are_edited_in_small_steps_that_keep_everything_else() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    let before = api.get("/definitions/tenant/Customer-2").await;
    let change = json!({
        "enabled": false,
        "connect": {"synergy": ["testing"]},
        "disconnect": {"Synergy": ["production"]},
        "add-tags": ["module/exploration"],
        "remove-tags": ["hosting/shared 1"],
    });
    let change = json!({"tenants": {"tenants": ["customer-2"]}, "change": change});
    let (status, answer) = api.send(Method::PATCH, "/tenants", change).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let after = api.get("/definitions/tenant/Customer-2").await;
    assert_eq!(after["document"]["enabled"], false);
    assert_eq!(after["document"]["projects"], json!({"Synergy": ["Testing", "Staging"]}));
    assert_eq!(after["document"]["tags"], json!(["Customer type/VIP", "Module/Exploration"]));
    assert_eq!(after["document"]["values"], before["document"]["values"]);
    api.post("/tenants", json!({"name": "Customer-4", "connect": {"Synergy": ["Testing"]}})).await;
    let missing = api.get("/missing-values?tenant=Customer-4").await;
    assert_eq!(missing["items"], json!([]), "every template has a default");
}

#[tokio::test]
async fn edits_at_the_same_moment_do_not_undo_each_other() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    let connect = |name: &'static str| {
        let change = json!({"connect": {"Synergy": [name]}});
        let body = json!({"tenants": {"tenants": ["Customer-3"]}, "change": change});
        api.send(Method::PATCH, "/tenants", body)
    };
    let (one, two, three) = tokio::join!(connect("Testing"), connect("Staging"), connect("Production"));
    assert_eq!((one.0, two.0, three.0), (StatusCode::OK, StatusCode::OK, StatusCode::OK));
    let view = api.get("/definitions/tenant/Customer-3").await;
    assert_eq!(view["document"]["projects"], json!({"Synergy": ["Testing", "Staging", "Production"]}));
    // What is taken away while a list comes in that only adds stays away.
    for round in 0..5 {
        let switch =
            |enabled: bool| json!({"tenants": {"tenants": ["Customer-3"]}, "change": {"enabled": enabled}});
        api.send(Method::PATCH, "/tenants", switch(true)).await;
        let rows: Vec<_> =
            (0..50).map(|row| json!({"kind": "tenant", "name": format!("Row {round} {row}")})).collect();
        let known = json!({"kind": "tenant", "name": "Customer-3", "projects": {"Synergy": ["Testing"]}});
        let mut list = apply_body(&[rows.as_slice(), &[known]].concat());
        list["only-add"] = json!(true);
        let imported = api.send(Method::POST, "/apply", list);
        let (imported, disabled) = tokio::join!(imported, api.send(Method::PATCH, "/tenants", switch(false)));
        assert_eq!((imported.0, disabled.0), (StatusCode::OK, StatusCode::OK));
        let view = api.get("/definitions/tenant/Customer-3").await;
        assert_eq!(view["document"]["enabled"], false, "{round}");
    }
}

#[tokio::test]
async fn what_a_projects_secret_refers_to_is_noted_and_nothing_of_a_tenants_is() {
    let api = ApiFixture::new();
    let mut documents = sample();
    documents[8]["variables"]["LoginName"] = json!([{"value": "administrator"}]);
    documents[8]["variables"]["Login"] = json!([{"value": {"secret": "user #{LoginName}"}}]);
    documents[9]["values"]["Synergy"]["SynergyApiKey"] = json!({"secret": "half-a-#{canary}"});
    api.apply(&documents).await;
    let state = serde_json::to_string(&*api.engine.state()).unwrap();
    assert!(state.contains(r#""references":["LoginName"]"#), "it has to travel with the value");
    assert!(!state.contains("canary"), "nobody follows it, so nothing of the secret stands in clear");
}

#[tokio::test]
async fn a_time_is_written_as_a_length_of_time_and_read_in_seconds_as_well() {
    let api = ApiFixture::new();
    let mut documents = sample();
    documents[8]["steps"][0]["timeout-seconds"] = json!(1800);
    api.apply(&documents).await;
    let steps = |view: &Value| {
        let steps = view["document"]["steps"].as_array().unwrap().iter();
        steps.map(|step| (step["timeout"].clone(), step["timeout-seconds"].clone())).collect::<Vec<_>>()
    };
    let written = steps(&api.get("/definitions/project/Synergy").await);
    assert_eq!(written, [(json!("30m"), Value::Null), (json!("1h"), Value::Null)]);
    let project = &mut documents[8];
    project["steps"][0].as_object_mut().unwrap().remove("timeout-seconds");
    project["steps"][0]["timeout"] = json!("90s");
    api.apply(std::slice::from_ref(project)).await;
    assert_eq!(steps(&api.get("/definitions/project/Synergy").await)[0].0, "90s");
}
