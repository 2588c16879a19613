//! From a package to a deployment that is over, through the API and as an agent would report.

use std::io::Read;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use windlass_coordinator_core::decide::{SpaceCommand, WorkReport, WorkReportKind};
use windlass_coordinator_core::event::Actor;
use windlass_coordinator_core::state::WorkKind;
use windlass_protocol::ids::{AssignmentId, TargetId};
use windlass_protocol::message::Outcome;
use windlass_workshop::{tar, tree};

use super::api::{ApiFixture, sample};
use super::heavy::reader;
use crate::http::audit::story;
use crate::http::heavy::Wanted;

/// Uploads a package whose one file is a hook with this text.
pub(super) async fn upload(api: &ApiFixture, name: &str, hook: &str) -> (StatusCode, Value) {
    let mut package = Vec::new();
    tar(&tree(&[("PreDeploy.sh", hook.as_bytes())])).read_to_end(&mut package).unwrap();
    let path = format!("/api/v1/packages?name={name}");
    let (status, bytes) = api.raw(Method::POST, &path, Some(&api.token), package).await;
    (status, serde_json::from_slice(&bytes).unwrap())
}

pub(super) async fn released(api: &ApiFixture) -> TargetId {
    api.apply(&sample()).await;
    let grant = json!({"roles": ["synergy-web"], "environments": ["Testing"]});
    let target = api.enrol("test-1", grant).await;
    let hook = "echo #{SynergyDatabase}; get_windlassvariable LogLevel; set_windlassvariable Url x";
    let (status, _) = upload(api, "synergy-web.1.4.0.tar", hook).await;
    assert_eq!(status, StatusCode::OK);
    api.post("/releases", json!({"project": "Synergy"})).await;
    target
}

pub(super) fn request() -> Value {
    json!({"project": "Synergy", "version": "latest", "environments": ["Testing"]})
}

/// Reports everything that a target has to do as done, until nothing is left.
pub(super) async fn work_off(api: &ApiFixture, target: TargetId) {
    loop {
        let work = api.work(target);
        if work.is_empty() {
            return;
        }
        for (assignment, kind) in work {
            let kinds = match kind {
                WorkKind::Fetch => vec![WorkReportKind::Fetched { moved: 5, saved: 7 }],
                WorkKind::Run(_) => {
                    api.print(assignment).await;
                    let ended = WorkReportKind::Ended {
                        outcome: Outcome::Succeeded,
                        outputs: std::collections::BTreeMap::new(),
                        lines: 3,
                    };
                    vec![WorkReportKind::Started, ended]
                }
            };
            report(api, target, assignment, kinds).await;
        }
    }
}

/// Reports as the target's agent.
pub(super) async fn report(
    api: &ApiFixture,
    target: TargetId,
    assignment: AssignmentId,
    kinds: Vec<WorkReportKind>,
) {
    let reports = kinds.into_iter().map(|kind| WorkReport { assignment, kind }).collect();
    let command = SpaceCommand::Report { peer: api.peer(target), reports };
    api.in_space(Actor::Target(target), command).await;
}

