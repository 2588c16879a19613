//! Which reports are news can be said before anything of them is opened, and it is what the decision then says.

use serde_json::json;
use windlass_coordinator_core::decide::{SpaceCommand, WorkReport, WorkReportKind, news};
use windlass_protocol::ids::{AssignmentId, TargetId};
use windlass_protocol::message::{Outcome, Refusal, Report, ReportKind};

use crate::world::{World, ended, project, small};

/// All that can be said of an assignment, as it comes and as it is decided.
fn kinds() -> [(ReportKind, WorkReportKind); 5] {
    let end = ReportKind::Ended { outcome: Outcome::Succeeded, variables: Vec::new(), lines: 0 };
    [
        (ReportKind::Started, WorkReportKind::Started),
        (end, ended(Outcome::Succeeded)),
        (ReportKind::Fetched { moved: 1, saved: 1 }, WorkReportKind::Fetched { moved: 1, saved: 1 }),
        (ReportKind::FetchFailed("no".to_owned()), WorkReportKind::FetchFailed("no".to_owned())),
        (ReportKind::Refused(Refusal::Expired), WorkReportKind::Refused(Refusal::Expired)),
    ]
}

/// Which of all that can be said is news, by the decision and by what is said before it.
fn expect_news(world: &World, target: TargetId, assignment: AssignmentId, expected: [bool; 5]) {
    let said = kinds().map(|(kind, decided)| {
        let before = news(world.space(), target, &[Report { assignment, kind }]).len() == 1;
        let mut after = world.clone();
        let digest = after.state.digest();
        let reports = vec![WorkReport { assignment, kind: decided }];
        let peer = after.peer(target);
        after.ask(SpaceCommand::Report { peer, reports }).expect("it is taken");
        (before, after.state.digest() != digest)
    });
    assert_eq!(said, expected.map(|is_news| (is_news, is_news)));
}

#[test]
fn a_report_is_news_as_long_as_its_work_goes_on_and_says_what_such_work_can() {
    let mut world = small();
    world.package("shop", "1.0.0");
    let step = json!({"name": "Copy", "roles": ["web"], "package": {"id": "shop"}});
    world.apply(&[project("Shop", json!([step]))]);
    world.release("Shop", "1.0.0");
    let grant = json!({"roles": ["web"], "environments": ["Staging"]});
    let (target, other) = (world.enrol("one", grant), world.enrol("two", json!({})));
    let id = world.deploy(json!({"project": "Shop", "version": "1.0.0", "environments": ["Staging"]}));
    const NOTHING: [bool; 5] = [false; 5];
    let fetch = world.work(id)[0].1;
    expect_news(&world, target, fetch, [false, false, true, true, true]);
    expect_news(&world, other, fetch, NOTHING);
    expect_news(&world, target, AssignmentId::from_bytes([7; 16]), NOTHING);
    world.work_off(id, &Outcome::Succeeded);
    expect_news(&world, target, fetch, NOTHING);
    let run = world.work(id)[0].1;
    expect_news(&world, target, run, [true, true, false, false, true]);
    world.report(target, run, WorkReportKind::Started);
    expect_news(&world, target, run, [false, true, false, false, true]);
    world.succeed(id);
    expect_news(&world, target, run, NOTHING);
}

#[test]
fn of_several_reports_that_end_the_same_work_the_first_is_news() {
    let mut world = small();
    world.release("Web", "1.0.0");
    let target = world.enrol("one", json!({"roles": ["web"], "environments": ["Staging"]}));
    let id = world.deploy(json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"]}));
    let assignment = world.work(id)[0].1;
    let reports: Vec<_> =
        kinds().into_iter().chain(kinds()).map(|(kind, _)| Report { assignment, kind }).collect();
    let kept = news(world.space(), target, &reports);
    assert!(matches!(kept[..], [first, second] if *first == reports[0] && *second == reports[1]));
}
