//! What an agent names and says is judged by who it is at the moment of the decision: another's assignment is like one
//! that does not exist, an older key is nobody's, and saying things again and again is worth no record.

use std::collections::BTreeSet;

use serde_json::json;
use windlass_api::error::ProblemKind;
use windlass_coordinator_core::authorise::Peer;
use windlass_coordinator_core::decide::{
    Greeted, Greeting, Repeat, Repeated, Reply, SpaceCommand, WorkReport, WorkReportKind,
};
use windlass_coordinator_core::event::{Counted, Event, Observation, TargetEvent};
use windlass_coordinator_core::graph::RunState;
use windlass_coordinator_core::model::{DeploymentEnd, RunEnd, RunOutcome, Unknown};
use windlass_coordinator_core::state::{WorkKind, assignment_id};
use windlass_protocol::Digest;
use windlass_protocol::ids::{AssignmentId, DeploymentId, TargetId};
use windlass_protocol::message::{Advertised, EnrolRefusal, Outcome};

use crate::world::{Machine, World, ended, project, small};

const DAY: u64 = 24 * 3600;

/// `one` in Staging and `two` in Testing, each with a step that waits to be run.
fn working() -> (World, [(TargetId, AssignmentId); 2]) {
    let mut world = small();
    world.release("Web", "1.0.0");
    let working = [("one", "Staging"), ("two", "Testing")].map(|(name, environment)| {
        let target = world.enrol(name, json!({"roles": ["web"], "environments": [environment]}));
        let id = deploy(&mut world, environment);
        (target, world.work(id)[0].1)
    });
    (world, working)
}

fn deploy(world: &mut World, environment: &str) -> DeploymentId {
    world.deploy(json!({"project": "Web", "version": "1.0.0", "environments": [environment]}))
}

fn report(peer: Peer, assignment: AssignmentId, kind: WorkReportKind) -> SpaceCommand {
    SpaceCommand::Report { peer, reports: vec![WorkReport { assignment, kind }] }
}

#[test]
fn reports_of_anothers_assignments_and_of_none_are_taken_alike_and_change_nothing() {
    let (mut world, [(one, _), (_, others)]) = working();
    let unknown = AssignmentId::from_bytes([7; 16]);
    let fetch_of_none = {
        let id = world.space().deployments.keys().next().copied().expect("there is one");
        // Nothing is to be fetched in it, so there never was such an assignment.
        assignment_id(id, one, WorkKind::Fetch, 1)
    };
    let before = world.state.digest();
    for assignment in [others, unknown, fetch_of_none] {
        for kind in [
            WorkReportKind::Started,
            ended(Outcome::Succeeded),
            WorkReportKind::Fetched { moved: 1, saved: 1 },
            WorkReportKind::FetchFailed("no".to_owned()),
        ] {
            let reply = world.ask(report(world.peer(one), assignment, kind));
            assert_eq!(reply, Ok(Reply::Done));
        }
    }
    assert_eq!(world.state.digest(), before, "nothing is recorded, nothing changes");
}

#[test]
fn whose_an_assignment_was_is_known_as_long_as_its_deployment_is_remembered_and_no_longer() {
    let mut world = small();
    world.replays = false;
    world.package("shop", "1.0.0");
    let step = json!({"name": "Copy", "roles": ["web"], "package": {"id": "shop"}});
    world.apply(&[
        project("Shop", json!([step])),
        project("Nothing", json!([{"name": "Say", "roles": ["nobody"], "script": {"body": "true"}}])),
    ]);
    world.release("Shop", "1.0.0");
    world.release("Nothing", "1.0.0");
    let target = world.enrol("one", json!({"roles": ["web"], "environments": ["Staging"]}));
    let request =
        |project: &str| json!({"project": project, "version": "1.0.0", "environments": ["Staging"]});
    let id = world.deploy(request("Shop"));
    let fetch = world.work(id)[0].1;
    world.work_off(id, &Outcome::Succeeded);
    let run = world.work(id)[0].1;
    world.succeed(id);
    let known = |world: &World| [fetch, run].map(|id| world.space().assigned(target, id).is_some());
    // It is the first of 10,000 that are remembered after they ended; these make no assignments of their own.
    for _ in 1..10_000 {
        world.deploy(request("Nothing"));
    }
    assert_eq!(known(&world), [true, true]);
    assert_eq!(world.space().indexes.assignments.len(), 2);
    world.deploy(request("Nothing"));
    assert!(!world.space().deployments.contains_key(&id));
    assert_eq!(known(&world), [false, false]);
    assert!(world.space().indexes.assignments.is_empty());
}