#[tokio::test]
async fn uploading_the_same_again_is_no_error_and_other_content_is() {
    let api = ApiFixture::new();
    let (status, package) = upload(&api, "web.1.0.tar", "one").await;
    assert_eq!((status, &package["id"], &package["version"]), (StatusCode::OK, &json!("web"), &json!("1.0")));
    assert_eq!(upload(&api, "web.1.0.tar", "one").await.0, StatusCode::OK);
    let (status, problem) = upload(&api, "web.1.0.tar", "two").await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    assert_eq!(api.get("/packages?filter=WEB").await["items"].as_array().unwrap().len(), 1);
    assert_eq!(api.get("/packages/web/latest").await, package);
    assert_eq!(std::fs::read_dir(api.place.path().join("uploads")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_release_knows_what_its_packages_read() {
    let api = ApiFixture::new();
    released(&api).await;
    let release = api.get("/releases/Synergy/latest").await;
    assert_eq!(release["version"], "1.4.0");
    assert_eq!(release["packages"][0]["version"], "1.4.0");
    let plan = api.post("/plans", request()).await;
    let variables = plan["deployments"][0]["steps"][0]["variables"].as_array().unwrap();
    let names: Vec<_> = variables.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["LogLevel", "SynergyDatabase"]);
    assert_eq!(variables[0]["value"], "********", "the value for this step is sensitive");

    // And what its hooks do with them, since a tenant may fill one later.
    let state = api.engine.state();
    let release = state.spaces.values().flat_map(|space| space.releases.values()).next().unwrap();
    let hooks = &release.packages.values().next().unwrap().hooks;
    let names = |names: &std::collections::BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>();
    assert_eq!(
        (names(&hooks.bare), names(&hooks.sets)),
        (vec!["SynergyDatabase".into()], vec!["Url".into()])
    );
    let (status, _) = upload(&api, "synergy-web.1.5.0.tar", "echo #{LogLevel | Quoted}").await;
    assert_eq!(status, StatusCode::OK);
    let (status, problem) = api.send(Method::POST, "/releases", json!({"project": "Synergy"})).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    let said = "step `Website`: a hook of the package synergy-web 1.5.0 has `LogLevel` in a `#{…}` of its text, which is sensitive";
    assert!(problem["message"].as_str().unwrap().starts_with(said), "{problem}");
}

#[tokio::test]
async fn a_plan_changes_nothing_and_holds_until_something_changes() {
    let api = ApiFixture::new();
    released(&api).await;
    let before = api.engine.state().number;
    let plan = api.post("/plans", request()).await;
    let state = api.engine.state();
    assert_eq!(state.number, before + 1, "that it was looked at, and nothing else");
    let records = api.get("/audit?event=plan-printed").await;
    assert_eq!(records["items"][0]["events"][0]["digest"], plan["digest"]);
    let (status, _) = api.send(Method::POST, "/targets/test-1/disable", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    let mut expecting = request();
    expecting["expect"] = plan["digest"].clone();
    let (status, problem) = api.send(Method::POST, "/deployments", expecting).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    assert!(problem["message"].as_str().unwrap().contains("the plan is another one now"));
}

#[tokio::test]
async fn a_deployment_is_seen_from_its_start_to_its_end() {
    let api = ApiFixture::new();
    let target = released(&api).await;
    let mut asking = request();
    asking["reason"] = json!("the first one");
    let made = api.post("/deployments", asking).await;
    let id = made["deployments"][0]["id"].as_str().unwrap().to_owned();
    let view = api.get(&format!("/deployments/{id}")).await;
    assert_eq!(view["state"], "fetching");
    assert_eq!(
        view["targets"][0],
        json!({"target": "test-1", "fetch": "assigned", "moved": 1, "saved": 2,
        "total": 10, "reason": null})
    );
    assert_eq!(api.get("/deployments?state=open&project=Synergy").await["items"][0]["id"], id.as_str());
    work_off(&api, target).await;
    let view = api.get(&format!("/deployments/{id}")).await;
    assert_eq!(
        (&view["state"], &view["reason"]),
        (&json!("succeeded"), &json!("every step succeeded on every target"))
    );
    assert_eq!(view["steps"][0]["state"], "succeeded");
    assert_eq!(api.get("/deployments?state=open").await["items"], json!([]));
    assert_eq!(api.get("/releases/Synergy/1.4.0").await["succeeded"], json!(["Testing"]));
    let story = api.get(&format!("/deployments/{id}/explanation")).await;
    let told: Vec<_> =
        story["lines"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert!(told[0].starts_with("deployment created") && told[0].contains("Synergy"), "{told:?}");
    assert!(told.last().unwrap().contains("every step succeeded"), "{told:?}");
    let (data, id) = (api.place.path(), id.parse().unwrap());
    let sight = reader(&api).await.sight().unwrap();
    let (earlier, last) = story::tell(data, &sight, &Wanted::by_a_test(), id, 2).unwrap();
    assert_eq!((earlier as usize, &story["earlier"]), (told.len() - 2, &json!(0)));
    assert_eq!(last.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), told[told.len() - 2..]);
    let records = api.get("/audit?event=deployment-created").await;
    assert_eq!(records["items"][0]["reason"], "the first one");
}

#[tokio::test]
async fn who_is_taken_out_of_a_deployment_is_seen_to_have_ended_so() {
    let api = ApiFixture::new();
    released(&api).await;
    let made = api.post("/deployments", request()).await;
    let id = made["deployments"][0]["id"].as_str().unwrap().to_owned();
    api.send(Method::POST, "/targets/test-1/disable", Value::Null).await;
    let view = api.get(&format!("/deployments/{id}")).await;
    assert_eq!(view["state"], "failed");
    let reason = "step `Website` has no target left; scope-removed: test-1 (the target is disabled)";
    assert_eq!(view["reason"], reason);
    let (fetch, end) = (&view["targets"][0]["fetch"], &view["targets"][0]["end"]);
    assert_eq!((fetch, end), (&json!("stopped"), &json!("scope-removed")));
    assert_eq!(view["targets"][0]["reason"], "the target is disabled");
    let steps = view["steps"].as_array().unwrap();
    assert!(!steps.is_empty() && steps.iter().all(|step| step["state"] == "scope-removed"), "{view}");
    let story = api.get(&format!("/deployments/{id}/explanation")).await;
    let told = story["lines"].to_string();
    assert!(told.contains("scope removed: target test-1, reason the target is disabled"), "{told}");
    assert!(told.contains(reason), "{told}");
    assert_eq!(api.get("/releases/Synergy/1.4.0").await["succeeded"], json!([]));
}

#[tokio::test]
async fn output_comes_in_parts_or_as_a_stream_that_ends_with_the_deployment() {
    let api = ApiFixture::new();
    let target = released(&api).await;
    let made = api.post("/deployments", request()).await;
    let id = made["deployments"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/deployments/{id}/logs/follow");
    let following = api.raw(Method::GET, &path, Some(&api.token), "");
    let working = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        work_off(&api, target).await;
    };
    let ((status, stream), ()) = tokio::join!(following, working);
    assert_eq!(status, StatusCode::OK);
    let stream = String::from_utf8(stream).unwrap();
    let texts: Vec<Value> = stream.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<_> = texts.iter().map(|line| line["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!((&texts[0]["step"], &texts[0]["target"]), (&json!("Website"), &json!("test-1")));
    let part = api.get(&format!("/deployments/{id}/logs?limit=2")).await;
    assert_eq!(part["items"].as_array().unwrap().len(), 2);
    let rest = api.get(&format!("/deployments/{id}/logs?after={}", part["next"].as_str().unwrap())).await;
    assert_eq!((&rest["items"][0]["number"], &rest["next"]), (&json!(3), &Value::Null));
    let none = api.get(&format!("/deployments/{id}/logs?step=Exploration%20module")).await;
    assert_eq!(none["items"], json!([]));
}

#[tokio::test]
async fn a_token_that_is_taken_back_follows_no_further() {
    let api = ApiFixture::new();
    released(&api).await;
    let made = api.post("/deployments", request()).await;
    let id = made["deployments"][0]["id"].as_str().unwrap().to_owned();
    let token = api.post("/tokens", json!({"name": "Watcher", "role": "auditor"})).await;
    let path = format!("/api/v1/deployments/{id}/logs/follow");
    let request = axum::http::Request::get(path)
        .header("authorization", format!("Bearer {}", token["token"].as_str().unwrap()))
        .body(axum::body::Body::empty())
        .unwrap();
    let answer = tower::ServiceExt::oneshot(api.router.clone(), request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    api.send(Method::DELETE, "/tokens/Watcher", Value::Null).await;
    let read = axum::body::to_bytes(answer.into_body(), 1 << 20);
    let read =
        tokio::time::timeout(std::time::Duration::from_secs(5), read).await.expect("the stream breaks off");
    assert!(read.is_err());
}

#[tokio::test]
async fn a_deployment_is_cancelled_once() {
    let api = ApiFixture::new();
    released(&api).await;
    let made = api.post("/deployments", request()).await;
    let path = format!("/deployments/{}/cancel", made["deployments"][0]["id"].as_str().unwrap());
    api.post(&path, json!({"reason": "wrong one"})).await;
    let (status, problem) = api.send(Method::POST, &path, json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
}

#[tokio::test]
async fn a_project_is_shown_with_its_releases() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    let view = api.get("/definitions/project/Synergy").await;
    assert_eq!(view["releases"], json!({"count": 0, "newest": []}));
    upload(&api, "synergy-web.1.4.0.tar", "true").await;
    for minor in 0..21 {
        api.post("/releases", json!({"project": "Synergy", "version": format!("1.{minor}")})).await;
    }
    let view = api.get("/definitions/project/Synergy").await;
    let newest = view["releases"]["newest"].as_array().unwrap();
    assert_eq!((&view["releases"]["count"], newest.len()), (&json!(21), 20));
    assert_eq!((&newest[0], &newest[19]), (&json!("1.20"), &json!("1.1")));
    assert_eq!(api.get("/definitions/tenant/Customer-2").await["releases"], Value::Null);
    let list = api.get("/definitions/project").await;
    assert_eq!(list["items"][0]["summary"], "2 steps, newest release 1.20");
}
