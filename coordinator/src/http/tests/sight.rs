//! A token that is limited to one tenant, on every route: all else does not exist (SEMANTICS 10).

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::access::routes;
use super::api::{ApiFixture, sample};
use super::flow::{upload, work_off};

/// What is nothing of Customer-2's: names, and words that stand only in what is not its own.
const HIDDEN: [&str; 8] = [
    "Customer-3",
    "Exploration",
    "Module",
    "Testing",
    "theirs-1",
    "nobodys-1",
    "Secret project",
    "their-package",
];

/// What names things in paths, seen or not.
const NAMES: [&str; 22] = [
    "Customer-2",
    "Customer-3",
    "shared-1",
    "theirs-1",
    "nobodys-1",
    "Synergy",
    "Secret project",
    "Production",
    "Staging",
    "Testing",
    "Hosting",
    "Module",
    "Default",
    "Standard tenant details",
    "latest",
    "1.4.0",
    "tenant",
    "project",
    "environment",
    "tag-set",
    "lifecycle",
    "Nowhere",
];

async fn installation() -> (ApiFixture, String) {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    api.apply(&[
        json!({"kind": "tenant", "name": "Customer-3", "tags": ["Module/Exploration", "Hosting/Dedicated"],
            "projects": {"Synergy": ["Production", "Testing"]}}),
        json!({"kind": "project", "name": "Secret project", "lifecycle": "Default", "steps": [
            {"name": "Any", "roles": ["synergy-web"], "package": {"id": "their-package"}}]}),
    ])
    .await;
    let grant = |tenants: &[&str]| {
        json!({"roles": ["synergy-web"], "environments": ["Production", "Staging", "Testing"],
        "tenants": {"tenants": tenants}, "participation": "both"})
    };
    let shared = api.enrol("shared-1", grant(&["Customer-2", "Customer-3"])).await;
    let theirs = api.enrol("theirs-1", grant(&["Customer-3"])).await;
    api.enrol("nobodys-1", grant(&[])).await;
    for package in ["synergy-web.1.4.0.zip", "their-package.1.0.0.zip"] {
        assert_eq!(upload(&api, package, "true").await.0, StatusCode::OK);
    }
    api.post("/releases", json!({"project": "Synergy"})).await;
    api.post("/releases", json!({"project": "Secret project"})).await;
    let deploy = async |environment: &str, tenants: &[&str]| {
        let request = json!({"project": "Synergy", "version": "latest", "environments": [environment],
            "tenants": {"tenants": tenants}, "reason": "for Customer-3"});
        api.post("/deployments", request).await;
        // A step begins where all have fetched, and the next one where all have done it.
        for _ in 0..4 {
            work_off(&api, shared).await;
            work_off(&api, theirs).await;
        }
    };
    deploy("Testing", &["Customer-3"]).await;
    deploy("Staging", &["Customer-2"]).await;
    deploy("Production", &["Customer-2", "Customer-3"]).await;
    let made = api
        .post(
            "/tokens",
            json!({"name": "Customer-2's", "role": "auditor", "tenants": {"tenants": ["Customer-2"]}}),
        )
        .await;
    (api, made["token"].as_str().unwrap().to_owned())
}

