//! A coordinator that takes every request and answers none.

use std::sync::atomic::Ordering;

use windlass_tests::agents::Agent;
use windlass_tests::client::runtime;
use windlass_tests::installation::wait_until;

use super::coordinator::{Script, start};

#[test]
fn an_agent_whose_request_is_not_answered_says_all_the_same_that_it_is_there() {
    let runtime = runtime();
    let _entered = runtime.enter();
    let (address, token, script) = start(Script {
        jobs: Vec::new(),
        after_fetch: None,
        assignment_key: [1; 32],
        reports: Default::default(),
        pulls: Default::default(),
        renews: false,
        renewals: Default::default(),
        silent: true,
        heartbeats: Default::default(),
    });
    let folder = tempfile::tempdir().expect("a folder");
    let program = windlass_tests::programs().expect("the programs build").join("windlass-agent");
    let mut agent = Agent::new(folder.path(), "machine", &address.to_string(), program);
    agent.enrol_with(&token);
    agent.run();
    wait_until("five heartbeats", || script.heartbeats.load(Ordering::Relaxed) >= 5);
}
