//! What a deployment waits for, since when, until when and for whom; and when what it does began and ended.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use windlass_coordinator_core::decide::{SpaceCommand, WorkReportKind};
use windlass_coordinator_core::event::Actor;
use windlass_coordinator_core::state::WorkKind;
use windlass_protocol::ids::{DeploymentId, TargetId};
use windlass_protocol::message::{Generation, Outcome};

use super::api::{ApiFixture, sample};
use super::flow::{released, report, request};

async fn deploy(api: &ApiFixture, request: Value) -> String {
    let made = api.post("/deployments", request).await;
    made["deployments"][0]["id"].as_str().unwrap().to_owned()
}

async fn view(api: &ApiFixture, id: &str) -> Value {
    api.get(&format!("/deployments/{id}")).await
}

/// Seconds from one time to another.
fn seconds(from: &Value, to: &Value) -> i64 {
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    time(to) - time(from)
}

async fn presence(api: &ApiFixture, lost: &[TargetId], back: &[TargetId]) {
    let command = SpaceCommand::RecordPresence { lost: lost.to_vec(), back: back.to_vec() };
    api.in_space(Actor::Coordinator, command).await;
}

async fn started(api: &ApiFixture, target: TargetId, deployment: &str) {
    let deployment: DeploymentId = deployment.parse().unwrap();
    let state = api.engine.state();
    let space = state.space_of(target).unwrap();
    let is_its = |kind| matches!(kind, WorkKind::Run(_));
    let found = space.work_of(target).find(|(_, item)| item.deployment == deployment && is_its(item.kind));
    let assignment = *found.expect("its step is assigned").0;
    report(api, target, assignment, vec![WorkReportKind::Started]).await;
}

#[tokio::test]
async fn who_is_in_the_way_of_a_deployment_is_named_with_what_can_be_done() {
    let api = ApiFixture::new();
    released(&api).await;
    let first = deploy(&api, request()).await;
    let second = deploy(&api, request()).await;
    let seen = view(&api, &second).await;
    let wait = &seen["waits"][0];
    assert_eq!(
        (&wait["rule"], &wait["by"], &wait["since"]),
        (&json!("queue"), &json!(first), &seen["created"])
    );
    let said = format!(
        "another deployment of this project to the same place comes first: {first} (Synergy 1.4.0 to Testing)"
    );
    assert_eq!(wait["reason"], said);
    assert_eq!(wait["advice"], format!("`windlass deployment cancel {first}` ends it"));
    let plan = api.post("/plans", request()).await;
    let said = format!(
        "2 deployments of this project to the same place come first, now {first} (Synergy 1.4.0 to Testing)"
    );
    assert_eq!(plan["deployments"][0]["waits"][0]["reason"], said);
}

#[tokio::test]
async fn a_target_that_is_away_is_waited_for_since_it_was_lost_and_for_an_hour() {
    let mut api = ApiFixture::new();
    let target = released(&api).await;
    let id = deploy(&api, request()).await;
    api.disconnect();
    let wait = view(&api, &id).await["waits"][0].clone();
    assert_eq!((&wait["rule"], &wait["until"]), (&json!("offline"), &Value::Null), "it may be back at once");
    presence(&api, &[target], &[]).await;
    let wait = view(&api, &id).await["waits"][0].clone();
    assert_eq!(wait["reason"], "target `test-1` is not connected");
    assert_eq!(seconds(&wait["since"], &wait["until"]), 3600);
    assert_eq!(wait["advice"], "start its agent: `systemctl start windlass-agent` there");
}

#[tokio::test]
async fn a_target_that_is_held_is_said_to_be_and_how_it_takes_part_again() {
    let mut api = ApiFixture::new();
    let target = released(&api).await;
    let generation = Generation { epoch: 1, sequence: 1 << 40 };
    let ahead = SpaceCommand::RecordAhead { peer: api.peer(target), generation };
    api.in_space(Actor::Target(target), ahead).await;
    api.disconnect();
    let said = "target `test-1` is held: its agent has seen later work than the journal knows; look at what has \
                happened since, then `windlass target confirm test-1`";
    let plan = api.post("/plans", request()).await;
    assert_eq!(plan["deployments"][0]["waits"][0]["reason"], said);
    let id = deploy(&api, request()).await;
    let wait = view(&api, &id).await["waits"][0].clone();
    assert_eq!((&wait["rule"], &wait["reason"]), (&json!("offline"), &json!(said)));
}

