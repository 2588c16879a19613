//! The story that the golden journal tells: everything happens once. What no decision makes is forged, for the journal
//! holds on to how each event is written and read.

use std::collections::BTreeMap;

use serde_json::json;
use windlass_api::plan::{StepRule, TargetRule, TenantRule};
use windlass_api::query::QueryText;
use windlass_api::requests::TokenRequest;
use windlass_coordinator_core::decide::{
    Command, Greeting, Refusals, Refused, Repeat, Repeated, SpaceCommand, TargetChange, WorkReportKind,
};
use windlass_coordinator_core::event::{Actor, DeploymentEvent, Request, StrangerReason, Stream};
use windlass_coordinator_core::model::{
    DeploymentEnd, EndReason, Failure, Removal, RunEnd, RunOutcome, Sealed, StoredValue, Unknown,
};
use windlass_coordinator_core::state::{Caps, WorkKind};
use windlass_protocol::Digest;
use windlass_protocol::ids::{DeploymentId, EnrolmentId, StepId, TargetId, TokenId, ValueId};
use windlass_protocol::message::{Advertised, EnrolRefusal, Generation, Outcome, Refusal};

use crate::world::{Machine, World, ended, project, small};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// A world in which everything has happened.
pub fn told() -> World {
    let mut world = small();
    world.actor = Actor::Token(World::administrator());
    define(&mut world);
    forget(&mut world);
    let enrolment = machines(&mut world);
    deploy(&mut world);
    end_in_every_way(&mut world);
    see(&mut world, enrolment);
    delete(&mut world);
    world
}

/// The next command may be repeated.
fn keyed(world: &mut World, key: &str) {
    let (token, digest) = (World::administrator(), Digest::of(key));
    world.request = Some(Request { token, key: key.to_owned(), digest });
}

fn define(world: &mut World) {
    keyed(world, "apply");
    world.apply(&[
        json!({"kind": "library-set", "name": "Shared", "templates": [{"name": "Region", "default": "eu"},
            {"name": "Pass", "control": "sensitive", "default": {"secret": "of everybody"}}],
            "variables": {"Zone": [{"value": "x", "environments": ["Testing"]}, {"value": {"secret": "of the space"}}]}}),
        json!({"kind": "lifecycle", "name": "Careful", "phases": [
            {"name": "First", "environments": ["Testing", "Staging"], "minimum": 1}, {"name": "Rest", "optional": true}]}),
        json!({"kind": "project", "name": "Shop", "tenancy": "tenanted-or-untenanted", "lifecycle": "Free",
            "library-sets": ["Shared"], "templates": [{"name": "Port"}, {"name": "Key", "control": "sensitive"}],
            "variables": {"Host": [{"value": "a"}, {"value": {"secret": "host"}, "environments": ["Staging"], "roles": ["web"],
                "steps": ["Check"], "tenants": {"tags": ["Ring/Canary"]}}]},
            "steps": [{"name": "Copy", "roles": ["web"], "package": {"id": "shop", "substitute": ["*.json"]}},
                {"name": "Check", "roles": ["web"], "script": {"body": "get_windlassvariable Key"}, "timeout-seconds": 60}]}),
        json!({"kind": "tenant", "name": "Alpha", "tags": ["Ring/Canary", "Tier/Gold"], "projects": {"Shop": ["Staging"]},
            "values": {"Shop": {"Key": {"secret": "of Alpha"}, "environments": {"Staging": {"Port": "80"}}}}}),
    ]);
    // A template that a tenant fills is retired where it is taken out.
    let mut web = project("Worn", json!([]));
    web["templates"] = json!([{"name": "Old"}]);
    world.apply(&[web, json!({"kind": "tenant", "name": "Gamma", "values": {"Worn": {"Old": "1"}}})]);
    world.apply(&[project("Worn", json!([]))]);
    // What changes of a thing is told alone.
    world.apply(&[
        json!({"kind": "environment", "name": "Staging", "description": "Before it counts", "order": 1}),
    ]);
    let token = (TokenId::from_bytes([5; 16]), Digest::of("pipeline"));
    let request = TokenRequest {
        name: "pipeline".to_owned(),
        role: "auditor".to_owned(),
        ttl_seconds: None,
        tenants: Some(QueryText { tenants: vec!["Alpha".to_owned()], ..QueryText::default() }),
    };
    keyed(world, "token");
    world.run(&Command::CreateToken { request, space: world.space_id(), token }).expect("it can be made");
    world.run(&Command::DeleteToken("pipeline".to_owned())).expect("it exists");
    keyed(world, "caps");
    world.ask(SpaceCommand::SetCaps(Caps { space: 200, tenant: 40 })).expect("they are right");
}