/// Every reading route with every name in every place, and what takes more than a path.
fn paths(ids: &[String]) -> Vec<String> {
    let mut paths = Vec::new();
    let routes = routes().into_iter().filter(|(method, ..)| *method == Method::GET);
    for (_, template, _) in routes.filter(|(_, template, _)| !template.contains("follow")) {
        let mut filled = vec![String::new()];
        for part in template.split('/').skip(1) {
            let words: Vec<String> = match part.starts_with('{') {
                true => {
                    NAMES.iter().map(|name| name.replace(' ', "%20")).chain(ids.iter().cloned()).collect()
                }
                false => vec![part.to_owned()],
            };
            filled = filled
                .iter()
                .flat_map(|path| words.iter().map(move |word| format!("{path}/{word}")))
                .collect();
        }
        paths.extend(filled);
    }
    for tenant in ["Customer-2", "Customer-3", "Nowhere"] {
        for environment in ["Production", "Staging", "Testing"] {
            for target in ["shared-1", "theirs-1"] {
                paths.push(format!("/api/v1/targets/{target}/explanation?project=Synergy&environment={environment}&tenant={tenant}"));
                paths.push(format!("/api/v1/variables?project=Synergy&environment={environment}&tenant={tenant}&target={target}"));
            }
            paths.push(format!("/api/v1/tenants/{tenant}/explanation?project=Synergy&version=latest&environment={environment}"));
            paths.push(format!("/api/v1/deployments?tenant={tenant}&environment={environment}"));
        }
        paths.push(format!("/api/v1/missing-values?tenant={tenant}"));
    }
    paths.push("/api/v1/targets/shared-1/explanation?project=Synergy&environment=Production".to_owned());
    for asked in
        ["order=oldest", "event=deployment-created", "about=Customer-2", "about=shared-1", "filter=e"]
    {
        paths.push(format!("/api/v1/audit?limit=1000&{asked}"));
    }
    paths.extend(ids.iter().map(|id| format!("/api/v1/audit?about={id}")));
    paths
}

