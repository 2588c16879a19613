//! What has to hold after everything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::installed;
use crate::load::Load;
use crate::operator::wait_until;
use crate::project::{self, version};
use crate::record::{self, Told};
use crate::world::World;

/// Everything that was acknowledged is there.
pub fn nothing_acknowledged_is_lost(world: &World, load: &Load) {
    let acknowledged = load.acknowledged();
    let packages = listed(world, "package", "version");
    let releases = listed(world, "release", "version");
    for number in acknowledged.packages.iter().chain(&acknowledged.releases) {
        assert!(packages.contains(&version(*number)), "the package {number} is gone: {packages:?}");
    }
    for number in &acknowledged.releases {
        assert!(releases.contains(&version(*number)), "the release {number} is gone: {releases:?}");
    }
    let tenants = listed(world, "tenant", "name");
    let lost: Vec<_> = acknowledged.tenants.difference(&tenants).collect();
    assert!(lost.is_empty(), "the tenants {lost:?} are gone");
    let told = record::deployments(&world.folder.join("data"));
    for (id, printed) in &acknowledged.deployments {
        assert!(told.contains_key(id), "the deployment {id} was acknowledged and is gone");
        if let Some(printed) = printed {
            let again = world.operator.read(&["deployment", "logs", id]);
            let lost = missing_lines(printed, &again);
            assert!(lost.is_empty(), "lines that {id} had are gone: {lost:?}");
        }
    }
}

/// What a list says of everything that is in it.
fn listed(world: &World, noun: &str, field: &str) -> BTreeSet<String> {
    let page = world.operator.read(&[noun, "list", "--limit", "1000"]);
    let items = page["items"].as_array().expect("a list");
    items.iter().filter_map(|item| item[field].as_str().map(str::to_owned)).collect()
}

fn missing_lines(before: &Value, after: &Value) -> Vec<Value> {
    let lines = |value: &Value| value.as_array().or(value["items"].as_array()).cloned().unwrap_or_default();
    let after = lines(after);
    lines(before).into_iter().filter(|line| !after.contains(line)).collect()
}

/// The stages that a step runs when it goes well.
fn stages(step: &str) -> &'static [&'static str] {
    if step == "Web" { &["PreDeploy", "Deploy", "PostDeploy"] } else { &["script"] }
}

/// Runs by deployment, step, stage and target, as the steps themselves counted them.
fn runs(world: &World) -> BTreeMap<[String; project::FIELDS], u64> {
    let mut runs = BTreeMap::new();
    for line in fs::read_to_string(world.counts().join("runs")).expect("a file").lines() {
        let fields: Vec<String> = line.split(' ').map(str::to_owned).collect();
        *runs.entry(fields.try_into().expect("four words")).or_default() += 1;
    }
    runs
}

/// No step ran twice that may not, each step of a success ran, and nothing that nobody knows the end of is a success.
/// Returns how many deployments there were by their ends.
pub fn every_step_ran_as_told(world: &World) -> BTreeMap<String, u64> {
    let runs = runs(world);
    let told = record::deployments(&world.folder.join("data"));
    for ([deployment, step, stage, target], count) in &runs {
        let repeats = step == "Again";
        assert!(*count == 1 || repeats, "{stage} of {step} of {deployment} ran {count} times on {target}");
        let planned = told[deployment].planned.contains(&(step.clone(), target.clone()));
        assert!(planned, "{step} of {deployment} ran on {target}, where nobody wanted it");
    }
    let mut ends = BTreeMap::new();
    for (id, told) in &told {
        let (end, reason) = told.end.as_ref().unwrap_or_else(|| panic!("{id} never came to an end"));
        *ends.entry(end.clone()).or_default() += 1;
        if end == "succeeded" {
            succeeded_as_told(id, told, &runs);
        } else if end == "failed" {
            assert!(failed_for_a_reason(told, reason), "{id} failed without a reason: {reason} {told:?}");
        }
    }
    let overlaps = fs::read_to_string(world.counts().join("overlaps")).expect("a file");
    assert_eq!(overlaps, "", "steps ran side by side on a target");
    ends
}

fn succeeded_as_told(id: &str, told: &Told, runs: &BTreeMap<[String; project::FIELDS], u64>) {
    assert!(!project::is_bad(told.number), "{id} succeeded with a package whose hook fails");
    for (step, target) in &told.planned {
        let outcome = told.outcomes.get(&(step.clone(), target.clone()));
        assert!(
            outcome.is_some_and(|outcome| outcome.contains("succeeded")),
            "{id} {step} {target}: {outcome:?}"
        );
        for stage in stages(step) {
            let run = [id, step.as_str(), stage, target].map(str::to_owned);
            assert!(runs.contains_key(&run), "{id} succeeded, but {stage} of {step} never ran on {target}");
        }
    }
}

/// A failure here is that of a bad package, or of a step that nobody knows the end of. A crash alone is none.
fn failed_for_a_reason(told: &Told, reason: &str) -> bool {
    let unknown = told.outcomes.values().any(|outcome| outcome.contains("unknown"));
    unknown
        || (project::is_bad(told.number)
            && reason.contains(r#""step":"Web""#)
            && reason.contains("exit code 1"))
}

/// Nothing is left of what was under way.
pub fn nothing_is_left_over(world: &World) {
    wait_until("the removal of everything that was under way", || installed::leftovers(world).is_empty());
}

/// The journal is whole, for those who have the files and for those who have the API.
pub fn the_journal_verifies(world: &World) {
    let verified = world.operator.read(&["audit", "verify"]);
    assert!(verified["records"].as_u64().is_some_and(|records| records > 100), "{verified}");
    let program = world.operator.programs.join("windlass-coordinator");
    let verify = Command::new(program).arg("verify").arg("--data").arg(world.folder.join("data")).output();
    let verify = verify.expect("windlass-coordinator starts");
    assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stderr));
}

/// A start from a snapshot and the journal's tail comes to what a start from the first record comes to.
pub fn snapshots_change_nothing(world: &World) {
    let exported = || {
        let whole = world.operator.insist(&["export"], None);
        let deployments = world.operator.read(&["deployment", "list", "--limit", "1000"]);
        (whole, deployments)
    };
    world.coordinator.kill();
    let with = exported();
    let log = world.folder.join("coordinator.log");
    let starts = || fs::read_to_string(&log).expect("a log").matches("journal replayed").count();
    let (before, snapshots) = (starts(), world.folder.join("data/snapshots"));
    assert!(fs::read_dir(&snapshots).expect("there were snapshots").count() > 0);
    world.coordinator.while_down(move || fs::remove_dir_all(snapshots).expect("own folder"));
    world.coordinator.kill();
    wait_until("a start without snapshots", || starts() > before);
    let text = fs::read_to_string(&log).expect("a log");
    let last = text.lines().rfind(|line| line.contains("journal replayed")).expect("it started");
    assert!(last.contains("from=0") || last.contains("from\u{1b}[0m\u{1b}[2m=\u{1b}[0m0"), "{last}");
    assert!(exported() == with, "the state is another one without the snapshots");
}