#[test]
fn an_older_key_of_the_target_does_nothing_however_it_asks() {
    let (mut world, [(target, assignment), _]) = working();
    let old = world.peer(target);
    let token = world.token(json!({"target": "one"})).expect("the token can be made");
    let machine = Machine { key: "new key", ..Machine::new("one") };
    assert_eq!(world.use_token(token, "secret", &machine), Reply::Enrolled(target));
    world.wait(29 * DAY);
    let new = world.peer(target);
    let digest = Digest::of("variables");
    let asked = |peer: Peer| -> [SpaceCommand; 6] {
        let advertised = Advertised { roles: Some(Vec::new()), ..Advertised::default() };
        [
            report(peer, assignment, WorkReportKind::Started),
            SpaceCommand::RecordVariablesRead { peer, assignment, names: Vec::new(), digest },
            SpaceCommand::RecordPullBegun { peer, assignment, manifest: digest, bytes: 1 },
            SpaceCommand::RecordPulled { peer, assignment, manifest: digest, bytes: 1 },
            SpaceCommand::Renew { peer, life_seconds: 30 * DAY },
            SpaceCommand::Greet(Box::new(Greeting { peer, advertised, ..world.greeting(target) })),
        ]
    };
    let (by_old, by_new) = (asked(old), asked(new));
    let before = world.state.digest();
    for command in by_old {
        let refused = world.ask(command).expect_err("another machine has its place");
        assert_eq!(refused.kind, ProblemKind::NotFound);
    }
    assert_eq!(world.state.digest(), before);
    // The same by the new key does something, but for pulls: the step has no package.
    let done: Vec<_> = by_new
        .into_iter()
        .map(|command| !world.events_of(|world| drop(world.ask(command))).is_empty())
        .collect();
    assert_eq!(done, [true, true, false, false, true, true]);
}

#[test]
fn a_certificate_is_renewed_from_half_of_its_life_on_and_recorded_once_in_a_quarter_of_it() {
    const LIFE: u64 = 40 * DAY;
    // Days that the certificate which is shown is still good for, days that the newest one known is, and what comes of
    // it: a record, the same again, or nothing.
    let cases = [
        (40, 40, None),
        (21, 21, None),
        (20, 20, Some(true)),
        (1, 1, Some(true)),
        (20, 40, Some(false)),
        (20, 31, Some(false)),
        (20, 30, Some(true)),
        (1, 40, Some(false)),
    ];
    for (shown, known, expected) in cases {
        let mut world = small();
        let target = world.enrol("machine", json!({}));
        let enrolled = world.now;
        // What is known was renewed so that it is good for as long at the moment of asking.
        let asked = enrolled.plus_seconds(100 * DAY);
        world.now = enrolled.plus_seconds((100 - 40 + known) * DAY);
        let first = Peer { expires: enrolled, ..world.peer(target) };
        let renewed = world.ask(SpaceCommand::Renew { peer: first, life_seconds: LIFE });
        assert!(matches!(renewed, Ok(Reply::Renewed { .. })), "{renewed:?}");
        world.now = asked;
        let peer = Peer { expires: asked.plus_seconds(shown * DAY), ..world.peer(target) };
        let mut reply = None;
        let events = world.events_of(|world| {
            reply = Some(world.ask(SpaceCommand::Renew { peer, life_seconds: LIFE }));
        });
        let until = |days: u64| Ok(Reply::Renewed { expires: asked.plus_seconds(days * DAY) });
        let reply = reply.expect("it was asked");
        let told = format!("shown {shown}, known {known}");
        match expected {
            None => {
                let refused = reply.expect_err(&told);
                assert_eq!(
                    refused.message,
                    "the certificate is not due for renewal before half of its life is over"
                );
            }
            Some(true) => assert_eq!(reply, until(40), "{told}"),
            Some(false) => assert_eq!(reply, until(known), "{told}"),
        }
        assert_eq!(events.len(), usize::from(expected == Some(true)), "{told}");
    }
}

#[test]
fn what_a_machine_says_anew_counts_only_if_it_may_say_so_now() {
    let mut world = small();
    let target = world.enrol("machine", json!({"roles": ["web", "db"]}));
    let roles = |roles: &[&str]| {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        Advertised { roles: Some(roles), ..Advertised::default() }
    };
    let cases = [
        (roles(&["web"]), true, Greeted::Changed, 1),
        (roles(&["web"]), false, Greeted::Known, 0),
        (roles(&["db"]), false, Greeted::TooOften, 0),
        (roles(&["web"]), true, Greeted::Known, 0),
        (roles(&["db"]), true, Greeted::Changed, 1),
    ];
    for (advertised, may_change, expected, recorded) in cases {
        let greeting = Greeting { advertised, may_change, ..world.greeting(target) };
        let mut greeted = None;
        let events = world.events_of(|world| greeted = Some(world.greet(greeting)));
        assert_eq!((greeted, events.len()), (Some(Ok(expected)), recorded));
    }
}