/// Enrolment tokens that nobody used.
fn forget(world: &mut World) {
    world.token(json!({"name": "never"})).expect("it can be made");
    world.wait(9 * DAY);
    world.ask(SpaceCommand::ForgetEnrolments).expect("it works");
    let token = world.token(json!({})).expect("it can be made");
    world.ask(SpaceCommand::DeleteEnrolment(token.to_string())).expect("it exists");
}

/// `one` and `two` serve Staging, ten others Testing. Answers the token that `one` came with, which is used up.
fn machines(world: &mut World) -> EnrolmentId {
    let grant = json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tags": ["Ring/Canary"]}, "participation": "both"});
    keyed(world, "enrolment");
    let token = world.token(json!({"grant": grant})).expect("it can be made");
    world.use_token(token, "secret", &Machine::new("one"));
    world.use_token(token, "secret", &Machine::new("late"));
    let two = world.enrol("two", grant);
    (0..10).for_each(|index| {
        world.enrol(&format!("machine-{index}"), json!({"roles": ["web"], "environments": ["Testing"]}));
    });
    let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
    let advertised = Advertised { roles: words(&["web", "root"]), ..Advertised::default() };
    world.greet(Greeting { advertised, ..world.greeting(two) }).expect("it is admitted");
    world.grant(
        "two",
        json!({"roles": ["web", "db"], "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}}),
    );
    world.change("two", TargetChange::Disable);
    world.change("two", TargetChange::Enable);
    world.change("two", TargetChange::Revoke);
    let again = world.token(json!({"target": "two"})).expect("it can be made");
    let machine = Machine { key: "another key", ..Machine::new("two") };
    world.use_token(again, "secret", &machine);
    let (peer, generation) = (world.peer(two), Generation { epoch: 1, sequence: 1000 });
    world.ask(SpaceCommand::RecordAhead { peer, generation }).expect("it is known");
    world.change("two", TargetChange::Confirm);
    world.wait(20 * DAY);
    let peer = world.peer(two);
    world.ask(SpaceCommand::Renew { peer, life_seconds: 30 * DAY }).expect("it is due");
    token
}

/// A deployment of Shop that succeeds, with all that agents read and tell of it, and a tenant that is left out.
fn deploy(world: &mut World) {
    world.package("shop", "1.0.0");
    keyed(world, "release");
    world.release("Shop", "1.0.0");
    world.apply(&[json!({"kind": "tenant", "name": "Gamma", "tags": ["Ring/Canary"]})]);
    keyed(world, "deploy");
    let request = json!({"project": "Shop", "version": "1.0.0", "environments": ["Staging"],
        "tenants": {"tags": ["Ring/Canary"]}, "exclude-targets": ["machine-0"]});
    let id = world.deploy(request);
    let one = world.target("one");
    world.presence(vec![one], vec![]);
    world.presence(vec![], vec![one]);
    world.serve_again(world.now.plus_seconds(HOUR));
    for (target, assignment, _) in world.work(id) {
        let (peer, manifest) = (world.peer(target), Digest::of("shop 1.0.0"));
        world.actor = Actor::Target(target);
        for command in [
            SpaceCommand::RecordPullBegun { peer, assignment, manifest, bytes: 900 },
            SpaceCommand::RecordPulled { peer, assignment, manifest, bytes: 900 },
        ] {
            world.ask(command).expect("it is its work");
        }
        world.report(target, assignment, WorkReportKind::Fetched { moved: 900, saved: 100 });
    }
    world.work_off(id, &Outcome::Succeeded);
    for (target, assignment, _) in world.work(id) {
        let (peer, names) = (world.peer(target), vec!["Key".to_owned()]);
        world.actor = Actor::Target(target);
        let digest = Digest::of("variables");
        world
            .ask(SpaceCommand::RecordVariablesRead { peer, assignment, names, digest })
            .expect("it is its work");
        world.report(target, assignment, WorkReportKind::Started);
        let key = world.space().tenants.named("Alpha").expect("it exists").key;
        let (value, ciphertext) = (ValueId::from_bytes([9; 16]), "c2VhbGVk".to_owned());
        let references = ["Host".to_owned()].into();
        let sealed = Sealed { key, value, ciphertext, digest: Digest::of("sealed"), references };
        let outputs = BTreeMap::from([
            ("Url".to_owned(), StoredValue::Plain("https://example.test".to_owned())),
            ("Token".to_owned(), StoredValue::Sealed(sealed)),
        ]);
        let end = WorkReportKind::Ended { outcome: Outcome::Succeeded, outputs, lines: 7 };
        world.report(target, assignment, end);
    }
    world.actor = Actor::Token(World::administrator());
    assert_eq!(world.end(id), Some(DeploymentEnd::Succeeded));
}

fn to_testing(world: &mut World) -> DeploymentId {
    world.deploy(json!({"project": "Web", "version": "1.0.0", "environments": ["Testing"]}))
}

fn forge(world: &mut World, event: DeploymentEvent) {
    world.forge(Stream::Space(world.space_id()), event).expect("it fits");
}

fn end_in_every_way(world: &mut World) {
    world.release("Web", "1.0.0");
    let deployment = to_testing(world);
    let work = world.work(deployment);
    let step = match work[0].2.kind {
        WorkKind::Run(step) => step,
        WorkKind::Fetch => panic!("Web has no package"),
    };
    let failures = [
        Failure::Said("exit code 3".to_owned()),
        Failure::Refused(Refusal::OutsideConfiguration),
        Failure::Offline,
        Failure::CertificateExpired,
        Failure::Expired,
        Failure::Undeliverable("`Name` has two values".to_owned()),
    ];
    let unknown = [
        Unknown::SupervisorGone,
        Unknown::StateLost,
        Unknown::Offline,
        Unknown::CertificateExpired,
        Unknown::NotTold,
    ];
    let others =
        [RunOutcome::Succeeded, RunOutcome::TimedOut, RunOutcome::Stopped, RunOutcome::UnknownForWhatever];
    let outcomes = failures.map(RunOutcome::Failed).into_iter().chain(others);
    for ((target, _, item), outcome) in work.iter().zip(outcomes) {
        let (node, work, target) = (item.node, item.kind, *target);
        let (end, outputs) = (RunEnd::of(outcome), BTreeMap::new());
        forge(world, DeploymentEvent::RunEnded { deployment, node, work, target, end, outputs });
    }
    world.ask(SpaceCommand::Cancel(deployment)).expect("it is not over");
    let deployment = to_testing(world);
    for ((target, _, item), why) in world.work(deployment).into_iter().zip(unknown) {
        let (node, work, outputs) = (item.node, item.kind, BTreeMap::new());
        let end = RunEnd::of(RunOutcome::Unknown(why));
        forge(world, DeploymentEvent::RunEnded { deployment, node, work, target, end, outputs });
    }
    world.ask(SpaceCommand::Cancel(deployment)).expect("it is not over");
    let deployment = to_testing(world);
    let removals = [
        Removal::NoPart,
        Removal::TargetDeleted,
        Removal::TenantDeleted,
        Removal::Disconnected,
        Removal::ReleaseDeleted,
        Removal::AnotherMachine,
        Removal::Step { step, rule: StepRule::StepTenant },
        Removal::Target { rule: TargetRule::Role },
    ];
    for ((target, _, _), why) in world.work(deployment).into_iter().zip(removals) {
        forge(world, DeploymentEvent::ScopeRemoved { deployment, target, why });
    }
    let target = world.target("machine-0");
    for (end, why) in reasons(step, target) {
        let deployment = to_testing(world);
        forge(world, DeploymentEvent::Ended { deployment, end, why });
    }
    world.ask(SpaceCommand::Cancel(deployment)).expect("it is not over");
    // What a change takes out is looked at again.
    let id = to_testing(world);
    world.change("machine-1", TargetChange::Delete);
    world.work_off(id, &Outcome::Failed { reason: "exit code 1".to_owned() });
    assert_eq!(world.end(id), Some(DeploymentEnd::Failed));
}

fn reasons(step: StepId, target: TargetId) -> [(DeploymentEnd, EndReason); 10] {
    let outcome = || RunOutcome::Failed(Failure::Said("no space".to_owned()));
    let removed = vec![(target, Removal::Target { rule: TargetRule::Disabled })];
    [
        (DeploymentEnd::Succeeded, EndReason::Done),
        (DeploymentEnd::NothingDone, EndReason::NothingToDo),
        (DeploymentEnd::Cancelled, EndReason::Cancelled),
        (DeploymentEnd::Cancelled, EndReason::TenantDisabled),
        (DeploymentEnd::Cancelled, EndReason::Gone),
        (
            DeploymentEnd::Cancelled,
            EndReason::Refused { rules: vec![TenantRule::Lifecycle, TenantRule::Tenancy] },
        ),
        (DeploymentEnd::Failed, EndReason::Unfit { problem: "step `Install`: two values".to_owned() }),
        (DeploymentEnd::Failed, EndReason::FetchFailed { target, outcome: outcome() }),
        (DeploymentEnd::Failed, EndReason::StepFailed { step, target, outcome: outcome() }),
        (DeploymentEnd::Failed, EndReason::NoTargetLeft { step, removed, more: 3 }),
    ]
}

/// What changes nothing.
fn see(world: &mut World, enrolment: EnrolmentId) {
    let text = |text: &str| text.to_owned();
    let deployment = to_testing(world);
    let (target, assignment, _) = world.work(deployment)[0];
    let (older, newer) = (text("192.0.2.1:1"), text("192.0.2.2:1"));
    let digest = Digest::of("variables");
    let repeated = [
        Repeated::Read { target, assignment, digest },
        Repeated::PullBroken { target, assignment, manifest: Digest::of("shop 1.0.0") },
        Repeated::Clone { target, older: older.clone(), newer: newer.clone() },
        Repeated::EnrolmentRefused { enrolment, rule: EnrolRefusal::Used, origin: text("192.0.2.3:1") },
    ];
    let (first, last) = (world.now, world.now.plus_seconds(9));
    let repeats = repeated.map(|what| Repeat { what, count: 3, bytes: 30, first, last }).into();
    let mut printed =
        world.printed(json!({"project": "Web", "version": "1.0.0", "environments": ["Testing"]}));
    printed.tenants.tenants.extend(world.space().tenants.iter().map(|tenant| tenant.id).next());
    for command in [
        SpaceCommand::RecordRepeats(repeats),
        SpaceCommand::RecordClone { target, older, newer },
        SpaceCommand::RecordDenials { target, counts: BTreeMap::from([(text("pull"), 2)]) },
        SpaceCommand::RecordPlan(printed),
    ] {
        world.ask(command).expect("it is recorded");
    }
    let strangers =
        [StrangerReason::UnknownToken, StrangerReason::UnknownEnrolment, StrangerReason::MalformedEnrolment];
    let token = TokenId::from_bytes([7; 16]);
    let refused = strangers.map(Refused::Stranger).into_iter().chain([Refused::Token(token)]);
    let refusals =
        refused.map(|refused| Refusals { refused, origin: text("192.0.2.4"), count: 2, first, last });
    world.run(&Command::RecordRefusals(refusals.collect())).expect("it is recorded");
    let (record, digest) = (world.state.number, Digest::of("snapshot"));
    world.run(&Command::RecordSnapshot { record, digest }).expect("it is recorded");
    world.report(target, assignment, ended(Outcome::Stopped));
}

fn delete(world: &mut World) {
    let names = ["environment", "library-set", "tenant"];
    let mut documents = names.map(|kind| json!({"kind": kind, "name": "Extra"})).to_vec();
    documents
        .push(json!({"kind": "tag-set", "name": "Extra", "tags": [{"name": "Some", "colour": "#2f6fed"}]}));
    documents.push(json!({"kind": "lifecycle", "name": "Extra", "phases": [{"name": "Any"}]}));
    documents.push(project("Extra", json!([])));
    world.apply(&documents);
    for kind in names.into_iter().chain(["tag-set", "lifecycle", "project"]) {
        world.delete(kind, "Extra").expect("nothing refers to it");
    }
}
