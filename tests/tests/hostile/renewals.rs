//! A coordinator for which every certificate is due for renewal, also the one that it has just made.

use std::time::{Duration, Instant};

use windlass_tests::installation::wait_until;

use super::coordinator::{Script, agent_of};

#[test]
fn an_agent_that_is_told_to_renew_without_end_takes_longer_and_longer() {
    let (script, ..) = &agent_of(Script { renews: true, ..Script::default() });
    let renewals = || script.renewals.lock().expect("nobody panics").clone();
    wait_until("five renewals", || renewals().len() >= 5);
    let times: Vec<Instant> = renewals();
    // The first is followed at once; after that the least waits are known, however slow the machine is.
    for (number, least) in [(2, 250), (3, 500), (4, 1000)] {
        let waited = times[number] - times[number - 1];
        assert!(waited >= Duration::from_millis(least), "{number}: {waited:?}");
    }
}