#[test]
fn an_over_claim_is_told_once_beside_what_was_said() {
    let mut world = small();
    let target = world.enrol("machine", json!({"roles": ["web"]}));
    let said = Advertised { roles: Some(vec!["canary".to_owned()]), ..Advertised::default() };
    let events = world.events_of(|world| world.advertise(target, said.clone()));
    let claims = BTreeSet::from(["role canary".to_owned()]);
    let [
        Event::Target(TargetEvent::Advertised { .. }),
        Event::Target(TargetEvent::OverClaimed { claims: told, .. }),
    ] = events.as_slice()
    else {
        panic!("{events:?}");
    };
    assert_eq!(told, &claims);
    assert_eq!(world.space().targets.get(target).expect("it exists").told_claims, claims);
    assert_eq!(world.events_of(|world| world.advertise(target, said)), []);
}

#[test]
fn a_step_that_the_agent_had_started_and_does_not_hold_any_more_is_not_given_again() {
    // Whether it may be repeated, whether it was started, what the agent holds, and whether the step is ended.
    type Held = fn(AssignmentId) -> Option<Vec<AssignmentId>>;
    let cases: [(bool, bool, Held, bool); 6] = [
        (false, true, |_| Some(vec![]), true),
        (false, true, |_| Some(vec![AssignmentId::from_bytes([7; 16])]), true),
        (false, true, |own| Some(vec![own]), false),
        (false, true, |_| None, false),
        (false, false, |_| Some(vec![]), false),
        (true, true, |_| Some(vec![]), false),
    ];
    for (repeatable, started, held, expected) in cases {
        let mut world = small();
        world.apply(&[project(
            "Web",
            json!([{"name": "Install", "roles": ["web"], "safe-to-repeat": repeatable, "script": {"body": "true"}}]),
        )]);
        world.release("Web", "1.0.0");
        let target = world.enrol("machine", json!({"roles": ["web"], "environments": ["Staging"]}));
        let id = deploy(&mut world, "Staging");
        let (_, assignment, item) = world.work(id)[0];
        if started {
            world.report(target, assignment, WorkReportKind::Started);
        }
        let unfinished = held(assignment).map(|held| held.into_iter().collect());
        world.greet(Greeting { unfinished, ..world.greeting(target) }).expect("it is admitted");
        let WorkKind::Run(step) = item.kind else { panic!("it runs a step") };
        let graph = &world.deployment(id).graph;
        let node = graph.place_of(WorkKind::Run(step)).expect("it is a node");
        let run = graph.run(node, target).expect("it was assigned");
        let lost = run.state == RunState::Ended(RunEnd::of(RunOutcome::Unknown(Unknown::StateLost)));
        assert_eq!(lost, expected, "{repeatable} {started}");
        if lost {
            assert_eq!(
                world.reason(id),
                "step `Install` ended nobody knows how (the agent has lost what it knew of it) on machine; it may still \
                 run on machine: look there"
            );
        }
        assert_eq!(world.space().work_item(target, assignment).is_none(), expected, "given no more");
        assert_eq!(world.end(id), expected.then_some(DeploymentEnd::Failed));
    }
}

#[test]
fn what_is_counted_of_clones_and_refused_enrolments_stands_in_the_record_as_it_was_counted() {
    let mut world = small();
    let target = world.enrol("machine", json!({}));
    let enrolment = world.token(json!({})).expect("the token can be made");
    let (first, last) = (world.now, world.now.plus_seconds(9));
    let text = |text: &str| text.to_owned();
    let clone = Repeated::Clone { target, older: text("a"), newer: text("b") };
    let refused = Repeated::EnrolmentRefused { enrolment, rule: EnrolRefusal::Used, origin: text("c") };
    let repeat = |what, count| Repeat { what, count, bytes: 0, first, last };
    let events = world.events_of(|world| {
        let repeats = vec![repeat(clone, 3), repeat(refused, 4)];
        world.ask(SpaceCommand::RecordRepeats(repeats)).expect("it is recorded");
    });
    let counted = |count| Counted { count, first, last };
    let (rule, origin) = (EnrolRefusal::Used, text("c"));
    let expected = [
        Observation::CloneSuspectedAgain { target, older: text("a"), newer: text("b"), counted: counted(3) },
        Observation::EnrolmentRefusedAgain { enrolment, rule, origin, counted: counted(4) },
    ];
    assert_eq!(events, expected.map(Event::Observation));
}
