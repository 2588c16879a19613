//! What the record tells, and who can read what.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use windlass_coordinator_core::decide::{EnrolmentUse, Greeting, SpaceCommand};
use windlass_coordinator_core::event::Actor;
use windlass_coordinator_core::model::TargetKey;
use windlass_protocol::ids::EnrolmentId;
use windlass_protocol::message::{Advertised, Isolation};
use windlass_protocol::token::{Token, TokenKind};
use windlass_protocol::{Digest, Timestamp};

use super::api::{ApiFixture, sample};
use super::flow::{released, request};

#[tokio::test]
async fn the_newest_records_come_first_when_nobody_says_and_in_order() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    api.enrol("shared-1", json!({"roles": ["web"]})).await;
    let last = api.engine.state().number;
    let newest = api.get("/audit?limit=2").await;
    let numbers: Vec<_> =
        newest["items"].as_array().unwrap().iter().map(|item| item["sequence"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [last, last - 1]);
    let first = api.get("/audit?order=oldest&after=0&limit=1").await;
    assert_eq!(first["items"][0]["events"][0]["event"], "initialised");
    assert_eq!(first["next"], "1");
    let about = api.get("/audit?about=shared-1").await;
    let summary = about["items"][0]["summary"][0].as_str().unwrap();
    assert!(summary.starts_with("target enrolled: ") && summary.ends_with("target shared-1"), "{summary}");
    assert_eq!(api.get(&format!("/audit?order=oldest&after={last}")).await["items"], json!([]));
    assert_eq!(api.get("/audit?after=1").await["items"], json!([]));
}

#[tokio::test]
async fn the_parts_of_the_record_come_to_the_whole_in_both_orders() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    api.enrol("shared-1", json!({"roles": ["web"]})).await;
    let last = api.engine.state().number;
    for (order, narrowed) in
        [("newest", ""), ("oldest", ""), ("newest", "&filter=e"), ("oldest", "&filter=e")]
    {
        let (mut numbers, mut after) = (Vec::new(), String::new());
        loop {
            let part = api.get(&format!("/audit?order={order}&limit=2{narrowed}{after}")).await;
            numbers.extend(
                part["items"].as_array().unwrap().iter().map(|item| item["sequence"].as_u64().unwrap()),
            );
            let Some(next) = part["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        if order == "newest" {
            numbers.reverse();
        }
        assert_eq!(numbers, (1..=last).collect::<Vec<_>>(), "{order} {narrowed}");
    }
}

/// The strings that stand somewhere below what is hidden.
fn hidden(value: &Value, below: bool, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let sealed = below || map.contains_key("ciphertext");
            map.iter().for_each(|(key, value)| hidden(value, sealed || key == "secret", found));
        }
        Value::Array(items) => items.iter().for_each(|item| hidden(item, below, found)),
        Value::String(text) if below => found.push(text.clone()),
        _ => {}
    }
}

#[tokio::test]
async fn what_is_not_shown_of_a_record_is_not_found_either() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    let secret = json!({"kind": "library-set", "name": "Keys", "variables":
        {"Key": [{"value": {"secret": "abc#{hunter}d"}}]}});
    api.apply(&[secret]).await;
    api.enrol("shared-1", json!({"roles": ["web"]})).await;
    let mut strings = Vec::new();
    for segment in std::fs::read_dir(api.place.path().join("journal")).unwrap() {
        let path = segment.unwrap().path();
        if path.extension().is_some_and(|end| end == "jsonl") {
            for line in std::fs::read_to_string(path).unwrap().lines() {
                hidden(&serde_json::from_str(line).unwrap(), false, &mut strings);
            }
        }
    }
    // At least a token's and an enrolment's secret, and of the value its ciphertext, its digest and what it is bound to.
    assert!(strings.len() >= 5, "{strings:?}");
    // The key of a sealed value is named where the tenant is shown.
    for text in strings.iter().filter(|text| !text.starts_with("key-")) {
        let answer = api.get(&format!("/audit?filter={}", text.replace('+', "%2B"))).await;
        assert_eq!(answer["items"], json!([]), "{text}");
    }
    // The sample has sensitive defaults and values.
    assert_eq!(api.get("/audit?filter=(sensitive)").await["items"].as_array().unwrap().len(), 2);
    assert_ne!(api.get("/audit?filter=shared-1").await["items"], json!([]));
}