#[tokio::test]
async fn a_limited_token_learns_nothing_of_others_on_any_route_and_sees_what_is_its_own() {
    let (api, token) = installation().await;
    let ids = |items: &Value, theirs: bool| -> Vec<String> {
        let items = items["items"].as_array().unwrap().iter();
        let of = items.filter(|item| (item["tenant"] == "Customer-2") == theirs);
        of.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    let deployments = api.get("/deployments").await;
    let (own, others) = (ids(&deployments, true), ids(&deployments, false));
    assert_eq!((own.len(), others.len()), (2, 2));
    let targets = api.get("/targets").await;
    let hidden_ids: Vec<String> = targets["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|target| target["name"] != "shared-1")
        .map(|target| target["id"].as_str().unwrap().to_owned())
        .chain(others.clone())
        .collect();
    let asked: Vec<String> = own.iter().chain(&hidden_ids).cloned().collect();
    let paths = paths(&asked);
    assert!(paths.len() > 500, "{}", paths.len());
    let mut answered = 0;
    for path in paths {
        let (status, body) = api.raw(Method::GET, &path, Some(&token), "").await;
        let text = String::from_utf8_lossy(&body).into_owned();
        assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{path}: {text}");
        answered += usize::from(status == StatusCode::OK);
        // What was asked for comes back in the sentence that there is none.
        let decoded = path.replace("%20", " ");
        for hidden in HIDDEN.iter().copied().chain(hidden_ids.iter().map(String::as_str)) {
            let quoted =
                decoded.split(['/', '=', '&', '?']).any(|word| word == hidden).then(|| format!("`{hidden}`"));
            let told = quoted.map_or_else(|| text.clone(), |quoted| text.replacen(&quoted, "", 1));
            assert!(!told.contains(hidden), "{hidden} in the answer to {path}: {text}");
            assert!(status != StatusCode::OK || told.len() == text.len(), "{path}: {text}");
        }
    }
    assert!(answered >= 40, "{answered}");
    let get = async |path: &str| -> Value {
        let (status, body) = api.raw(Method::GET, &format!("/api/v1{path}"), Some(&token), "").await;
        assert_eq!(status, StatusCode::OK, "{path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    };
    assert_eq!(ids(&get("/deployments").await, true), own);
    assert_eq!(get("/targets/shared-1").await["tenants"], json!(["Customer-2"]));
    assert_eq!(
        get("/releases/Synergy/latest").await["succeeded"],
        json!(["Staging/Customer-2", "Production/Customer-2"])
    );
    assert_eq!(get("/audit/who-can/Customer-2").await["targets"][0]["target"], "shared-1");
    let story = get(&format!("/deployments/{}/explanation", own[0])).await;
    let numbers: Vec<_> =
        story["lines"].as_array().unwrap().iter().map(|line| line["sequence"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "how much others do is not told");
    assert_eq!(get("/tokens").await["items"].as_array().unwrap().len(), 1);
    let missing = get("/missing-values").await;
    assert!(
        missing["items"].as_array().unwrap().iter().all(|value| value["tenant"] == "Customer-2"),
        "{missing}"
    );
    let (status, body) = api.raw(Method::GET, "/api/v1/audit/verification", Some(&token), "").await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{}", String::from_utf8_lossy(&body));
    let plan = json!({"project": "Synergy", "version": "latest", "environments": ["Production"],
        "tenants": {"tenants": ["Customer-2"]}});
    let (status, body) = api.raw(Method::POST, "/api/v1/plans", Some(&token), plan.to_string()).await;
    let text = String::from_utf8_lossy(&body).into_owned();
    assert_eq!(status, StatusCode::OK, "{text}");
    assert!(HIDDEN.iter().all(|hidden| !text.contains(hidden)), "{text}");
    let whole = api.post("/plans", plan).await;
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["digest"], whole["digest"]);
}

/// What a limited token gets, as it must be described.
async fn get(api: &ApiFixture, token: &str, path: &str) -> (StatusCode, Value) {
    let path = format!("/api/v1{path}");
    let (status, body) = api.raw(Method::GET, &path, Some(token), "").await;
    let answer = serde_json::from_slice(&body).unwrap();
    super::described::expect_described(&Method::GET, &path, status, &answer);
    (status, answer)
}

fn numbers(page: &Value) -> Vec<u64> {
    page["items"].as_array().unwrap().iter().map(|item| item["sequence"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn the_record_of_a_limited_token_is_numbered_by_itself_and_its_parts_come_to_the_whole() {
    let (api, token) = installation().await;
    let (status, all) = get(&api, &token, "/audit?order=oldest&limit=1000").await;
    assert_eq!(status, StatusCode::OK);
    let count = numbers(&all).len() as u64;
    assert!(count > 8 && count < api.engine.state().number, "{count}");
    assert_eq!(numbers(&all), (1..=count).collect::<Vec<_>>());
    for item in all["items"].as_array().unwrap() {
        assert_eq!((&item["hash"], &item["origin"]), (&Value::Null, &Value::Null));
        assert!(!item.to_string().contains("token-"), "{item}");
    }
    let text = all.to_string();
    assert!(
        text.contains("deployment-created") && text.contains("run-ended") && text.contains("another token")
    );
    assert!(!text.contains("for Customer-3"), "what others wrote may be about anybody: {text}");
    for order in ["newest", "oldest"] {
        let (mut read, mut after) = (Vec::new(), String::new());
        loop {
            let (_, part) = get(&api, &token, &format!("/audit?order={order}&limit=2{after}")).await;
            read.extend(numbers(&part));
            let Some(next) = part["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        read.sort_unstable();
        assert_eq!(read, (1..=count).collect::<Vec<_>>(), "{order}");
    }
    // Beyond its end it is alike, how much more there is of others.
    for order in ["newest", "oldest"] {
        let mut told = Vec::new();
        for beyond in [count + 1, api.engine.state().number, u64::MAX] {
            let (status, problem) = get(&api, &token, &format!("/audit?order={order}&after={beyond}")).await;
            told.push((status, problem["message"].as_str().unwrap().replace(&beyond.to_string(), "N")));
        }
        assert_eq!(told[0].0, StatusCode::BAD_REQUEST);
        assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
    }
    let last = get(&api, &token, &format!("/audit?order=oldest&after={count}")).await;
    assert_eq!((last.0, &last.1["items"]), (StatusCode::OK, &json!([])));
}

#[tokio::test]
async fn what_a_limited_token_is_told_of_a_machine_does_not_depend_on_what_it_holds_of_others() {
    let (api, token) = installation().await;
    let package = api.get("/packages/synergy-web/latest").await;
    let (status, pulled) = get(&api, &token, "/audit/pulled/shared-1").await;
    assert_eq!(status, StatusCode::OK);
    let items = pulled["items"].as_array().unwrap();
    let expected = json!({"kind": "package", "digest": package["manifest"], "bytes": package["size"],
        "names": ["synergy-web 1.4.0"], "tenant": "Customer-2", "times": 1});
    assert_eq!(items.len(), 2, "{items:?}");
    for item in items {
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&item[field], value, "{item}");
        }
    }
    let (_, first) = get(&api, &token, "/audit/pulled/shared-1?limit=1").await;
    assert_eq!(first["items"], json!([items[0]]));
    let next = first["next"].as_str().unwrap();
    let (_, second) = get(&api, &token, &format!("/audit/pulled/shared-1?limit=1&after={next}")).await;
    assert_eq!((&second["items"], &second["next"]), (&json!([items[1]]), &Value::Null));
    // A machine that is not seen is none, by whatever name.
    let hidden = api.get("/targets/theirs-1").await["id"].as_str().unwrap().to_owned();
    for name in ["theirs-1", &hidden, "target-00000000000000000000000000"] {
        let (status, problem) = get(&api, &token, &format!("/audit/pulled/{name}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{problem}");
    }
    let (_, deployments) = get(&api, &token, "/deployments").await;
    for item in deployments["items"].as_array().unwrap() {
        let path = format!("/deployments/{}", item["id"].as_str().unwrap());
        let (_, view) = get(&api, &token, &path).await;
        let target = &view["targets"][0];
        assert_eq!((&target["moved"], &target["saved"]), (&Value::Null, &Value::Null));
        assert_eq!((&target["total"], &target["fetch"]), (&package["size"], &json!("done")));
        let whole = api.get(&path).await;
        assert_eq!((&whole["targets"][0]["moved"], &whole["targets"][0]["saved"]), (&json!(5), &json!(7)));
    }
}

#[tokio::test]
async fn a_machine_that_is_not_theirs_any_more_is_another_one_in_what_happened() {
    let (api, _) = installation().await;
    api.apply(&[
        json!({"kind": "tenant", "name": "Customer-2", "tags": ["Hosting/Shared 1"],
            "projects": {"Synergy": ["Staging", "Production"], "Says": ["Production"]}}),
        json!({"kind": "project", "name": "Says", "lifecycle": "Says", "tenancy": "tenanted", "steps": [
            {"name": "Say", "roles": ["says"], "script": {"body": "true"}}]}),
        json!({"kind": "lifecycle", "name": "Says", "phases": [{"name": "All", "environments": ["Production"]}]}),
    ])
    .await;
    let grant = |tenant: &str| json!({"roles": ["says"], "environments": ["Production"], "tenants": {"tenants": [tenant]}});
    let says = api.enrol("says-1", grant("Customer-2")).await;
    api.post("/releases", json!({"project": "Says"})).await;
    let request = json!({"project": "Says", "version": "latest", "environments": ["Production"],
        "tenants": {"tenants": ["Customer-2"]}});
    let made = api.post("/deployments", request).await;
    let id = made["deployments"][0]["id"].as_str().or(made["deployments"][0].as_str()).unwrap().to_owned();
    work_off(&api, says).await;
    let (status, _) = api.send(Method::PUT, "/targets/says-1/grant", grant("Customer-3")).await;
    assert_eq!(status, StatusCode::OK);
    let made = api
        .post("/tokens", json!({"name": "Other", "role": "auditor", "tenants": {"tenants": ["Customer-2"]}}))
        .await;
    let token = made["token"].as_str().unwrap();
    assert_eq!(get(&api, token, "/targets/says-1").await.0, StatusCode::NOT_FOUND);
    for path in [format!("/deployments/{id}/explanation"), format!("/audit?about={id}")] {
        let (status, told) = get(&api, token, &path).await;
        let text = told.to_string();
        assert_eq!(status, StatusCode::OK, "{text}");
        assert!(text.contains("another target") && !text.contains(&says.to_string()), "{path}: {text}");
    }
}
