//! How long a coordinator takes to stop.

use std::io::Write;
use std::time::{Duration, Instant};

use windlass_tests::agents::{Agent, wait_for_presence};

use super::{GRANT, connect, deploy, installation};

#[test]
fn an_idle_coordinator_stops_within_a_second() {
    let (_folder, mut installation) = installation("");
    let mut agent = Agent::enrol(&installation, "machine", &GRANT);
    agent.run();
    wait_for_presence(&installation, "machine", true);
    deploy(&installation, "1.0.0");
    let mut idle = connect(installation.http(), installation.token()).expect("a connection");
    idle.flush().expect("a handshake");
    let begun = Instant::now();
    assert!(installation.stop(), "it ends well");
    let took = begun.elapsed();
    println!("an idle coordinator with an agent and an operator stopped in {took:?}");
    assert!(took < Duration::from_secs(1), "it took {took:?}");
}
