//! A coordinator that takes every request and answers none.

use std::sync::atomic::Ordering;

use windlass_tests::installation::wait_until;

use super::coordinator::{Script, agent_of};

#[test]
fn an_agent_whose_request_is_not_answered_says_all_the_same_that_it_is_there() {
    let (script, ..) = &agent_of(Script { silent: true, ..Script::default() });
    wait_until("five heartbeats", || script.heartbeats.load(Ordering::Relaxed) >= 5);
}
