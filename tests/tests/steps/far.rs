//! A coordinator that is far away: what a step prints travels once, while it runs.

use std::fs;
use std::time::Duration;

use windlass_tests::agents::{Agent, wait_for_presence};
use windlass_tests::distance::Distance;
use windlass_tests::installation::wait_until;

use super::{end, installation, release, start};

/// One way; there and back it is the tenth of a second.
const ONE_WAY: Duration = Duration::from_millis(50);
/// What the step prints: a line of a hundred characters now and then, as programs do.
const LINES: usize = 4000;
const LINE_BYTES: usize = 100;

#[test]
fn what_a_step_prints_travels_once_and_while_it_runs_however_far_the_coordinator_is() {
    let place = tempfile::tempdir().expect("a folder");
    let go = place.path().join("go");
    let script = format!(
        "for i in $(seq 1 {LINES}); do printf \"%0{LINE_BYTES}d\\n\" $i; [ $((i % 100)) = 0 ] && sleep 0.1; done; \
         until [ -e {} ]; do sleep 0.1; done",
        go.display()
    );
    let (_folder, installation) = installation(&format!(
        "kind: project\nname: Site\nsteps: [{{name: Say, roles: [web], script: {{body: '{script}'}}}}]\n"
    ));
    let distance = Distance::before(&installation.quic, ONE_WAY);
    let mut agent = Agent::enrol(&installation, "machine", &["--environment", "Production", "--role", "web"]);
    agent.configure(&format!("coordinator = \"{}\"\nisolation = \"none\"\n", distance.address));
    agent.run();
    wait_for_presence(&installation, "machine", true);
    release(&installation, "1.0.0");
    let before = distance.sent();
    let id = start(&installation, "1.0.0", None);
    let last = format!("{LINES:0LINE_BYTES$}");
    wait_until("all lines of the running step", || {
        installation.windlass(&["deployment", "logs", &id]).lines().any(|line| line.ends_with(&last))
    });
    fs::write(&go, "").expect("a file");
    let (state, reason) = end(&installation, &id);
    assert_eq!(state, "succeeded", "{reason}");
    let (sent, printed) = (distance.sent() - before, (LINES * LINE_BYTES) as u64);
    eprintln!("{sent} bytes were sent for {printed} bytes of output");
    assert!(sent <= 2 * printed, "{sent} bytes were sent for {printed} bytes of output");
    let logs = installation.windlass(&["deployment", "logs", &id]);
    assert_eq!(logs.lines().filter(|line| line.contains(" 0000")).count(), LINES, "each line once");
}
