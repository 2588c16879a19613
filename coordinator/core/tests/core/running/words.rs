//! What agents say is looked up at every use: so whoever is called something else, and whoever takes a word, has what rests
//! on the word looked at again (SEMANTICS 3, "While it runs").

use serde_json::{Value, json};
use windlass_coordinator_core::authorise::{self, Peer};
use windlass_coordinator_core::decide::{SpaceCommand, WorkReportKind};
use windlass_coordinator_core::model::DeploymentEnd;
use windlass_protocol::ids::{AssignmentId, DeploymentId, TargetId};
use windlass_protocol::message::{Advertised, Outcome, Request};

use crate::world::{Machine, World, ended, project, small};

fn alpha(slug: &str) -> Value {
    json!({"kind": "tenant", "name": "Alpha", "slug": slug, "tags": ["Ring/Canary"], "projects": {"Web": ["Staging"]}})
}

fn staging(slug: &str) -> Value {
    json!({"kind": "environment", "name": "Staging", "slug": slug})
}

fn ring(name: &str, slug: &str) -> Value {
    json!({"kind": "tag-set", "name": name, "slug": slug, "tags": [{"name": "Canary"}, {"name": "Stable"}]})
}

fn script(name: &str) -> Value {
    json!({"name": name, "roles": ["web"], "script": {"body": "true"}})
}

/// Alpha's deployment of two steps runs the first one on `one`, whose agent says this.
fn running(said: Advertised) -> (World, TargetId, DeploymentId, AssignmentId) {
    let mut world = small();
    let web = project("Web", json!([script("One"), script("Two")]));
    world.apply(&[staging("stag"), ring("Ring", "rr"), web, alpha("a-slug")]);
    let grant = json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}});
    let one = world.enrol("one", grant);
    world.advertise(one, said);
    world.release("Web", "1.0.0");
    let id = world.deploy(json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}}));
    let (_, assignment, _) = world.work(id)[0];
    world.report(one, assignment, WorkReportKind::Started);
    (world, one, id, assignment)
}

fn may_read(world: &World, peer: &Peer, assignment: AssignmentId) -> bool {
    authorise::request(&world.state, peer, &Request::Variables { assignment }, world.now).is_ok()
}

#[test]
fn whoever_loses_the_word_that_an_agent_said_has_what_runs_there_stopped() {
    let some = |text: &str| Some(vec![text.to_owned()]);
    let tenants = |text| Advertised { tenants: some(text), ..Advertised::default() };
    let environments = |text| Advertised { environments: some(text), ..Advertised::default() };
    let tags = |text| Advertised { tenant_tags: some(text), ..Advertised::default() };
    let named = |kind: &str, name: &str| json!({"kind": kind, "name": name, "slug": "other"});
    let cases = [
        (tenants("a-slug"), alpha("other"), true),
        (tenants("a-slug"), named("tenant", "A-SLUG"), true),
        (environments("stag"), staging("other"), true),
        (environments("stag"), named("environment", "STAG"), true),
        (tags("rr/Canary"), ring("Ring", "other"), true),
        (tags("rr/Canary"), ring("RR", "other"), true),
        // The word means the same still, or nothing rests on it.
        (tenants("Alpha"), alpha("other"), false),
        (tenants("a-slug"), named("tenant", "Delta"), false),
        (environments("Staging"), staging("other"), false),
        (tags("Ring/Canary"), ring("Ring", "other"), false),
        (Advertised::default(), alpha("other"), false),
    ];
    for (said, document, loses) in cases {
        let told = format!("{said:?} and then {document}");
        let (mut world, one, id, assignment) = running(said);
        assert!(may_read(&world, &world.peer(one), assignment), "{told}");
        world.apply(&[document]);
        assert_eq!(world.removed(id, one).is_some(), loses, "{told}");
        if !loses {
            world.report(one, assignment, ended(Outcome::Succeeded));
            world.succeed(id);
            continue;
        }
        let removed = world.removed(id, one).unwrap_or_default();
        assert!(removed.starts_with("the target "), "{told}: {removed}");
        assert!(!may_read(&world, &world.peer(one), assignment), "{told}");
        assert_eq!((world.work(id), world.end(id)), (vec![], Some(DeploymentEnd::Failed)), "{told}");
    }
}

