//! While a deployment runs its targets only shrink (SEMANTICS 3, "While it runs"): who is taken out, what that ends, and
//! that it is no success.

use serde_json::{Value, json};
use windlass_coordinator_core::decide::TargetChange;
use windlass_coordinator_core::graph::RunState;
use windlass_coordinator_core::model::{DeploymentEnd, RunEnd, RunOutcome};
use windlass_protocol::ids::DeploymentId;
use windlass_protocol::message::Outcome;

use crate::world::{World, project, small};

/// Two steps, for `web` and for `db`: the first on `one` and `two`, the second on `three`; for Alpha, who is of the
/// ring Canary. The second runs for that ring only.
fn ready() -> World {
    let mut world = small();
    let canaries = json!({"tags": ["Ring/Canary"]});
    world.apply(&[project(
        "Web",
        json!([
            {"name": "Install", "roles": ["web"], "script": {"body": "true"}},
            {"name": "Migrate", "roles": ["db"], "script": {"body": "true"}, "tenants": canaries},
        ]),
    )]);
    for (name, role) in [("one", "web"), ("two", "web"), ("three", "db")] {
        world.enrol(name, grant(role, "Alpha"));
    }
    world.release("Web", "1.0.0");
    world
}

fn grant(role: &str, tenant: &str) -> Value {
    json!({"roles": [role], "environments": ["Staging"], "tenants": {"tenants": [tenant]}, "participation": "tenanted"})
}

fn begin(world: &mut World) -> DeploymentId {
    world.deploy(json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}}))
}

#[test]
fn a_step_that_loses_all_its_targets_fails_the_deployment_whenever_that_happens() {
    // How many stages are over, who is taken out then, and how the deployment ends.
    let cases: [(usize, &[&str], Option<&str>); 7] = [
        (0, &["one"], None),
        (
            0,
            &["one", "two"],
            Some(
                "step `Install` has no target left; scope-removed: one (the target is disabled), two (the target is disabled)",
            ),
        ),
        (
            0,
            &["three"],
            Some("step `Migrate` has no target left; scope-removed: three (the target is disabled)"),
        ),
        (
            0,
            &["one", "two", "three"],
            Some(
                "step `Install` has no target left; scope-removed: one (the target is disabled), two (the target is disabled)",
            ),
        ),
        (1, &["one"], None),
        // What a step did on targets that do not count any more does not count either.
        (
            1,
            &["one", "two"],
            Some(
                "step `Install` has no target left; scope-removed: one (the target is disabled), two (the target is disabled)",
            ),
        ),
        (
            1,
            &["three"],
            Some("step `Migrate` has no target left; scope-removed: three (the target is disabled)"),
        ),
    ];
    let base = ready();
    for (stages, names, failure) in cases {
        let mut world = base.clone();
        let id = begin(&mut world);
        (0..stages).for_each(|_| world.work_off(id, &Outcome::Succeeded));
        for name in names {
            let over = world.end(id).is_some();
            world.change(name, TargetChange::Disable);
            let expected = (!over).then_some("the target is disabled");
            let removed = world.removed(id, world.target(name));
            assert_eq!(removed.as_deref(), expected, "{name} in stage {stages}");
        }
        match failure {
            None => {
                world.succeed(id);
                assert_eq!(world.successes(), 1);
            }
            Some(reason) => {
                while world.end(id).is_none() {
                    world.work_off(id, &Outcome::Succeeded);
                }
                assert_eq!(world.end(id), Some(DeploymentEnd::Failed), "{names:?} in stage {stages}");
                // The names of targets stand in the order of their ids, which are random.
                let sorted = |text: &str| {
                    let mut words: Vec<_> =
                        text.split([':', ',']).map(|word| word.trim().to_owned()).collect();
                    words.sort();
                    words
                };
                assert_eq!(sorted(&world.reason(id)), sorted(reason), "{names:?} in stage {stages}");
                assert_eq!(world.successes(), 0, "it is no success for promotion");
                assert!(world.space().indexes.work.is_empty() && world.space().indexes.deadlines.is_empty());
            }
        }
    }
}

#[test]
fn what_a_target_had_done_before_it_was_taken_out_stays_told() {
    let mut world = ready();
    let id = begin(&mut world);
    let one = world.target("one");
    world.work_off(id, &Outcome::Succeeded);
    world.change("one", TargetChange::Revoke);
    let of_one = world.deployment(id).graph.runs().filter(|(_, target, _)| *target == one);
    let runs: Vec<_> = of_one.map(|(_, _, run)| run.state.clone()).collect();
    assert_eq!(runs, [RunState::Ended(RunEnd::of(RunOutcome::Succeeded))]);
    world.succeed(id);
}

