//! The agent's process: there is one, `status` knows whether it runs, and its end is known at once.

use std::time::{Duration, Instant};

use windlass_tests::agents::{Agent, wait_for_presence};
use windlass_tests::installation::wait_until;

use super::{enrolled, installation};

/// What `status` says of the connection.
fn connection(agent: &Agent) -> String {
    let output = agent.command("status").output().expect("it starts");
    let said = String::from_utf8(output.stdout).expect("text");
    let line = said.lines().find_map(|line| line.strip_prefix("connection: "));
    line.map_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned(), str::to_owned)
}

#[test]
fn there_is_one_agent_for_a_state() {
    let (_folder, installation) = installation("", "script: {body: 'true'}");
    let mut agent = enrolled(&installation, "web-1");
    agent.run();
    wait_for_presence(&installation, "web-1", true);
    let second = agent.command("run").output().expect("it starts");
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(5), "{said}");
    assert_eq!(said, format!("error: another agent runs on the state folder {}\n", agent.state().display()));
    assert!(connection(&agent).starts_with("connected to "), "{}", connection(&agent));
}

#[test]
fn an_agent_that_is_told_to_stop_is_offline_at_once() {
    let (_folder, installation) = installation("", "script: {body: 'true'}");
    let mut agent = enrolled(&installation, "web-1");
    agent.run();
    wait_for_presence(&installation, "web-1", true);
    let told = Instant::now();
    assert!(agent.stop(), "it ends well");
    wait_for_presence(&installation, "web-1", false);
    // A connection that nobody closed is missed after 30 seconds.
    assert!(told.elapsed() < Duration::from_secs(8), "{:?}", told.elapsed());
    assert_eq!(connection(&agent), "the agent does not run");
}

#[test]
fn status_tells_an_agent_that_connects_from_one_that_does_not_run() {
    let (_folder, mut installation) = installation("", "script: {body: 'true'}");
    let mut agent = enrolled(&installation, "web-1");
    installation.kill();
    agent.run();
    let started = Instant::now();
    wait_until("a word of the agent that connects", || {
        connection(&agent) == format!("connecting to {}", installation.quic)
    });
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    agent.kill();
    // Another process has its number by now: this one, for example.
    let path = agent.state().join("status.json");
    let mut written: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).expect("a file")).expect("JSON");
    written["pid"] = std::process::id().into();
    written["connection"] = "connected".into();
    std::fs::write(&path, written.to_string()).expect("it can be written");
    assert_eq!(connection(&agent), "the agent does not run");
}