#[test]
fn whatever_was_not_looked_at_again_is_asked_before_the_next_step_and_when_work_is_handed_out() {
    let said = Advertised { tenants: Some(vec!["a-slug".to_owned()]), ..Advertised::default() };
    let (mut base, one, id, assignment) = running(said);
    // The clone is not what its records make of it.
    (base.replays, base.goes_on) = (false, false);
    // An edit of which nothing says that something rests on it.
    let unqualify = |world: &mut World| {
        let space = world.space_id();
        let space = world.state.spaces.get_mut(&space).expect("it is the space");
        let mut tenant = space.tenants.named("Alpha").expect("it exists").clone();
        tenant.slug = "other".parse().expect("a slug");
        space.tenants.put(tenant);
    };
    let mut world = base.clone();
    unqualify(&mut world);
    world.report(one, assignment, ended(Outcome::Succeeded));
    assert!(world.removed(id, one).is_some(), "it gets no second step");
    assert_eq!(world.end(id), Some(DeploymentEnd::Failed));
    let mut world = base;
    unqualify(&mut world);
    let reasons = vec![(assignment, "the target does not belong to it any more".to_owned())];
    world.ask(SpaceCommand::GiveUpUndeliverable { target: one, reasons }).expect("giving up always works");
    assert!(world.removed(id, one).is_some(), "what cannot be handed out for that reason ends so");
    assert_eq!(world.end(id), Some(DeploymentEnd::Failed));
}

#[test]
fn a_deployment_goes_on_only_once_all_of_it_was_looked_at_again() {
    let mut world = small();
    world.replays = false;
    let web = project("Web", json!([script("One"), script("Two")]));
    world.apply(&[web]);
    let grant = json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}});
    for index in 0..70 {
        world.enrol(&format!("machine-{index}"), grant.clone());
    }
    world.release("Web", "1.0.0");
    let request = json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}});
    let id = world.deploy(request);
    world.goes_on = false;
    let disconnected = json!({"kind": "tenant", "name": "Alpha", "tags": ["Ring/Canary"], "projects": {}});
    let mut again = world.clone();
    world.apply(std::slice::from_ref(&disconnected));
    assert_eq!(world.space().unsettled.len(), 70, "left to a pass");
    world.work_off(id, &Outcome::Succeeded);
    assert_eq!((world.work(id), world.end(id)), (vec![], None), "nobody gets the second step");
    world.go_on();
    assert_eq!(world.end(id), Some(DeploymentEnd::Failed));
    // Connected again before it was looked at, nobody is taken out, and it goes on.
    let connected =
        json!({"kind": "tenant", "name": "Alpha", "tags": ["Ring/Canary"], "projects": {"Web": ["Staging"]}});
    again.apply(&[disconnected]);
    again.work_off(id, &Outcome::Succeeded);
    again.apply(&[connected]);
    again.go_on();
    assert_eq!(again.work(id).len(), 70, "the second step");
    again.succeed(id);
}

#[test]
fn another_machine_in_a_targets_place_gets_nothing_of_what_the_old_one_had_begun() {
    for (key, another) in [("a new machine", true), ("one", false)] {
        let mut world = small();
        world.package("app", "1.0.0");
        let files = json!({"name": "Files", "roles": ["web"], "package": {"id": "app"}});
        world.apply(&[project("Web", json!([files, script("After")]))]);
        let one = world.enrol("one", json!({"roles": ["web"], "environments": ["Staging"]}));
        world.release("Web", "1.0.0");
        let request = json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"]});
        let id = world.deploy(request.clone());
        for _ in ["Fetch", "Files"] {
            world.work_off(id, &Outcome::Succeeded);
        }
        let token = world.token(json!({"target": "one"})).expect("the target is there");
        world.use_token(token, "secret", &Machine { key, ..Machine::new("one") });
        if !another {
            world.succeed(id);
            continue;
        }
        assert_eq!(world.removed(id, one).as_deref(), Some("another machine was enrolled in its place"));
        assert_eq!((world.work(id), world.end(id)), (vec![], Some(DeploymentEnd::Failed)));
        let key = world.deployment(id).key();
        assert!(world.space().history.current(key).is_none(), "nothing is where it was to be");
        // The next one begins with fetching, there as everywhere.
        let next = world.deploy(request);
        world.succeed(next);
        assert_eq!(world.space().history.held_by(one).count(), 1);
    }
}