/// Two customers, each with a project of one script, that share a machine.
async fn shared() -> (ApiFixture, TargetId) {
    let api = ApiFixture::new();
    api.apply(&[json!({"kind": "environment", "name": "Live"})]).await;
    for name in ["Alpha", "Beta"] {
        let script = json!({"name": "Run", "roles": ["web"], "timeout": "10m", "script": {"shell": "bash", "body": "true"}});
        let project = json!({"kind": "project", "name": format!("For {name}"), "tenancy": "tenanted", "steps": [script]});
        let mut projects = serde_json::Map::new();
        projects.insert(format!("For {name}"), json!(["Live"]));
        api.apply(&[project, json!({"kind": "tenant", "name": name, "projects": projects})]).await;
        api.post("/releases", json!({"project": format!("For {name}"), "version": "1.0.0"})).await;
    }
    let grant = json!({"roles": ["web"], "environments": ["Live"], "participation": "both",
        "tenants": {"tenants": ["Alpha", "Beta"]}});
    let target = api.enrol("shared-1", grant).await;
    (api, target)
}

fn to(name: &str) -> Value {
    json!({"project": format!("For {name}"), "version": "latest", "environments": ["Live"],
        "tenants": {"tenants": [name]}})
}

#[tokio::test]
async fn what_keeps_a_target_busy_is_named_to_who_may_see_it_alone() {
    let (api, target) = shared().await;
    let first = deploy(&api, to("Alpha")).await;
    started(&api, target, &first).await;
    let second = deploy(&api, to("Beta")).await;
    let wait = view(&api, &second).await["waits"][0].clone();
    assert_eq!((&wait["rule"], &wait["by"]), (&json!("busy"), &json!(first)));
    let said = format!(
        "target `shared-1` is busy with another deployment: {first} (For Alpha 1.0.0 to Live for Alpha)"
    );
    assert_eq!(wait["reason"], said);
    assert_eq!(seconds(&wait["since"], &wait["until"]), 7 * 24 * 3600);
    let limited = json!({"name": "Beta's", "role": "auditor", "tenants": {"tenants": ["Beta"]}});
    let token = api.post("/tokens", limited).await["token"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/deployments/{second}");
    let (status, bytes) = api.raw(Method::GET, &path, Some(&token), "").await;
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(status, StatusCode::OK, "{text}");
    let seen: Value = serde_json::from_str(&text).unwrap();
    let wait = &seen["waits"][0];
    assert_eq!((&wait["rule"], &wait["by"], &wait["advice"]), (&json!("busy"), &Value::Null, &Value::Null));
    assert_eq!(wait["reason"], "target `shared-1` is busy with other work");
    assert!(!text.contains(&first) && !text.contains("Alpha"), "{text}");
}

#[tokio::test]
async fn a_step_that_runs_says_since_when_and_for_how_long_and_counts_lines_when_it_has_ended() {
    let (api, target) = shared().await;
    let id = deploy(&api, to("Alpha")).await;
    let step = view(&api, &id).await["steps"][0].clone();
    assert_eq!(step["state"], "assigned");
    assert_eq!(seconds(&step["since"], &step["until"]), 7 * 24 * 3600, "it is to begin by then");
    started(&api, target, &id).await;
    let seen = view(&api, &id).await;
    let step = &seen["steps"][0];
    assert_eq!((&step["state"], &step["lines"]), (&json!("running"), &Value::Null));
    assert_eq!(seconds(&step["since"], &step["until"]), 600);
    assert!((0..60).contains(&seconds(&seen["created"], &step["since"])), "{seen}");
    assert_eq!(seen["ended"], Value::Null);
    work_off_started(&api, target).await;
    let seen = view(&api, &id).await;
    assert_eq!(seen["state"], "succeeded");
    assert!((0..60).contains(&seconds(&seen["created"], &seen["ended"])), "{seen}");
    assert_eq!(seen["steps"][0]["until"], Value::Null);
}

async fn work_off_started(api: &ApiFixture, target: TargetId) {
    for (assignment, _) in api.work(target) {
        let ended =
            WorkReportKind::Ended { outcome: Outcome::Succeeded, outputs: Default::default(), lines: 3 };
        report(api, target, assignment, vec![ended]).await;
    }
}

#[tokio::test]
async fn a_step_that_was_never_reached_does_not_wait() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    let script =
        |name: &str| json!({"name": name, "roles": ["web"], "script": {"shell": "bash", "body": "true"}});
    api.apply(&[json!({"kind": "project", "name": "Two", "steps": [script("One"), script("Other")]})]).await;
    api.post("/releases", json!({"project": "Two", "version": "1.0.0"})).await;
    let target = api.enrol("web-1", json!({"roles": ["web"], "environments": ["Testing"]})).await;
    let id = deploy(&api, json!({"project": "Two", "version": "latest", "environments": ["Testing"]})).await;
    assert_eq!(view(&api, &id).await["steps"][1]["state"], "waiting");
    let failed = Outcome::Failed { reason: "exit code 3".to_owned() };
    let ended = WorkReportKind::Ended { outcome: failed, outputs: Default::default(), lines: 0 };
    let assignment = api.work(target)[0].0;
    report(&api, target, assignment, vec![WorkReportKind::Started, ended]).await;
    let seen = view(&api, &id).await;
    assert_eq!((&seen["state"], &seen["steps"][1]["state"]), (&json!("failed"), &json!("not-reached")));
    // And how it failed is told in words, on every line.
    let story = api.get(&format!("/deployments/{id}/explanation")).await;
    let told: Vec<_> =
        story["lines"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert!(told.contains(&"assigned: step One on web-1"), "{told:?}");
    assert!(told.contains(&"run started: target web-1, step One"), "{told:?}");
    assert!(told.contains(&"run ended: target web-1, step One, reason failed (exit code 3)"), "{told:?}");
}

#[tokio::test]
async fn the_story_of_a_deployment_has_its_targets_going_and_coming_and_who_cancelled_it_and_why() {
    let api = ApiFixture::new();
    let target = released(&api).await;
    // Nothing of what was before or is after is a part of it.
    presence(&api, &[target], &[]).await;
    presence(&api, &[], &[target]).await;
    let id = deploy(&api, request()).await;
    presence(&api, &[target], &[]).await;
    presence(&api, &[], &[target]).await;
    api.post(&format!("/deployments/{id}/cancel"), json!({"reason": "wrong one"})).await;
    presence(&api, &[target], &[]).await;
    let story = api.get(&format!("/deployments/{id}/explanation")).await;
    let told: Vec<_> =
        story["lines"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect();
    let count = |text: &str| told.iter().filter(|line| **line == text).count();
    assert_eq!(
        (count("target lost: target test-1"), count("target back: target test-1")),
        (1, 1),
        "{told:?}"
    );
    let end = "deployment ended: end cancelled, reason somebody cancelled it, by token First administrator: wrong one";
    assert_eq!(told.last(), Some(&end), "{told:?}");
}

#[tokio::test]
async fn a_deployment_without_a_target_says_what_was_left_out_and_where_to_look() {
    let api = ApiFixture::new();
    released(&api).await;
    let mut asked = request();
    asked["exclude-targets"] = json!(["test-1"]);
    asked["skip-steps"] = json!(["Exploration module"]);
    let id = deploy(&api, asked).await;
    let seen = view(&api, &id).await;
    assert_eq!(seen["state"], "nothing-done");
    assert_eq!(
        seen["reason"],
        "no step had a target; the request left out the target test-1, the step Exploration module; why others are, \
         `windlass explain target` tells of each"
    );
    api.send(Method::POST, "/targets/test-1/disable", Value::Null).await;
    let id = deploy(&api, request()).await;
    assert_eq!(
        view(&api, &id).await["reason"],
        "no step had a target; why a target is left out, `windlass explain target` tells"
    );
}
