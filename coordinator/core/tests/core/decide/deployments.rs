//! The life of one deployment (SEMANTICS 3, "While it runs", and 8).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use windlass_coordinator_core::decide::{SpaceCommand, TargetChange, WorkReportKind};
use windlass_coordinator_core::event::{DeploymentEvent, Event};
use windlass_coordinator_core::model::{DeploymentEnd, StoredValue};
use windlass_coordinator_core::state::WorkKind;
use windlass_protocol::ids::DeploymentId;
use windlass_protocol::message::{Advertised, Outcome, Refusal};

use crate::world::{World, ended, project, small};

const HOUR: u64 = 3600;

/// The project Shop deploys a package and then runs a script, on `one` and `two`, which serve Alpha and Beta.
fn ready() -> World {
    let mut world = small();
    world.apply(&[
        project("Shop", json!([
            {"name": "Copy", "roles": ["web"], "package": {"id": "shop"}},
            {"name": "Check", "roles": ["web"], "script": {"body": "true"}, "timeout-seconds": 60},
        ])),
        json!({"kind": "tenant", "name": "Alpha", "tags": ["Ring/Canary"], "projects": {"Shop": ["Staging"]}}),
    ]);
    for name in ["one", "two"] {
        world.enrol(name, grant());
    }
    world.package("shop", "1.0.0");
    world.release("Shop", "1.0.0");
    world
}

fn grant() -> Value {
    json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": ["Alpha", "Beta"]}})
}

