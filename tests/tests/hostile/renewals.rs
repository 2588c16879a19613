//! A coordinator for which every certificate is due for renewal, also the one that it has just made.

use std::time::{Duration, Instant};

use windlass_tests::agents::Agent;
use windlass_tests::client::runtime;
use windlass_tests::installation::wait_until;

use super::coordinator::{Script, start};

#[test]
fn an_agent_that_is_told_to_renew_without_end_takes_longer_and_longer() {
    let runtime = runtime();
    let _entered = runtime.enter();
    let (address, token, script) = start(Script {
        jobs: Vec::new(),
        after_fetch: None,
        assignment_key: [1; 32],
        reports: Default::default(),
        pulls: Default::default(),
        renews: true,
        renewals: Default::default(),
        silent: false,
        heartbeats: Default::default(),
    });
    let folder = tempfile::tempdir().expect("a folder");
    let program = windlass_tests::programs().expect("the programs build").join("windlass-agent");
    let mut agent = Agent::new(folder.path(), "machine", &address.to_string(), program);
    agent.enrol_with(&token);
    agent.run();

    let renewals = || script.renewals.lock().expect("nobody panics").clone();
    wait_until("five renewals", || renewals().len() >= 5);
    let times: Vec<Instant> = renewals();
    // The first is followed at once; after that the least waits are known, however slow the machine is.
    for (number, least) in [(2, 250), (3, 500), (4, 1000)] {
        let waited = times[number] - times[number - 1];
        assert!(waited >= Duration::from_millis(least), "{number}: {waited:?}");
    }
}
