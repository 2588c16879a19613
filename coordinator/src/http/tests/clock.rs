//! Rights while the coordinator's clock is ahead of the time that has passed: it may be right, and it may be wrong.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::json;
use windlass_coordinator_core::authorise::{self, Peer};

use super::api::ApiFixture;
use crate::alone;
use crate::engine::{ahead, now};

#[tokio::test]
async fn tokens_that_have_ended_by_a_clock_that_jumped_admit_nobody_and_agents_stay() {
    if !alone::is_alone(
        "http::tests::clock::tokens_that_have_ended_by_a_clock_that_jumped_admit_nobody_and_agents_stay",
    ) {
        return;
    }
    const HOUR: u64 = 3600;
    let api = ApiFixture::new();
    let made = async |name: &str, hours: u64| {
        let token = json!({"name": name, "role": "administrator", "ttl-seconds": hours * HOUR});
        api.post("/tokens", token).await["token"].as_str().unwrap().to_owned()
    };
    let (short, long) = (made("short", 1).await, made("long", 48).await);
    let target = api.enrol("machine", json!({"roles": ["web"]})).await;
    let peer = Peer { expires: now().plus_seconds(HOUR), ..api.peer(target) };
    let read = async |token: &str| api.raw(Method::GET, "/api/v1/tokens", Some(token), Body::empty()).await;
    for (hours, admitted) in [(0, true), (24, false), (0, true)] {
        ahead::set(hours * HOUR);
        let (status, answer) = read(&short).await;
        assert_eq!(status == StatusCode::OK, admitted, "{hours} hours ahead: {status}");
        if !admitted {
            assert_eq!((status, answer), read("wlt_nobody").await, "it is told from one that is unknown");
        }
        assert_eq!(read(&long).await.0, StatusCode::OK, "{hours} hours ahead");
        let session = authorise::session(&api.engine.state(), &peer, now()).unwrap();
        assert!(!session.renews_only(), "an agent's certificate has ended {hours} hours ahead");
    }
}
