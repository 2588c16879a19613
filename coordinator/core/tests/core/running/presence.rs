//! Busy is not offline (SEMANTICS 3, machine policy): only who has no session is given up after an hour.

use serde_json::json;
use windlass_coordinator_core::decide::WorkReportKind;
use windlass_coordinator_core::event::{Event, TargetEvent};
use windlass_coordinator_core::model::DeploymentEnd;
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{DeploymentId, TargetId};
use windlass_protocol::message::Outcome;

use crate::world::{World, ended, project, small};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// `machine` with this many projects to serve, each with a deployment that waits to be begun there.
fn busy(projects: usize) -> (World, TargetId, Vec<DeploymentId>) {
    let mut world = small();
    let target = world.enrol("machine", json!({"roles": ["web"], "environments": ["Staging"]}));
    let deploy = |index| {
        let name = format!("P{index}");
        world
            .apply(&[project(&name, json!([{"name": "Run", "roles": ["web"], "script": {"body": "true"}}]))]);
        world.release(&name, "1.0.0");
        world.deploy(json!({"project": name, "version": "1.0.0", "environments": ["Staging"]}))
    };
    let all = (0..projects).map(deploy).collect();
    (world, target, all)
}

const OFFLINE: &str = "step `Run` failed (the target did not come in time (offline)) on machine";
const SILENT: &str = "the target is offline and did not tell its end in time";
const EXPIRED: &str = "step `Run` failed (the target did not begin it in time) on machine";

#[test]
fn a_target_that_is_connected_and_busy_is_waited_for_for_seven_days() {
    let (mut world, _, all) = busy(15);
    let now = world.now;
    for seconds in [HOUR + 1, DAY, 7 * DAY] {
        world.give_up(now.plus_seconds(seconds));
        assert!(all.iter().all(|id| world.end(*id).is_none()), "after {seconds} seconds");
    }
    world.give_up(now.plus_seconds(7 * DAY + 1));
    for id in all {
        assert_eq!((world.end(id), world.reason(id).as_str()), (Some(DeploymentEnd::Failed), EXPIRED));
    }
}

/// What happens to the one target, and when: `true` it is lost, `false` it is back.
type Told = &'static [(u64, bool)];

#[test]
fn who_is_lost_for_an_hour_is_given_up_as_offline_and_who_came_back_in_time_is_not() {
    // What is told, the last second at which the deployment is not given up, and whether it is a second later.
    let cases: [(Told, u64, bool); 7] = [
        (&[(0, true)], HOUR, true),
        (&[(100, true)], HOUR + 100, true),
        // Said again it is no news: it is lost since it was first.
        (&[(0, true), (1800, true)], HOUR, true),
        (&[(0, true), (3599, false)], DAY, false),
        // From the newer time on.
        (&[(0, true), (1800, false), (3000, true)], 3000 + HOUR, true),
        (&[(0, true), (1800, false), (3000, true), (5000, false)], DAY, false),
        (&[], DAY, false),
    ];
    for restarts in [false, true] {
        for (told, last, given_up) in cases {
            let (mut world, target, all) = busy(1);
            let start = world.now;
            for (seconds, lost) in told {
                world.now = start.plus_seconds(*seconds);
                let (lost, back) = if *lost { (vec![target], vec![]) } else { (vec![], vec![target]) };
                world.presence(lost, back);
                if restarts {
                    world.restart();
                }
            }
            world.give_up(start.plus_seconds(last));
            assert_eq!(world.end(all[0]), None, "{told:?}");
            world.give_up(start.plus_seconds(last + 1));
            assert_eq!(world.end(all[0]).is_some(), given_up, "{told:?}");
            if given_up {
                assert_eq!(world.reason(all[0]), OFFLINE, "{told:?}");
            }
        }
    }
}