#[tokio::test]
async fn large_records_make_a_part_shorter_and_the_parts_come_to_the_whole() {
    let api = ApiFixture::new();
    let value = "x".repeat(30_000);
    for number in 0..3 {
        let variables: serde_json::Map<_, _> =
            (0..25).map(|at| (format!("V{number}-{at}"), json!([{"value": value}]))).collect();
        let set = json!({"kind": "library-set", "name": format!("S{number}"), "variables": variables});
        api.apply(&[set]).await;
    }
    let last = api.engine.state().number;
    for order in ["newest", "oldest"] {
        let (mut numbers, mut after, mut parts) = (Vec::new(), String::new(), 0);
        loop {
            let part = api.get(&format!("/audit?order={order}&limit=1000{after}")).await;
            let size = part.to_string().len();
            assert!(size < 3 << 19, "{size} bytes");
            parts += 1;
            let items = part["items"].as_array().unwrap();
            numbers.extend(items.iter().map(|item| item["sequence"].as_u64().unwrap()));
            let Some(next) = part["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=last).collect::<Vec<_>>(), "{order}");
        assert!(parts >= 3, "{order}: {parts} parts");
    }
}

#[tokio::test]
async fn the_journal_is_verified_against_a_witness() {
    let api = ApiFixture::new();
    let verified = api.get("/audit/verification").await;
    assert_eq!(verified["records"], 1);
    let head = verified["head"].as_str().unwrap();
    api.apply(&sample()).await;
    assert_eq!(api.get(&format!("/audit/verification?record=1&hash={head}")).await["records"], 2);
    let other = "0".repeat(64);
    let (status, problem) =
        api.send(Method::GET, &format!("/audit/verification?record=1&hash={other}"), Value::Null).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(problem["message"].as_str().unwrap().contains("another history"), "{problem}");
}

#[tokio::test]
async fn who_can_and_what_can_agree_with_the_scope() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    let roles = json!(["synergy-web"]);
    let shared = json!({"roles": roles, "environments": ["Staging", "Production"],
        "tenants": {"tags": ["Hosting/Shared 1"]}});
    api.enrol("shared-1", shared).await;
    api.enrol(
        "other-1",
        json!({"roles": roles, "environments": ["Production"],
        "tenants": {"tenants": ["Customer-3"]}}),
    )
    .await;
    let who = api.get("/audit/who-can/Customer-2").await;
    let names: Vec<_> = who["targets"].as_array().unwrap().iter().map(|found| &found["target"]).collect();
    assert_eq!(names, [&json!("shared-1")]);
    assert_eq!(who["targets"][0]["by"], "tag");
    let what = api.get("/audit/what-can/shared-1").await;
    let places: Vec<_> = what["could"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            assert_eq!(item["tenant"], "Customer-2");
            item["environment"].as_str().unwrap()
        })
        .collect();
    let mut places = places;
    places.sort_unstable();
    assert_eq!(places, ["Production", "Staging"]);
    assert_eq!(
        api.get("/audit/what-can/other-1").await["could"],
        json!([]),
        "Customer-3 is connected nowhere"
    );
    api.send(Method::POST, "/targets/shared-1/disable", Value::Null).await;
    let what = api.get("/audit/what-can/shared-1").await;
    assert_eq!((&what["could"], &what["nothing"]), (&json!([]), &json!("an operator disabled it")));
    assert_eq!(api.get("/audit/who-can/Customer-2").await["targets"], json!([]));
    assert_eq!(api.get("/audit/pulled/shared-1").await["items"], json!([]));
}

/// Two projects in two environments for Big, of 700 steps with long names.
async fn reading_much() -> ApiFixture {
    let api = ApiFixture::new();
    let step = |number: usize| json!({"name": format!("{number} {}", "long".repeat(37)), "roles": ["web"], "script": {"body": "true"}});
    let steps: Vec<_> = (0..700).map(step).collect();
    let project = |name: &str| json!({"kind": "project", "name": name, "steps": steps});
    let mut documents = vec![
        json!({"kind": "environment", "name": "One"}),
        json!({"kind": "environment", "name": "Two"}),
        project("A"),
        project("B"),
    ];
    documents.push(
        json!({"kind": "tenant", "name": "Big", "projects": {"A": ["One", "Two"], "B": ["One", "Two"]}}),
    );
    api.apply(&documents).await;
    let grant = json!({"roles": ["web"], "environments": ["One", "Two"], "tenants": {"tenants": ["Big"]}});
    for target in ["web-1", "web-2", "web-3"] {
        api.enrol(target, grant.clone()).await;
    }
    api
}

/// Every part of a list, each small, after the parts before.
async fn parts(api: &ApiFixture, path: &str) -> Vec<Value> {
    let (mut parts, mut after) = (Vec::new(), String::new());
    loop {
        let (status, bytes) =
            api.raw(Method::GET, &format!("/api/v1{path}{after}"), Some(&api.token), String::new()).await;
        assert_eq!(status, StatusCode::OK);
        assert!(bytes.len() < (1 << 20) + 1000, "{} bytes", bytes.len());
        let part: Value = serde_json::from_slice(&bytes).unwrap();
        let next = part["next"].as_str().map(str::to_owned);
        parts.push(part);
        let Some(next) = next else { return parts };
        let separator = if path.contains('?') { '&' } else { '?' };
        after = format!("{separator}after={next}");
    }
}

