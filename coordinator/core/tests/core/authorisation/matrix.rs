//! The access matrix of agents: every kind of request by whose assignment it names and how its target stands.

use std::fmt::Write;

use serde_json::json;
use windlass_coordinator_core::authorise::{self, Peer, RequestPermit};
use windlass_coordinator_core::decide::{Reply, SpaceCommand, TargetChange};
use windlass_coordinator_core::state::WorkKind;
use windlass_protocol::Digest;
use windlass_protocol::ids::{AssignmentId, DeploymentId, TargetId};
use windlass_protocol::message::{Generation, Outcome, PullRequest, Report, ReportKind, Request};

use crate::golden;
use crate::world::{Machine, World, project, small};

/// What a target was assigned in one deployment that fetches and one that runs a step.
#[derive(Clone, Copy)]
struct Assigned {
    fetch: AssignmentId,
    run: AssignmentId,
}

/// Targets `one` and `two` with work of both kinds, and what `one` has ended.
#[derive(Clone)]
struct Scene {
    world: World,
    one: TargetId,
    own: Assigned,
    ended: Assigned,
    others: Assigned,
}

fn scene() -> Scene {
    let mut world = small();
    let connected =
        |name| json!({"kind": "tenant", "name": name, "projects": {"Shop": ["Testing", "Staging"]}});
    world.apply(&[
        project(
            "Shop",
            json!([
                {"name": "Copy", "roles": ["web"], "package": {"id": "shop"}},
                {"name": "Then", "roles": ["web"], "package": {"id": "tool"}},
            ]),
        ),
        connected("Alpha"),
        connected("Beta"),
        connected("Gamma"),
    ]);
    world.package("shop", "1.0.0");
    world.package("tool", "1.0.0");
    world.package("other", "1.0.0");
    world.release("Shop", "1.0.0");
    let grant = |environment| json!({"roles": ["web"], "environments": [environment], "tenants": {"tenants": ["Alpha", "Beta", "Gamma"]}});
    let one = world.enrol("one", grant("Staging"));
    let two = world.enrol("two", grant("Testing"));
    let deploy = |world: &mut World, environment: &str, tenant: &str| {
        world.deploy(json!({"project": "Shop", "version": "1.0.0", "environments": [environment], "tenants": {"tenants": [tenant]}}))
    };
    let over = deploy(&mut world, "Staging", "Gamma");
    let fetch = id_of(&world, over, WorkKind::Fetch, one);
    world.work_off(over, &Outcome::Succeeded);
    let ended = Assigned { fetch, run: world.work(over)[0].1 };
    world.succeed(over);
    let mut assigned = |environment: &str, target| {
        let fetching = deploy(&mut world, environment, "Alpha");
        let running = deploy(&mut world, environment, "Beta");
        world.work_off(running, &Outcome::Succeeded);
        Assigned { fetch: id_of(&world, fetching, WorkKind::Fetch, target), run: world.work(running)[0].1 }
    };
    let own = assigned("Staging", one);
    let others = assigned("Testing", two);
    Scene { world, one, own, ended, others }
}

fn id_of(world: &World, deployment: DeploymentId, kind: WorkKind, target: TargetId) -> AssignmentId {
    let work = world.work(deployment);
    work.iter().find(|(of, _, item)| *of == target && item.kind == kind).expect("it is assigned").1
}

/// Every kind of request, of this work.
fn requests(of: Assigned) -> Vec<(&'static str, Request)> {
    let pull = |assignment, package: &str| {
        let manifest = Digest::of(package);
        Request::Pull(PullRequest {
            assignment,
            manifest,
            has_manifest: false,
            holds: vec![],
            complete_files: 0,
            complete_segments: 0,
        })
    };
    let output = |assignment| Request::Output { assignment, first: 1, lines: Vec::new() };
    vec![
        ("", Request::Assignments { since: None, after: None }),
        ("its package, to fetch", pull(of.fetch, "shop 1.0.0")),
        ("another package, to fetch", pull(of.fetch, "other 1.0.0")),
        ("another step's, to fetch", pull(of.fetch, "tool 1.0.0")),
        ("its package, of a run", pull(of.run, "shop 1.0.0")),
        ("another step's, of a run", pull(of.run, "tool 1.0.0")),
        ("another package, of a run", pull(of.run, "other 1.0.0")),
        ("of a run", Request::Variables { assignment: of.run }),
        ("of a fetch", Request::Variables { assignment: of.fetch }),
        ("of a run", Request::Report(vec![Report { assignment: of.run, kind: ReportKind::Started }])),
        ("of a run", output(of.run)),
        ("of a fetch", output(of.fetch)),
        ("", Request::Renew { request: Vec::new() }),
    ]
}