#[test]
fn what_is_assigned_to_a_target_that_is_lost_already_has_its_own_hour() {
    let (mut world, target, first) = busy(1);
    let start = world.now;
    world.lose(target);
    world.wait(3000);
    world.release("Web", "1.0.0");
    let second = world.deploy(json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"]}));
    world.give_up(start.plus_seconds(HOUR + 1));
    assert!(world.end(first[0]).is_some());
    world.give_up(start.plus_seconds(3000 + HOUR));
    assert_eq!(world.end(second), None);
    world.give_up(start.plus_seconds(3000 + HOUR + 1));
    assert!(world.end(second).is_some());
}

#[test]
fn presence_is_recorded_as_far_as_it_is_news_and_only_of_targets_with_work() {
    let (mut world, target, all) = busy(1);
    let idle = world.enrol("idle", json!({"roles": ["db"]}));
    let unknown = TargetId::from_bytes([7; 16]);
    let told = |world: &mut World, lost: &[TargetId], back: &[TargetId]| {
        world.events_of(|world| world.presence(lost.to_vec(), back.to_vec()))
    };
    let lost = Event::Target(TargetEvent::Lost { target });
    let back = Event::Target(TargetEvent::Back { target });
    assert_eq!(told(&mut world, &[], &[target, idle, unknown]), [], "nobody was lost");
    assert_eq!(told(&mut world, &[idle, unknown, target], &[]), std::slice::from_ref(&lost));
    assert_eq!(told(&mut world, &[target], &[]), []);
    assert_eq!(world.space().lost.get(&target), Some(&world.now));
    assert_eq!(told(&mut world, &[], &[target]), std::slice::from_ref(&back));
    assert_eq!(told(&mut world, &[], &[target]), []);
    // Who was lost with its last work is back all the same, and one that is deleted is nobody.
    assert_eq!(told(&mut world, &[target], &[]), [lost]);
    world.succeed(all[0]);
    assert_eq!(told(&mut world, &[], &[target]), [back]);
    assert_eq!(told(&mut world, &[target], &[]), [], "it has no work");
}

/// What a deployment is said to have come to whose step has begun and never told its end.
fn unknown(why: &str) -> String {
    format!("step `Run` ended nobody knows how ({why}) on machine; it may still run on machine: look there")
}

#[test]
fn what_has_begun_has_its_own_time_whether_its_target_is_lost_or_not_and_then_it_is_said_which() {
    for (lost, why) in [(true, SILENT), (false, "the target did not tell its end in time")] {
        let (mut world, target, all) = busy(1);
        let (_, assignment, _) = world.work(all[0])[0];
        world.report(target, assignment, WorkReportKind::Started);
        let deadline: Timestamp = world.now.plus_seconds(2 * HOUR);
        if lost {
            world.lose(target);
        }
        world.give_up(deadline);
        assert_eq!(world.end(all[0]), None);
        world.give_up(deadline.plus_seconds(1));
        assert_eq!(world.reason(all[0]), unknown(why));
    }
}

#[test]
fn a_target_that_was_deleted_is_never_lost_however_much_of_it_is_still_to_be_looked_at() {
    let (mut world, target, _) = busy(70);
    world.goes_on = false;
    world.change("machine", windlass_coordinator_core::decide::TargetChange::Delete);
    assert!(world.space().work_of(target).next().is_some(), "left to a pass");
    world.lose(target);
    world.go_on();
    assert!(world.space().lost.is_empty(), "nobody would ever be back");
}

/// What a case of the coordinator's absence makes of the one target before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Was {
    /// It has begun, and its end is to be told.
    Running,
    /// It is lost, and its work has not begun, as far as anybody knows.
    Lost,
    /// It has its work and has not said that it began it.
    Waiting,
}

/// The deployment of a target with this in hand, of which the coordinator is away for so long: it serves again at the
/// moment that is answered, and has looked at once.
fn away(was: Was, seconds: u64) -> (World, TargetId, DeploymentId, Timestamp) {
    let (mut world, target, all) = busy(1);
    let (_, assignment, _) = world.work(all[0])[0];
    match was {
        Was::Running => world.report(target, assignment, WorkReportKind::Started),
        Was::Lost => world.lose(target),
        Was::Waiting => {}
    }
    let back = world.now.plus_seconds(seconds);
    world.restart();
    world.serve_again(back);
    world.give_up(back);
    (world, target, all[0], back)
}

#[test]
fn while_there_was_no_coordinator_nobodys_time_ran_and_what_is_told_afterwards_counts() {
    let cases = [(Was::Running, 3 * HOUR), (Was::Lost, 3 * HOUR), (Was::Waiting, 8 * DAY)];
    for (was, seconds) in cases {
        let (mut world, target, id, back) = away(was, seconds);
        assert_eq!(world.end(id), None, "{was:?}: nobody had the time to come back");
        // Whoever does not come is lost half a minute later, and that changes nothing.
        world.now = back.plus_seconds(30);
        world.lose(target);
        world.restart();
        world.give_up(back.plus_seconds(HOUR));
        assert_eq!(world.end(id), None, "{was:?}: an agent may come back within the hour");
        world.presence(vec![], vec![target]);
        let (_, assignment, _) = world.work(id)[0];
        world.report(target, assignment, WorkReportKind::Started);
        world.report(target, assignment, ended(Outcome::Succeeded));
        assert_eq!(world.end(id), Some(DeploymentEnd::Succeeded), "{was:?}");
    }
}

#[test]
fn who_does_not_come_back_to_a_coordinator_that_is_back_is_given_up_after_the_usual_time() {
    for (was, seconds, why) in [
        (Was::Running, 3 * HOUR, unknown(SILENT)),
        (Was::Lost, 3 * HOUR, OFFLINE.to_owned()),
        (Was::Waiting, 8 * DAY, OFFLINE.to_owned()),
    ] {
        let (mut world, target, id, back) = away(was, seconds);
        world.lose(target);
        world.give_up(back.plus_seconds(HOUR + 1));
        assert_eq!(world.end(id), Some(DeploymentEnd::Failed), "{was:?}");
        assert_eq!(world.reason(id), why, "{was:?}");
    }
}

#[test]
fn a_return_of_the_coordinator_is_recorded_only_where_somebody_has_work() {
    let (mut world, _, all) = busy(1);
    let back = |world: &mut World| world.events_of(|world| world.serve_again(world.now.plus_seconds(DAY)));
    assert_eq!(back(&mut world), [Event::Target(TargetEvent::CoordinatorBack)]);
    world.succeed(all[0]);
    assert_eq!(back(&mut world), []);
}