#[tokio::test]
async fn what_can_be_read_comes_in_parts_and_they_come_to_the_whole() {
    let api = reading_much().await;
    let place = |item: &Value| {
        assert_eq!((&item["tenant"], item["steps"].as_array().unwrap().len()), (&json!("Big"), 700));
        format!("{} {}", item["project"].as_str().unwrap(), item["environment"].as_str().unwrap())
    };
    let places = |could: &Value| could.as_array().unwrap().iter().map(place).collect::<Vec<_>>();
    for (query, number) in [("?limit=1", 4), ("?limit=3", 2), ("", 1)] {
        let what = parts(&api, &format!("/audit/what-can/web-1{query}")).await;
        assert_eq!(what.len(), number, "{query}");
        let mut all: Vec<_> = what.iter().flat_map(|part| places(&part["could"])).collect();
        all.sort_unstable();
        assert_eq!(all, ["A One", "A Two", "B One", "B Two"]);
    }
    // Twelve places of more than a hundred thousand bytes are more than one part has.
    for (query, at_least) in [("?limit=1", 12), ("?limit=5", 3), ("", 2)] {
        let who = parts(&api, &format!("/audit/who-can/Big{query}")).await;
        assert!(who.len() >= at_least, "{query}: {}", who.len());
        let mut all = Vec::new();
        for target in who.iter().flat_map(|part| part["targets"].as_array().unwrap()) {
            let name = target["target"].as_str().unwrap();
            all.extend(places(&target["could"]).into_iter().map(|place| format!("{name} {place}")));
        }
        all.sort_unstable();
        let expected = ["web-1", "web-2", "web-3"]
            .into_iter()
            .flat_map(|target| ["A One", "A Two", "B One", "B Two"].map(|place| format!("{target} {place}")));
        assert_eq!(all, expected.collect::<Vec<_>>());
    }
    for path in ["/audit/what-can/web-1", "/audit/who-can/Big"] {
        let (status, problem) = api.send(Method::GET, &format!("{path}?after=nowhere"), Value::Null).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(problem["message"].as_str().unwrap().starts_with("`nowhere` is no place in this list"));
    }
}

#[tokio::test]
async fn explanations_name_the_rule() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    api.enrol("test-1", json!({"roles": ["synergy-web"], "environments": ["Testing"]})).await;
    let explained =
        api.get("/targets/test-1/explanation?project=Synergy&environment=Production&tenant=Customer-2").await;
    assert_eq!(explained[0]["rules"], json!(["environment", "participation", "tenant"]));
    assert_eq!(explained[0]["reason"], "is scoped to environment Testing");
    let inspected =
        api.get("/variables?project=Synergy&environment=Production&tenant=Customer-2&name=loglevel").await;
    let candidates = inspected[0]["candidates"].as_array().unwrap();
    let shown: Vec<_> =
        candidates.iter().map(|found| (&found["value"], &found["wins"], &found["decided_by"])).collect();
    assert_eq!(shown[0], (&json!("Warn"), &json!(true), &json!("tenant tag")));
    assert_eq!(shown[1], (&json!("Info"), &json!(false), &json!("tenant tag")));
}

#[tokio::test]
async fn a_target_is_shown_with_every_scope_and_its_grant_is_changed() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    api.enrol("shared-1", json!({"roles": ["a", "b"], "environments": ["Testing"]})).await;
    let view = api.get("/targets/shared-1").await;
    assert_eq!(view["granted"]["participation"], "untenanted");
    assert_eq!(view["advertised"]["roles"], Value::Null);
    assert_eq!((&view["online"], &view["isolation"]), (&json!(true), &json!("accounts")));
    let grant = json!({"roles": ["a"], "environments": ["Staging"], "tenants": {"tenants": ["Customer-2"]},
        "participation": "both"});
    let (status, view) = api.send(Method::PUT, "/targets/shared-1/grant", grant).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&view["roles"], &view["tenants"]), (&json!(["a"]), &json!(["Customer-2"])));
    let (status, _) = api.send(Method::DELETE, "/targets/shared-1", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(api.get("/targets").await["items"], json!([]));
}