/// How a target stands when it asks: what happened, and which work it names.
fn cases() -> Vec<(&'static str, Scene, Assigned, Peer)> {
    let unknown =
        Assigned { fetch: AssignmentId::from_bytes([7; 16]), run: AssignmentId::from_bytes([8; 16]) };
    let (base, mut cases) = (scene(), Vec::new());
    let mut case = |name, which: fn(&Scene) -> Assigned, change: fn(&mut Scene) -> Option<Peer>| {
        let mut scene = base.clone();
        let before = scene.world.peer(scene.one);
        let peer = change(&mut scene).unwrap_or(before);
        let assigned = if name == "unknown" { unknown } else { which(&scene) };
        cases.push((name, scene, assigned, peer));
    };
    let own = |scene: &Scene| scene.own;
    case("own", own, |_| None);
    case("own-ended", |scene| scene.ended, |_| None);
    case("another's", |scene| scene.others, |_| None);
    case("unknown", own, |_| None);
    case("disabled", own, |scene| {
        scene.world.change("one", TargetChange::Disable);
        None
    });
    case("revoked", own, |scene| {
        scene.world.change("one", TargetChange::Revoke);
        None
    });
    case("held", own, |scene| {
        let (peer, generation) = (scene.world.peer(scene.one), Generation { epoch: 1, sequence: 1 << 40 });
        scene.world.ask(SpaceCommand::RecordAhead { peer, generation }).expect("it is known");
        None
    });
    case("deleted", own, |scene| {
        scene.world.change("one", TargetChange::Delete);
        None
    });
    case("rescoped", own, |scene| {
        scene.world.grant(
            "one",
            json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": ["Gamma"]}}),
        );
        None
    });
    case("disconnected", own, |scene| {
        let tenant = |name| json!({"kind": "tenant", "name": name});
        scene.world.apply(&[tenant("Alpha"), tenant("Beta")]);
        None
    });
    case("overdue", own, |scene| {
        scene.world.wait(7 * 24 * 3600 + 1);
        None
    });
    case("lost", own, |scene| {
        scene.world.lose(scene.one);
        scene.world.wait(3601);
        None
    });
    case("cert-expired", own, |scene| {
        let peer = scene.world.peer(scene.one);
        let expires = scene.world.now;
        scene.world.wait(1);
        Some(Peer { expires, ..peer })
    });
    case("other-key", own, |scene| {
        Some(Peer { public_key: Digest::of("another key"), ..scene.world.peer(scene.one) })
    });
    case("old-key", own, |scene| {
        let old = scene.world.peer(scene.one);
        let token = scene.world.token(json!({"target": "one"})).expect("the token can be made");
        let machine = Machine { key: "new key", ..Machine::new("one") };
        assert_eq!(scene.world.use_token(token, "secret", &machine), Reply::Enrolled(scene.one));
        Some(old)
    });
    cases
}

#[test]
fn the_access_matrix_of_agents_is_as_reviewed() {
    let cases = cases();
    let head: String = cases.iter().map(|(name, ..)| format!("{name:<14}")).collect();
    let mut table = format!("{:<38}{}\n", "request", head.trim_end());
    for (row, (note, request)) in requests(cases[0].2).iter().enumerate() {
        let mut line = format!("{:<38}", format!("{} {note}", request.kind()));
        for (_, scene, assigned, peer) in &cases {
            let request = requests(*assigned).swap_remove(row).1;
            let answer = authorise::request(&scene.world.state, peer, &request, scene.world.now);
            let granted = answer.is_ok_and(|permit| takes(&permit, &request));
            write!(line, "{:<14}", if granted { "granted" } else { "-" }).expect("a text grows");
        }
        writeln!(table, "{}", line.trim_end()).expect("a text grows");
    }
    let what =
        "Every kind of request, by the assignment that it names and how its target stands. A dash is denied.";
    golden::check("access-of-agents", what, &table);
}

/// Whether a permit admits all of a request: that of reports says itself which.
fn takes(permit: &RequestPermit, request: &Request) -> bool {
    match (permit, request) {
        (RequestPermit::Report(permit), Request::Report(reports)) => {
            reports.iter().all(|report| permit.admits(report.assignment))
        }
        _ => true,
    }
}

#[test]
fn a_permit_names_what_it_is_for() {
    let Scene { world, one, own, .. } = scene();
    let peer = world.peer(one);
    for (_, request) in requests(own) {
        let Ok(permit) = authorise::request(&world.state, &peer, &request, world.now) else { continue };
        let named = match permit {
            RequestPermit::Report(reports) => {
                assert!(reports.admits(own.run) && !reports.admits(own.fetch), "of what was named");
                assert_eq!(reports.space(), world.space_id());
                reports.target()
            }
            RequestPermit::Assignments(session) | RequestPermit::Renew(session) => {
                assert!(!session.renews_only());
                assert_eq!(session.space(), world.space_id());
                session.target()
            }
            RequestPermit::Pull(pull) => {
                let Request::Pull(wanted) = &request else { panic!("a permit of another kind") };
                assert_eq!((pull.assignment(), pull.manifest()), (wanted.assignment, wanted.manifest));
                pull.target()
            }
            RequestPermit::Variables(variables) => {
                assert_eq!(variables.assignment(), own.run);
                variables.target()
            }
            RequestPermit::Output(output) => output.target(),
        };
        assert_eq!(named, one, "{}", request.kind());
    }
}