#[test]
fn a_target_that_qualifies_again_does_not_come_back() {
    let mut world = ready();
    let id = begin(&mut world);
    world.change("one", TargetChange::Disable);
    world.change("one", TargetChange::Enable);
    let one = world.target("one");
    assert!(world.work(id).iter().all(|(target, _, _)| *target != one));
    world.succeed(id);
    assert!(world.removed(id, one).is_some());
}

#[test]
fn the_query_of_a_step_is_asked_again_while_it_runs_with_the_tags_of_the_moment() {
    for stages in 0..2 {
        let mut world = ready();
        let id = begin(&mut world);
        (0..stages).for_each(|_| world.work_off(id, &Outcome::Succeeded));
        let tags = |tags: Value| json!({"kind": "tenant", "name": "Alpha", "tags": tags, "projects": {"Web": ["Staging"]}});
        world.apply(&[tags(json!(["Ring/Canary", "Tier/Iron"]))]);
        assert!(
            world.deployment(id).parts.values().all(|part| part.removed.is_none()),
            "it still carries it"
        );
        world.apply(&[tags(json!(["Ring/Stable"]))]);
        let three = world.target("three");
        assert!(world.work(id).iter().all(|(target, _, _)| *target != three), "in stage {stages}");
        while world.end(id).is_none() {
            world.work_off(id, &Outcome::Succeeded);
        }
        assert_eq!(world.end(id), Some(DeploymentEnd::Failed));
        assert_eq!(
            world.reason(id),
            "step `Migrate` has no target left; scope-removed: three (the step `Migrate` no longer runs for the tenant)"
        );
    }
}

#[test]
fn a_reason_names_five_targets_and_counts_the_others() {
    let mut world = ready();
    for index in 0..5 {
        world.enrol(&format!("more-{index}"), grant("web", "Alpha"));
    }
    let id = begin(&mut world);
    world.apply(&[json!({"kind": "tenant", "name": "Alpha", "tags": ["Ring/Canary"]})]);
    let reason = world.reason(id);
    assert_eq!(reason.matches("(the tenant was disconnected)").count(), 5, "{reason}");
    assert!(reason.ends_with(" and 2 more"), "{reason}");
}

#[test]
fn a_target_that_is_deleted_is_in_no_deployment_that_its_own_end_lets_start() {
    let mut world = ready();
    let first = begin(&mut world);
    world.change("two", TargetChange::Disable);
    let next = begin(&mut world);
    let one = world.target("one");
    world.change("one", TargetChange::Delete);
    assert_eq!(world.end(first), Some(DeploymentEnd::Failed));
    assert!(!world.deployment(next).parts.contains_key(&one), "it is gone when the next one has its turn");
    world.succeed(next);
    assert_eq!(world.space().work_of(one).count(), 0, "what is gone has no work");
    assert!(!world.space().generations.contains_key(&one));
}

/// What changes while a deployment of two steps runs, of which the first one is for a tag or a role of its own.
#[test]
fn what_is_over_asks_for_nothing_more_of_its_target() {
    for what in ["tag", "role"] {
        for (over, taken_out) in [(false, true), (true, false)] {
            let mut world = small();
            let grant = |roles: &[&str]| json!({"roles": roles, "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}});
            world.enrol("machine", grant(&["web", "db"]));
            let tenants = if what == "tag" { json!({"tags": ["Ring/Canary"]}) } else { json!({}) };
            let steps = json!([
                {"name": "First", "roles": ["db"], "tenants": tenants, "script": {"body": "true"}},
                {"name": "Second", "roles": ["web"], "script": {"body": "true"}}]);
            world.apply(&[project("Web", steps)]);
            world.release("Web", "1.0.0");
            let id = world.deploy(json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"],
                "tenants": {"tenants": ["Alpha"]}}));
            if over {
                world.work_off(id, &Outcome::Succeeded);
            }
            match what {
                "tag" => world
                    .apply(&[json!({"kind": "tenant", "name": "Alpha", "projects": {"Web": ["Staging"]}})]),
                _ => world.grant("machine", grant(&["web"])),
            };
            let machine = world.target("machine");
            assert_eq!(world.removed(id, machine).is_some(), taken_out, "{what}, over: {over}");
            if !taken_out {
                world.succeed(id);
            }
        }
    }
}