fn begin(world: &mut World) -> DeploymentId {
    world.deploy(json!({"project": "Shop", "version": "1.0.0", "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}}))
}

fn kinds(world: &World, id: DeploymentId) -> (usize, usize) {
    let work = world.work(id);
    let fetches = work.iter().filter(|(_, _, item)| item.kind == WorkKind::Fetch).count();
    (fetches, work.len() - fetches)
}

#[test]
fn every_target_has_every_package_before_the_first_step_runs_anywhere() {
    let mut world = ready();
    let id = begin(&mut world);
    assert_eq!(kinds(&world, id), (2, 0));
    let (target, assignment, _) = world.work(id)[0];
    world.report(target, assignment, WorkReportKind::Fetched { moved: 1, saved: 2 });
    assert_eq!(kinds(&world, id), (1, 0), "the other one is not there yet");
    world.work_off(id, &Outcome::Succeeded);
    assert_eq!(kinds(&world, id), (0, 2));
    world.work_off(id, &Outcome::Succeeded);
    assert_eq!(kinds(&world, id), (0, 2), "the second step");
    world.succeed(id);
    assert_eq!(world.reason(id), "every step succeeded on every target");
}

#[test]
fn a_step_that_needs_more_variables_than_can_be_sent_is_refused_before_anything_is_made() {
    let mut world = ready();
    let steps = json!([{"name": "Check", "roles": ["web"], "script": {"body": "true"}, "needs": ["Large."]}]);
    let sized = |number: usize| {
        let values = (0..number).map(|n| (format!("Large.{n:02}"), json!([{"value": "x".repeat(64 << 10)}])));
        let mut project = project("Shop", steps.clone());
        project["variables"] = Value::Object(values.collect());
        project
    };
    let request = |version| json!({"project": "Shop", "version": version, "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}});
    world.apply(&[sized(63)]);
    world.release("Shop", "2.0.0");
    assert_eq!(world.try_deploy(request("2.0.0")).map(|made| made.len()), Ok(1));
    world.apply(&[sized(64)]);
    world.release("Shop", "2.0.1");
    assert_eq!(
        world.try_deploy(request("2.0.1")).expect_err("they do not fit").message,
        "step `Check` needs 4196096 bytes of variables, and a step is given at most 4177920; let it need fewer, or put \
         what is large into its package"
    );
}

#[test]
fn what_cannot_be_delivered_fails_with_the_reason_unless_it_has_begun() {
    let mut world = ready();
    let id = begin(&mut world);
    world.work_off(id, &Outcome::Succeeded);
    let reason = "`Name` has two values that nothing tells apart";
    let give_up = |world: &mut World, place: usize| {
        let (target, assignment, _) = world.work(id)[place];
        let reasons = vec![(assignment, reason.to_owned())];
        world.ask(SpaceCommand::GiveUpUndeliverable { target, reasons }).expect("giving up always works");
        (target, assignment)
    };
    let (target, assignment, _) = world.work(id)[0];
    world.report(target, assignment, WorkReportKind::Started);
    give_up(&mut world, 0);
    assert_eq!(kinds(&world, id), (0, 2), "what has begun ends by itself");
    give_up(&mut world, 1);
    world.report(target, assignment, ended(Outcome::Succeeded));
    assert_eq!(world.end(id), Some(DeploymentEnd::Failed));
    assert!(
        world.reason(id).starts_with(&format!("step `Copy` failed ({reason}) on ")),
        "{}",
        world.reason(id)
    );
}

#[test]
fn a_failure_of_any_kind_ends_the_deployment_and_says_where() {
    let failed = Outcome::Failed { reason: "exit code 3".to_owned() };
    let cases = [
        (ended(failed), "step `Copy` failed (exit code 3) on one"),
        (ended(Outcome::Failed { reason: "\u{202e}".to_owned() }), r"step `Copy` failed (\u{202e}) on one"),
        (ended(Outcome::TimedOut), "step `Copy` ran out of time on one"),
        (
            ended(Outcome::Stopped),
            "step `Copy` failed (it was stopped there, and nobody had asked for that) on one",
        ),
        (ended(Outcome::Unknown), "step `Copy` ended nobody knows how (its supervisor was gone) on one"),
    ];
    for (report, sentence) in cases {
        let mut world = ready();
        let id = begin(&mut world);
        world.work_off(id, &Outcome::Succeeded);
        report_of(&mut world, id, "one", report);
        assert_eq!(world.end(id), None, "the other target is let finish its step");
        report_of(&mut world, id, "two", ended(Outcome::Succeeded));
        assert_eq!(world.end(id), Some(DeploymentEnd::Failed));
        assert_eq!(world.reason(id), sentence);
        assert_eq!(world.successes(), 0);
        assert!(world.space().indexes.work.is_empty() && world.space().indexes.deadlines.is_empty());
    }
}

/// The target of this name reports something of the one thing that it has to do.
fn report_of(world: &mut World, id: DeploymentId, name: &str, report: WorkReportKind) {
    let target = world.target(name);
    let work = world.work(id);
    let (_, assignment, _) = work.iter().find(|(of, _, _)| *of == target).expect("it has work");
    world.report(target, *assignment, report);
}

#[test]
fn what_an_agent_refuses_or_cannot_fetch_fails_with_its_reason() {
    let cases = [
        (
            WorkReportKind::FetchFailed("the disk is full".to_owned()),
            "fetching packages failed on one: the disk is full",
        ),
        (
            WorkReportKind::FetchFailed("\u{1b}[2Jdone\n".to_owned()),
            r"fetching packages failed on one: \u{1b}[2Jdone\n",
        ),
        (
            WorkReportKind::Refused(Refusal::BadSignature),
            "fetching packages failed on one: the agent refused: the assignment's signature is not the coordinator's",
        ),
        (
            WorkReportKind::Refused(Refusal::Unsupported),
            "fetching packages failed on one: the agent refused: the agent cannot read the assignment",
        ),
    ];
    for (report, sentence) in cases {
        let mut world = ready();
        let id = begin(&mut world);
        report_of(&mut world, id, "one", report);
        report_of(&mut world, id, "two", WorkReportKind::Fetched { moved: 0, saved: 0 });
        assert_eq!(world.end(id), Some(DeploymentEnd::Failed));
        assert!(world.reason(id).starts_with(sentence), "{}", world.reason(id));
    }
}

#[test]
fn reports_that_come_again_or_of_the_wrong_kind_or_of_another_target_change_nothing() {
    let mut world = ready();
    let id = begin(&mut world);
    let work = world.work(id);
    let [(one, of_one, _), (two, of_two, _)] = [work[0], work[1]];
    world.report(one, of_one, WorkReportKind::Fetched { moved: 1, saved: 2 });
    let events = world.events_of(|world| {
        world.report(one, of_one, WorkReportKind::Fetched { moved: 9, saved: 9 });
        world.report(one, of_one, WorkReportKind::FetchFailed("late".to_owned()));
        world.report(one, of_two, WorkReportKind::Fetched { moved: 1, saved: 2 });
        world.report(two, of_one, WorkReportKind::Fetched { moved: 1, saved: 2 });
        world.report(two, of_two, WorkReportKind::Started);
        world.report(two, of_two, ended(Outcome::Succeeded));
    });
    assert_eq!(events, []);
    world.report(two, of_two, WorkReportKind::Fetched { moved: 1, saved: 2 });
    assert_eq!(kinds(&world, id), (0, 2));
}

#[test]
fn a_late_end_of_a_cancelled_deployment_is_recorded_but_keeps_no_values() {
    let mut world = ready();
    let id = begin(&mut world);
    world.work_off(id, &Outcome::Succeeded);
    let (target, assignment, _) = world.work(id)[0];
    world.ask(SpaceCommand::Cancel(id)).expect("it runs");
    let outputs = BTreeMap::from([("Token".to_owned(), StoredValue::Plain("a customer's".to_owned()))]);
    let late = WorkReportKind::Ended { outcome: Outcome::Succeeded, outputs, lines: 4 };
    let events = world.events_of(|world| world.report(target, assignment, late));
    assert!(
        matches!(
            events.as_slice(),
            [Event::Deployment(DeploymentEvent::RunEnded { end, outputs, .. })]
                if end.lines == 4 && outputs.is_empty()
        ),
        "{events:?}"
    );
    assert_eq!(world.end(id), Some(DeploymentEnd::Cancelled));
    assert!(world.deployment(id).outputs.is_empty());
}

#[test]
fn a_target_that_no_longer_qualifies_gets_nothing_more_and_the_others_go_on() {
    type Change = fn(&mut World);
    let changes: [(Change, &str); 6] = [
        (
            |world| {
                world.grant(
                    "one",
                    json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": ["Beta"]}}),
                )
            },
            "the target is scoped to tenant Beta",
        ),
        (
            |world| {
                world.grant(
                    "one",
                    json!({"roles": ["db"], "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}}),
                )
            },
            "the target is scoped to role db",
        ),
        (|world| world.change("one", TargetChange::Disable), "the target is disabled"),
        (|world| world.change("one", TargetChange::Revoke), "the target has its key revoked"),
        (|world| world.change("one", TargetChange::Delete), "the target was deleted"),
        (
            |world| {
                let target = world.target("one");
                world.advertise(target, Advertised { environments: Some(vec![]), ..Advertised::default() });
            },
            "the target is scoped to no environments",
        ),
    ];
    let base = ready();
    for stages in 0..3 {
        for (change, sentence) in &changes {
            let mut world = base.clone();
            let id = begin(&mut world);
            let one = world.target("one");
            for _ in 0..stages {
                world.work_off(id, &Outcome::Succeeded);
            }
            change(&mut world);
            assert!(
                world.work(id).iter().all(|(target, _, _)| *target != one),
                "{sentence} in stage {stages}"
            );
            assert_eq!(world.removed(id, one).as_deref(), Some(*sentence));
            let open = world.deployment(id).graph.open();
            assert!(open.iter().all(|(_, target)| *target != one));
            world.succeed(id);
        }
    }
}

#[test]
fn a_tenant_that_is_disconnected_or_whose_targets_are_all_gone_fails_the_deployment() {
    let mut world = ready();
    let id = begin(&mut world);
    world.apply(&[json!({"kind": "tenant", "name": "Alpha", "tags": ["Ring/Canary"]})]);
    assert_eq!(world.end(id), Some(DeploymentEnd::Failed));
    assert_eq!(
        world.reason(id),
        "step `Copy` has no target left; scope-removed: one (the tenant was disconnected), \
         two (the tenant was disconnected)"
    );
    assert_eq!(world.successes(), 0);
    assert!(world.space().indexes.work.is_empty() && world.space().indexes.deadlines.is_empty());
}

#[test]
fn who_does_not_come_in_time_is_given_up_at_its_deadline_and_not_before() {
    let mut world = ready();
    let id = begin(&mut world);
    world.lose(world.target("one"));
    let expires = world.now.plus_seconds(HOUR);
    world.give_up(expires);
    assert_eq!(world.end(id), None);
    world.give_up(expires.plus_seconds(1));
    assert_eq!(world.end(id), None, "the other one is there, and is waited for");
    report_of(&mut world, id, "two", WorkReportKind::Fetched { moved: 0, saved: 0 });
    assert_eq!(
        world.reason(id),
        "fetching packages failed on one: the target did not come in time (offline)"
    );

    let mut world = ready();
    let id = begin(&mut world);
    world.work_off(id, &Outcome::Succeeded);
    report_of(&mut world, id, "one", WorkReportKind::Started);
    report_of(&mut world, id, "two", ended(Outcome::Succeeded));
    // The step may take an hour, and its agent may be away for another.
    let deadline = world.now.plus_seconds(2 * HOUR);
    world.give_up(deadline);
    assert_eq!(world.end(id), None);
    world.give_up(deadline.plus_seconds(1));
    assert_eq!(
        world.reason(id),
        "step `Copy` ended nobody knows how (the target did not tell its end in time) on one; it may still run on one: \
         look there"
    );
}

#[test]
fn a_step_that_started_has_its_own_time_and_an_hour_to_tell() {
    let mut world = ready();
    let id = begin(&mut world);
    world.work_off(id, &Outcome::Succeeded);
    world.work_off(id, &Outcome::Succeeded);
    report_of(&mut world, id, "one", WorkReportKind::Started);
    let started = world.work(id).into_iter().find(|(_, _, item)| item.started).expect("one started");
    assert_eq!(started.2.deadline, world.now.plus_seconds(60 + HOUR));
}

#[test]
fn a_deployment_in_which_nothing_ran_is_nothing_done_and_no_success() {
    let mut world = ready();
    for name in ["one", "two"] {
        world.change(name, TargetChange::Disable);
    }
    let id = begin(&mut world);
    assert_eq!(world.end(id), Some(DeploymentEnd::NothingDone));
    assert_eq!(world.successes(), 0);
    let mut world = ready();
    let skipped = json!({"project": "Shop", "version": "1.0.0", "environments": ["Staging"],
        "tenants": {"tenants": ["Alpha"]}, "skip-steps": ["Copy", "check"]});
    let id = world.deploy(skipped);
    assert_eq!(world.end(id), Some(DeploymentEnd::NothingDone));
}
