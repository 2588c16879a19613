//! What changes while an agent is still being told of something else: it is told of that as well, and at once.

use std::time::Duration;

use windlass_protocol::message::{FromCoordinator, SESSION_ALPN};
use windlass_tests::client::{hello, runtime};
use windlass_tests::raw::{self, Caller, frame};

use super::{enrolled, installation};

/// Less than any welcome has.
const WINDOW: u32 = 32;
/// Less than what it takes until a heartbeat is due.
const AT_ONCE: Duration = Duration::from_secs(8);

#[test]
fn a_change_that_comes_while_another_is_told_needs_no_heartbeat_to_be_heard_of() {
    let (_folder, installation) = installation("", "script: {body: 'echo hello'}");
    let agent = enrolled(&installation, "machine");
    let rescope =
        |role| installation.windlass(&["target", "scope", "machine", "--role", "web", "--role", role]);
    runtime().block_on(async {
        let caller = Caller { window: WINDOW, ..Caller::of(&agent.state()).expect("enrolled") };
        let (_endpoint, connection) = caller.connect(SESSION_ALPN).await.expect("connected");
        let (mut control, mut replies) = connection.open_bi().await.expect("a stream");
        control.write_all(&frame(&hello())).await.expect("sent");
        raw::read::<FromCoordinator>(&mut replies).await.expect("a welcome");
        rescope("one");
        // The coordinator is in the middle of telling the first change, for nobody reads it.
        tokio::time::sleep(Duration::from_secs(1)).await;
        rescope("two");
        tokio::time::sleep(Duration::from_secs(1)).await;
        for role in ["one", "two"] {
            let told = tokio::time::timeout(AT_ONCE, raw::read::<FromCoordinator>(&mut replies)).await;
            let told = told.unwrap_or_else(|_| panic!("nothing is said of `{role}`")).expect("it is told");
            let FromCoordinator::Welcome(welcome) = told else { panic!("{told:?}") };
            assert!(welcome.effective.roles.iter().any(|known| known == role), "{:?}", welcome.effective);
        }
    });
}
