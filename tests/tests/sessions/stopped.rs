//! A target that is barred in the middle of a step: what runs there is stopped, though it has no session any more to be
//! told so (SEMANTICS 3, while it runs).

use std::path::{Path, PathBuf};

use windlass_tests::agents::{Agent, wait_for_presence};
use windlass_tests::installation::{Installation, wait_until};
use windlass_tests::journal::field;

use super::{deploy, enrolled, installation};

/// A step that runs until it is stopped, or for ten minutes; it says its process's id in a file.
fn running(place: &Path) -> (tempfile::TempDir, Installation, Agent, PathBuf) {
    running_after(place, |_| (), true)
}

/// The same, and something happens before the agent comes: after it was enrolled, or before.
fn running_after(
    place: &Path,
    happens: impl FnOnce(&Installation),
    is_enrolled: bool,
) -> (tempfile::TempDir, Installation, Agent, PathBuf) {
    let pid = place.join("pid");
    let body = format!("echo $$ > {0}.new && mv {0}.new {0}; sleep 600 & wait", pid.display());
    let (folder, installation) = installation("", &format!("script: {{body: '{body}'}}"));
    let mut agent = if is_enrolled {
        let agent = enrolled(&installation, "machine");
        happens(&installation);
        agent
    } else {
        happens(&installation);
        enrolled(&installation, "machine")
    };
    agent.configure(&format!("coordinator = \"{}\"\nisolation = \"none\"\n", installation.quic));
    agent.run();
    wait_for_presence(&installation, "machine", true);
    deploy(&installation, "1.0.0");
    wait_until("the step", || pid.exists());
    let process = std::fs::read_to_string(&pid).expect("it is there");
    let process = Path::new("/proc").join(process.trim());
    assert!(process.exists(), "the step runs");
    std::fs::remove_file(&pid).expect("it is there");
    (folder, installation, agent, process)
}

fn is_gone(process: &Path) -> bool {
    std::fs::read_to_string(process.join("stat")).map_or(true, |stat| stat.contains(") Z "))
}

#[test]
fn a_step_of_a_target_that_is_revoked_is_stopped() {
    let place = tempfile::tempdir().expect("a folder");
    let (_folder, installation, _agent, process) = running(place.path());
    installation.windlass(&["target", "revoke", "machine"]);
    wait_until("the end of the step's process", || is_gone(&process));
}

#[test]
fn a_step_of_a_target_that_is_disabled_is_stopped_also_by_an_agent_that_comes_later_and_enabled_it_works_on()
{
    for agent_is_there in [true, false] {
        let place = tempfile::tempdir().expect("a folder");
        let (_folder, installation, mut agent, process) = running(place.path());
        if !agent_is_there {
            agent.kill();
        }
        installation.windlass(&["target", "disable", "machine"]);
        if !agent_is_there {
            assert!(!is_gone(&process), "a step outlives its agent");
            agent.run();
        }
        wait_until("the end of the step's process", || is_gone(&process));
        installation.windlass(&["target", "enable", "machine"]);
        wait_for_presence(&installation, "machine", true);
        let id = deploy(&installation, "2.0.0");
        wait_until("the step of a later deployment", || place.path().join("pid").exists());
        installation.windlass(&["deployment", "cancel", &id]);
        wait_until("the end of that", || {
            field(&installation.json(&["deployment", "view", &id]), "state") == "cancelled"
        });
    }
}

#[test]
fn a_step_goes_on_without_a_coordinator_and_where_another_one_answers_in_its_place() {
    let place = tempfile::tempdir().expect("a folder");
    let (_folder, mut installation, agent, process) = running(place.path());
    // Told to stop it says so to its agents: killed, it would be missed only half a minute later.
    assert!(installation.stop(), "the coordinator stops");
    // It has other keys: whatever it says of this machine, it is not the coordinator.
    let elsewhere = tempfile::tempdir().expect("a folder");
    let mut stranger = Installation::start(elsewhere.path()).expect("a coordinator");
    stranger.kill();
    stranger.quic.clone_from(&installation.quic);
    stranger.serve().expect("it serves");
    wait_until("the agent's refusal of the other coordinator", || {
        let log = std::fs::read_to_string(agent.log()).unwrap_or_default();
        log.matches("no session").count() >= 3
    });
    assert!(!is_gone(&process), "nobody who may stop it has stopped it");
}

/// A copy of the journal from before the target was made, or of when it was disabled, knows less than its agent.
#[test]
fn a_step_goes_on_where_an_older_copy_of_the_journal_bars_its_machine() {
    for is_disabled in [true, false] {
        let place = tempfile::tempdir().expect("a folder");
        let copy = place.path().join("copy");
        let (_folder, mut installation, agent, process) = running_after(
            place.path(),
            |installation| {
                if is_disabled {
                    installation.windlass(&["target", "disable", "machine"]);
                }
                let copied =
                    std::process::Command::new("cp").arg("-a").arg(installation.data()).arg(&copy).status();
                assert!(copied.expect("cp runs").success());
                if is_disabled {
                    installation.windlass(&["target", "enable", "machine"]);
                }
            },
            is_disabled,
        );
        assert!(installation.stop(), "the coordinator stops");
        std::fs::rename(installation.data(), place.path().join("newer")).expect("a folder");
        std::fs::rename(&copy, installation.data()).expect("a folder");
        installation.serve().expect("it serves");
        wait_until("the agent's being told", || {
            let log = std::fs::read_to_string(agent.log()).unwrap_or_default();
            log.contains("was a backup restored?")
        });
        assert!(!is_gone(&process), "what an older history says stops nothing");
    }
}
