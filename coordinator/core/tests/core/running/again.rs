//! A step that is safe to repeat may begin again, and then has its whole time again (SEMANTICS 3, 7): its agent says so
//! before it begins, each time.

use serde_json::json;
use windlass_coordinator_core::decide::WorkReportKind;
use windlass_coordinator_core::model::DeploymentEnd;
use windlass_protocol::ids::{AssignmentId, DeploymentId, TargetId};
use windlass_protocol::message::Outcome;

use crate::world::{World, ended, project, small};

const MINUTE: u64 = 60;

/// A step that may take an hour has begun.
fn running(is_safe: bool) -> (World, TargetId, AssignmentId, DeploymentId) {
    let mut world = small();
    let step = json!({"name": "Run", "roles": ["web"], "timeout": "1h", "safe-to-repeat": is_safe,
        "script": {"body": "true"}});
    world.apply(&[project("Web", json!([step]))]);
    let grant = json!({"roles": ["web"], "environments": ["Staging"], "participation": "untenanted"});
    let one = world.enrol("one", grant);
    world.release("Web", "1.0.0");
    let id = world.deploy(json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"]}));
    let (_, assignment, _) = world.work(id)[0];
    world.report(one, assignment, WorkReportKind::Started);
    (world, one, assignment, id)
}

fn give_up(world: &mut World) {
    let now = world.now;
    world.give_up(now);
}

#[test]
fn a_step_that_begins_again_has_its_time_from_then_on_if_it_may() {
    // Whether it is safe to repeat, the minutes until it begins again, and those after which it ends, from then on: it has
    // an hour, and one more to tell its end.
    for (is_safe, again, ends, kept) in [
        (true, 85, 119, true),
        (true, 85, 121, false),
        (true, 4, 119, false),
        (true, 4, 115, true),
        (false, 85, 34, true),
        (false, 85, 36, false),
    ] {
        let (mut world, one, assignment, id) = running(is_safe);
        world.wait(again * MINUTE);
        world.report(one, assignment, WorkReportKind::Started);
        world.wait(ends * MINUTE);
        give_up(&mut world);
        world.report(one, assignment, ended(Outcome::Succeeded));
        let end = if kept { DeploymentEnd::Succeeded } else { DeploymentEnd::Failed };
        assert_eq!(world.end(id), Some(end), "{is_safe}, again after {again}, its end after {ends} more");
    }
}

#[test]
fn what_begins_again_and_again_is_recorded_now_and_then_and_as_long_as_it_is_good_for() {
    let (mut world, one, assignment, id) = running(true);
    let before = world.records.len();
    for _ in 0..3600 {
        world.wait(1);
        world.report(one, assignment, WorkReportKind::Started);
    }
    let recorded = world.records.len() - before;
    assert!((11..=12).contains(&recorded), "{recorded} of an hour");
    for _ in 0..8 * 24 {
        world.wait(60 * MINUTE);
        world.report(one, assignment, WorkReportKind::Started);
    }
    give_up(&mut world);
    assert_eq!(world.end(id), Some(DeploymentEnd::Failed), "a week is all that there is");
}