#[tokio::test]
async fn a_target_is_shown_with_what_its_agent_says_and_with_what_of_it_is_claimed_now() {
    let api = ApiFixture::new();
    api.apply(&sample()).await;
    let id = api.enrol("shared-1", json!({"environments": ["Testing"]})).await;
    let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
    let greeting = Greeting {
        peer: api.peer(id),
        advertised: Advertised {
            environments: words(&["testing", "Later"]),
            tenant_tags: words(&["Customer type/VIP"]),
            ..Advertised::default()
        },
        isolation: Isolation::Accounts,
        agent_version: "0.1.0".to_owned(),
        unfinished: None,
        may_change: true,
    };
    api.in_space(Actor::Target(id), SpaceCommand::Greet(Box::new(greeting))).await;
    let view = api.get("/targets/shared-1").await;
    let said = json!({"tags": ["Customer type/VIP"]});
    assert_eq!(view["advertised"]["environments"], json!(["Later", "testing"]));
    assert_eq!((&view["advertised"]["tenants"], &view["advertised"]["roles"]), (&said, &Value::Null));
    assert_eq!(view["environments"], json!(["Testing"]));
    assert_eq!(view["claims"], json!(["environment Later", "tenant tag Customer type/VIP"]));
    // What it says stays; with a larger grant it is no claim any more.
    api.apply(&[json!({"kind": "environment", "name": "Later"})]).await;
    let grant = json!({"environments": ["Testing", "Later"], "tenants": {"tenants": ["Customer-2"]},
        "participation": "both"});
    let (_, view) = api.send(Method::PUT, "/targets/shared-1/grant", grant).await;
    assert_eq!((&view["claims"], &view["over_claims"]), (&json!([]), &json!(false)));
    assert_eq!(view["tenants"], json!(["Customer-2"]));
    assert_eq!(view["environments"], json!(["Testing", "Later"]));
}

#[tokio::test]
async fn what_was_pulled_is_called_by_its_name_the_newest_first_and_in_parts() {
    let api = ApiFixture::new();
    let target = released(&api).await;
    api.post("/deployments", request()).await;
    let manifest = api.get("/packages/synergy-web/latest").await["manifest"].clone();
    let manifest: Digest = manifest.as_str().unwrap().parse().unwrap();
    let (assignment, _) = api.work(target)[0];
    let (peer, bytes) = (api.peer(target), 5);
    let begun = SpaceCommand::RecordPullBegun { peer, assignment, manifest, bytes };
    api.in_space(Actor::Target(target), begun).await;
    let pulled = SpaceCommand::RecordPulled { peer: api.peer(target), assignment, manifest, bytes };
    api.in_space(Actor::Target(target), pulled).await;
    let told = api.get("/audit/pulled/test-1").await;
    let items = told["items"].as_array().unwrap();
    let kinds: Vec<_> = items.iter().map(|item| (&item["kind"], &item["names"])).collect();
    let names = json!(["synergy-web 1.4.0"]);
    assert_eq!(kinds, [(&json!("package"), &names), (&json!("package-begun"), &names)]);
    let first = api.get("/audit/pulled/test-1?limit=1").await;
    assert_eq!((&first["items"][0], first["items"].as_array().unwrap().len()), (&items[0], 1));
    let next = first["next"].as_str().unwrap();
    let second = api.get(&format!("/audit/pulled/test-1?limit=1&after={next}")).await;
    assert_eq!((&second["items"], &second["next"]), (&json!([items[1]]), &Value::Null));
    let what = api.get("/audit/what-can/test-1").await;
    assert_eq!(what["holds"], json!([{"manifest": manifest.to_string(), "names": names}]));
}

#[tokio::test]
async fn a_record_says_why_an_enrolment_was_refused_and_of_what_a_version_is() {
    let api = ApiFixture::new();
    released(&api).await;
    let uploaded = api.get("/audit?event=package-uploaded").await;
    assert_eq!(uploaded["items"][0]["summary"], json!(["package uploaded: package synergy-web 1.4.0"]));
    let made = api.post("/enrolments", json!({})).await;
    let token = Token::parse(TokenKind::Enrolment, made["token"].as_str().unwrap()).unwrap();
    let enrolment = EnrolmentId::from_bytes(token.id);
    for name in ["web-8", "web-9"] {
        let machine = EnrolmentUse {
            enrolment,
            secret: token.secret_digest(),
            key: TargetKey {
                public_key: Digest::of(name),
                sealing_key: String::new(),
                certificate_expires: Timestamp::from_milliseconds(i64::MAX / 2),
            },
            name: name.to_owned(),
            advertised: Advertised::default(),
            isolation: Isolation::Accounts,
        };
        api.in_space(Actor::Enrolment(enrolment), SpaceCommand::Enrol(Box::new(machine))).await;
    }
    let refused = api.get("/audit?event=enrolment-refused").await;
    let summary = format!("enrolment refused: enrolment {enrolment}, rule used");
    assert_eq!(refused["items"][0]["summary"], json!([summary]));
}
