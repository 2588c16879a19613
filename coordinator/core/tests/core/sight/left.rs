//! What is left of a thing of which a part is seen: nothing in it tells of the other parts (SEMANTICS 10).

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use windlass_api::plan::TargetRule;
use windlass_coordinator_core::authorise::{self, Action};
use windlass_coordinator_core::decide::{PackageNames, SpaceCommand};
use windlass_coordinator_core::event::{InstallationEvent, Stream, TokenCreated};
use windlass_coordinator_core::matching::Question;
use windlass_coordinator_core::model::{ApiToken, Tenant};
use windlass_coordinator_core::sight::Sight;
use windlass_coordinator_core::state::{REMEMBERED_OF_FLOW, Space};
use windlass_protocol::Digest;
use windlass_protocol::ids::{SpaceId, TokenId};
use windlass_protocol::message::Generation;

use super::{TOKEN, limited, of_limited, records, shared, text};
use crate::world::{World, project, small};

/// Makes a world one of two that differ in one thing.
type Change<'a> = &'a dyn Fn(&mut World, bool);

/// Of two worlds that differ, what is seen is the same, and the record of it: told as text.
fn looks_alike(base: &World, what: &str, change: Change<'_>) -> String {
    let changed = [false, true].map(|more| {
        let mut world = base.clone();
        change(&mut world, more);
        world
    });
    let [one, other] = changed.each_ref();
    assert_ne!(text(one.space()), text(other.space()), "{what}: they differ in truth");
    let seen = |world| (of_limited(world), records(world, &of_limited(world)));
    let ((one, of_one), (other, of_other)) = (seen(one), seen(other));
    assert_eq!(text(one.space()), text(other.space()), "{what}");
    assert_eq!(of_one, of_other, "{what}: the record of it");
    let alpha = one.space().tenants.named("Alpha");
    for (target, environment) in one
        .space()
        .targets
        .iter()
        .flat_map(|target| one.space().environments.iter().map(move |at| (target.id, at.id)))
    {
        let (roles, excluded) = (&BTreeSet::from(["web".to_owned()]), &BTreeSet::new());
        let question =
            Question { environment, tenant: alpha, roles, only: None, excluded, now: changed[0].now };
        let rules = [&one, &other].map(|sight| sight.target_rules(target, &question));
        assert_eq!(rules[0], rules[1], "{what}: why a machine gets nothing");
    }
    text(one.space())
}

/// Two installations that differ in one such part alone look alike.
#[test]
fn what_is_seen_of_a_thing_does_not_depend_on_the_rest_of_it() {
    let mut base = shared();
    let free = |environments: &[&str], minimum: u64| {
        let environments: Vec<_> =
            ["Testing", "Staging", "Production"].iter().chain(environments).copied().collect();
        json!({"kind": "lifecycle", "name": "Free",
            "phases": [{"name": "Anywhere", "environments": environments, "minimum": minimum}]})
    };
    let elsewhere = ["Elsewhere", "Beyond"];
    base.apply(&elsewhere.map(|name| json!({"kind": "environment", "name": name})));
    base.package("theirs", "1.0.0");
    base.package("theirs", "2.0.0");
    let ours = json!({"name": "Ours", "roles": ["web"], "script": {"body": "true"}});
    let theirs = json!({"name": "Theirs", "roles": ["web"], "tenants": {"tenants": ["Beta"]},
        "package": {"id": "theirs"}});
    base.apply(&[project("Shop", json!([ours, theirs])), free(&elsewhere, 1)]);
    let connected = |name: &str| json!({"kind": "tenant", "name": name, "projects": {"Web": ["Testing"], "Shop": ["Testing"]}});
    base.apply(&[connected("Alpha"), connected("Beta")]);
    let grant = |roles: &[&str], participation: &str| {
        json!({"roles": roles, "environments": ["Testing", "Staging"],
            "tenants": {"tenants": ["Alpha", "Beta"]}, "participation": participation})
    };
    let rows: [(&str, Change<'_>); 8] = [
        ("how environments are numbered", &|world, more| {
            world.apply(&[
                json!({"kind": "environment", "name": "Testing", "order": if more { 80 } else { 70 }}),
            ]);
        }),
        ("roles of a machine that no step of theirs asks for", &|world, more| {
            let roles: &[&str] = if more { &["web", "database"] } else { &["web"] };
            world.grant("shared", grant(roles, "both"));
        }),
        ("that a machine takes part in untenanted work", &|world, more| {
            world.grant("shared", grant(&["web"], if more { "both" } else { "tenanted" }));
        }),
        ("where and for whom else a step runs and a value counts", &|world, more| {
            let names = |named: [&'static str; 2]| if more { named.to_vec() } else { vec![named[0]] };
            let (environments, roles) = (names(["Testing", "Beyond"]), names(["web", "database"]));
            let (targets, tenants) =
                (names(["ours", "theirs"]), json!({"tenants": names(["Alpha", "Beta"])}));
            let step = json!({"name": "Ours", "roles": ["web"], "environments": environments,
                "tenants": tenants, "script": {"body": "true"}});
            let mut shop = project("Shop", json!([step]));
            shop["variables"] = json!({"Level": [{"value": "ours", "environments": environments, "roles": roles,
                "targets": targets, "tenants": tenants}]});
            world.apply(&[shop]);
        }),
        ("how far ahead an agent is", &|world, more| {
            let sequence = if more { 5000 } else { 4000 };
            let (peer, epoch) = (world.peer(world.target("shared")), world.state.epoch);
            let generation = Generation { epoch, sequence };
            world.ask(SpaceCommand::RecordAhead { peer, generation }).expect("it can be recorded");
        }),
        ("machines of others that a request leaves out", &|world, more| {
            let excluded: &[&str] = if more { &["theirs"] } else { &[] };
            world.deploy(json!({"project": "Web", "version": "1.0.0", "environments": ["Testing"],
                "tenants": {"tenants": ["Alpha"]}, "exclude-targets": excluded}));
        }),
        ("packages of steps that do not run for them", &|world, more| {
            let version = if more { "2.0.0" } else { "1.0.0" };
            let request = serde_json::from_value(json!({"project": "Shop", "version": "1.0.0",
                "packages": {"Theirs": version}}));
            let (request, package_names) = (request.expect("it is right"), package_names(world));
            world.ask(SpaceCommand::CreateRelease { request, package_names }).expect("it can be made");
        }),
        ("how many environments a phase needs of those that are not seen", &|world, more| {
            world.apply(&[free(&elsewhere, if more { 5 } else { 4 })]);
        }),
    ];
    for (what, change) in rows {
        looks_alike(&base, what, change);
    }
}

/// A space in which Alpha was deployed to in Staging, where it is no more, by a step that is for everybody then.
fn with_a_past() -> World {
    let mut base = shared();
    base.package("theirs", "1.0.0");
    base.package("theirs", "2.0.0");
    let install = json!({"name": "Install", "roles": ["web"], "script": {"body": "what it was"}});
    let migrate = json!({"name": "Migrate", "roles": ["database"], "script": {"body": "true"}});
    let golden = json!({"name": "Golden", "roles": ["web"], "tenants": {"tags": ["Tier/Iron"]},
        "script": {"body": "of another tier"}});
    let mut shop = project("Shop", json!([install, migrate, golden]));
    shop["variables"] = json!({"Host": [{"value": "the host that was", "steps": ["Install"]}], "Tier": [{"value": "its host", "tenants": {"tags": ["Tier/Iron"]}}]});
    let connected = |environments: &[&str]| {
        ["Alpha", "Beta"]
            .map(|name| json!({"kind": "tenant", "name": name, "projects": {"Shop": environments}}))
    };
    base.apply(&[shop]);
    base.apply(&connected(&["Testing", "Staging"]));
    let grant = |tenants: &[&str]| json!({"roles": ["database"], "environments": ["Staging"], "tenants": {"tenants": tenants}});
    base.enrol("old", grant(&["Alpha", "Beta"]));
    base.release("Shop", "1.0.0");
    let staging = json!({"project": "Shop", "version": "1.0.0", "environments": ["Staging"],
        "tenants": {"tenants": ["Alpha"]}});
    let id = base.deploy(staging);
    base.succeed(id);
    base.apply(&connected(&["Testing"]));
    base.grant("old", grant(&["Beta"]));
    base
}

/// Nobody knows any more which tags they carried then: one that they got since opens nothing.
#[test]
fn a_tag_that_came_later_opens_nothing_of_then() {
    let mut world = with_a_past();
    let alpha = |projects: Value| json!({"kind": "tenant", "name": "Alpha", "tags": ["Tier/Iron"], "projects": projects});
    world.apply(&[alpha(json!({}))]);
    let seen = text(of_limited(&world).space());
    assert!(seen.contains("what it was") && !seen.contains("of another tier"), "{seen}");
    assert!(!seen.contains("its host"), "{seen}");
    world.apply(&[alpha(json!({"Shop": ["Testing"]}))]);
    assert!(text(of_limited(&world).space()).contains("of another tier"), "it may run for them now");
}

/// A value for a role that only a machine has, and no step asks for, counts there, and is seen.
#[test]
fn who_is_seen_has_the_values_that_their_machines_choose() {
    let mut world = shared();
    let mut web = project(
        "Web",
        json!([{"name": "Install", "roles": ["web"], "script": {"body": "true"}, "needs": ["Disk"]}]),
    );
    web["variables"] = json!({"Disk": [{"value": "plain"}, {"value": "fast", "roles": ["ssd"]},
        {"value": "of others", "roles": ["tape"]}]});
    world.apply(&[web]);
    let grant = |roles: &[&str], tenant: &str| json!({"roles": roles, "environments": ["Testing", "Staging"], "tenants": {"tenants": [tenant]}});
    world.grant("ours", grant(&["web", "ssd", "spare"], "Alpha"));
    world.grant("theirs", grant(&["web", "tape"], "Beta"));
    let sight = of_limited(&world);
    let seen = text(sight.space());
    assert!(seen.contains("fast") && !seen.contains("of others"), "{seen}");
    let roles = &sight.space().targets.named("ours").expect("it is seen").granted.roles;
    assert_eq!(roles.iter().map(String::as_str).collect::<Vec<_>>(), ["ssd", "web"]);
}

/// A thing counts for somebody in a place on a machine: not for one of them here and another there.
#[test]
fn what_counts_for_nobody_who_is_seen_is_not_seen() {
    let mut world = small();
    let front = json!({"name": "Front", "roles": ["web"], "script": {"body": "true"}});
    let migrate =
        json!({"name": "Migrate", "roles": ["db"], "environments": ["Testing"], "script": {"body": "true"}});
    let gold = json!({"name": "Gold", "roles": ["web"], "environments": ["Staging"],
        "tenants": {"tags": ["Tier/Gold"]}, "script": {"body": "of others 1"}});
    let excluded = json!({"name": "There", "roles": ["web"], "environments": ["Testing", "Production"],
        "exclude-environments": ["Testing"], "script": {"body": "of others 2"}});
    let mut shop = project("Shop", json!([front, migrate, gold, excluded]));
    shop["variables"] = json!({"Host": [
        {"value": "theirs 1", "roles": ["ssd"], "environments": ["Testing"]},
        {"value": "theirs 2", "targets": ["alphas"]},
        {"value": "theirs 3", "roles": ["db"]},
        {"value": "of others 3", "roles": ["ssd"], "environments": ["Staging"]},
        {"value": "of others 4", "roles": ["db"], "environments": ["Staging"]},
        {"value": "of others 5", "targets": ["alphas"], "environments": ["Staging"]},
        {"value": "of others 6", "tenants": {"tags": ["Tier/Gold"]}, "environments": ["Staging"]}]});
    let tenant = |name: &str, tags: &[&str], environments: &[&str]| json!({"kind": "tenant", "name": name, "tags": tags, "projects": {"Shop": environments}});
    let grant = |roles: &[&str], environments: &[&str], tenant: &str| json!({"roles": roles, "environments": environments, "tenants": {"tenants": [tenant]}});
    world.enrol("alphas", grant(&["web", "ssd"], &["Testing"], "Alpha"));
    world.enrol("gammas", grant(&["web"], &["Staging"], "Gamma"));
    world.enrol("betas", grant(&["web", "ssd", "db"], &["Staging", "Production"], "Beta"));
    world.apply(&[
        shop,
        tenant("Alpha", &["Ring/Canary", "Tier/Gold"], &["Testing"]),
        tenant("Gamma", &["Ring/Canary"], &["Staging"]),
        tenant("Beta", &["Ring/Stable", "Tier/Gold"], &["Staging", "Production"]),
    ]);
    world.release("Shop", "1.0.0");
    limited(&mut world, "canaries", json!({"tags": ["Ring/Canary"]})).expect("it can be made");
    let seen = text(of_limited(&world).space());
    assert!((1..=3).all(|of| seen.contains(&format!("theirs {of}"))), "{seen}");
    assert!(!seen.contains("of others"), "{seen}");
}

/// What a machine holds for somebody stays listed, however much else was deployed since then.
#[test]
fn what_is_held_is_seen_whatever_came_after_it() {
    let mut world = shared();
    world.package("pack", "1.0.0");
    let copy = json!({"name": "Copy", "roles": ["web"], "package": {"id": "pack"}});
    world.apply(&[
        project("Shop", json!([copy])),
        json!({"kind": "tenant", "name": "Alpha", "projects": {"Shop": ["Testing"], "Web": ["Testing"]}}),
    ]);
    world.release("Shop", "1.0.0");
    let to = |project: &str| json!({"project": project, "version": "1.0.0", "environments": ["Testing"], "tenants": {"tenants": ["Alpha"]}});
    let id = world.deploy(to("Shop"));
    for (target, assignment, _) in world.work(id) {
        let (peer, manifest) = (world.peer(target), Digest::of("pack 1.0.0"));
        let pulled = SpaceCommand::RecordPulled { peer, assignment, manifest, bytes: 10 };
        world.ask(pulled).expect("it can be recorded");
    }
    world.succeed(id);
    world.apply(&[json!({"kind": "tenant", "name": "Alpha", "projects": {"Web": ["Testing"]}})]);
    for round in 0..=REMEMBERED_OF_FLOW {
        let sight = of_limited(&world);
        assert_eq!(sight.space().pulled.len(), 2, "{round}");
        assert!(text(sight.space()).contains("\"Copy\""), "{round}");
        let id = world.deploy(to("Web"));
        world.succeed(id);
    }
}

/// What was theirs once stays theirs, as it was. Neither a step's id nor a place opens what came after it.
#[test]
fn what_was_theirs_opens_nothing_of_what_came_later() {
    let base = with_a_past();
    let ours = json!({"name": "Ours", "roles": ["web"], "script": {"body": "true"}});
    // In the project as it stands, and in a release of that.
    let shop = |world: &mut World, step: Value, values: Value| {
        let mut shop = project("Shop", json!([step, ours]));
        shop["variables"] = json!({"Host": values, "Level": [{"value": "for all"}]});
        world.apply(&[shop]);
        world.release("Shop", "2.0.0");
    };
    let betas = |body: &str| json!({"name": "Install", "roles": ["web"], "tenants": {"tenants": ["Beta"]}, "script": {"body": body}});
    let there = |body: &str| json!({"name": "News", "roles": ["web"], "environments": ["Staging"], "script": {"body": body}});
    let word = |more| if more { "one" } else { "another" };
    let of_all = || json!({"name": "Install", "roles": ["web"], "script": {"body": "true"}});
    let rows: [(&str, Change<'_>); 13] = [
        ("a step that is another's now", &|world, more| shop(world, betas(word(more)), json!([]))),
        ("a value for such a step", &|world, more| {
            shop(world, betas("x"), json!([{"value": word(more), "steps": ["Install"]}]));
        }),
        ("a package of such a step", &|world, more| {
            let mut step = betas("x");
            step.as_object_mut().expect("it is one").remove("script");
            step["package"] = json!({"id": "theirs"});
            let mut shop = project("Shop", json!([step, ours]));
            shop["variables"] = json!({});
            world.apply(&[shop]);
            let version = if more { "2.0.0" } else { "1.0.0" };
            let request = json!({"project": "Shop", "version": "2.0.0", "packages": {"Install": version}});
            let request = serde_json::from_value(request).expect("it is right");
            let package_names = package_names(world);
            world.ask(SpaceCommand::CreateRelease { request, package_names }).expect("it can be made");
        }),
        ("a step of a place where they are no more", &|world, more| {
            shop(world, there(word(more)), json!([]));
        }),
        ("a value for such a place", &|world, more| {
            shop(world, there("x"), json!([{"value": word(more), "environments": ["Staging"]}]));
        }),
        ("a library set's value for such a place", &|world, more| {
            let value = json!([{"value": word(more), "environments": ["Staging"]}]);
            let set = json!({"kind": "library-set", "name": "Common", "variables": {"Level": value}});
            let mut shop = project("Shop", json!([ours]));
            shop["library-sets"] = json!(["Common"]);
            world.apply(&[set, shop]);
            world.release("Shop", "2.0.0");
        }),
        ("a value for a role of then", &|world, more| {
            shop(world, of_all(), json!([{"value": word(more), "roles": ["database"]}]));
        }),
        ("a library set's value for a role of then", &|world, more| {
            let value = json!([{"value": word(more), "roles": ["database"]}]);
            let set = json!({"kind": "library-set", "name": "Common", "variables": {"Level": value}});
            let mut shop = project("Shop", json!([ours]));
            shop["library-sets"] = json!(["Common"]);
            world.apply(&[set, shop]);
            world.release("Shop", "2.0.0");
        }),
        ("a value for a role of another project's", &|world, more| {
            let step = json!({"name": "Elsewhere", "roles": ["database"], "script": {"body": "true"}});
            world.apply(&[project("Other", json!([step])),
                json!({"kind": "tenant", "name": "Alpha", "projects": {"Shop": ["Testing"], "Other": ["Testing"]}})]);
            shop(world, of_all(), json!([{"value": word(more), "roles": ["database"]}]));
        }),
        ("a value for a machine of then", &|world, more| {
            shop(world, of_all(), json!([{"value": word(more), "targets": ["old"]}]));
        }),
        ("what a machine of then is", &|world, more| {
            let roles: &[&str] = if more { &["database", "web"] } else { &["database"] };
            world.grant(
                "old",
                json!({"roles": roles, "environments": ["Staging"], "tenants": {"tenants": ["Beta"]}}),
            );
            if more {
                world.change("old", windlass_coordinator_core::decide::TargetChange::Disable);
            }
        }),
        ("how a project goes on that they have left", &|world, more| {
            world.apply(&[json!({"kind": "tenant", "name": "Alpha", "projects": {}}),
                json!({"kind": "lifecycle", "name": "Secret", "phases": [{"name": "Takeover", "environments": ["Staging"]}]})]);
            let mut shop = project("Shop", json!([ours]));
            shop["lifecycle"] = json!(if more { "Secret" } else { "Free" });
            shop["tenancy"] = json!(if more { "tenanted" } else { "tenanted-or-untenanted" });
            world.apply(&[shop]);
        }),
        ("a machine that came to such a place", &|world, more| {
            let tenants: &[&str] = if more { &["Alpha", "Beta"] } else { &["Beta"] };
            world.enrol(
                "later",
                json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": tenants}}),
            );
        }),
    ];
    for (what, change) in rows {
        let was = looks_alike(&base, what, change);
        assert!(was.contains("what it was") && was.contains("the host that was"), "{what}: what was theirs");
    }
}

/// That every package reads no variable, for every step.
fn package_names(world: &World) -> PackageNames {
    let space = world.space();
    let steps = space.projects.iter().flat_map(|project| &project.steps);
    let manifests = || space.packages.values().map(|package| package.manifest);
    steps
        .flat_map(|step| manifests().map(move |manifest| ((step.id, manifest), Default::default())))
        .collect()
}

/// A limit is to one space: the others do not exist, neither by name nor as the first one. Whatever a limited token made
/// would have its limit, though today none can make any. And that a machine serves who is no tenant is not seen.
#[test]
fn a_limit_holds_for_its_space_for_what_the_token_made_and_for_what_is_nobodys() {
    let mut world = shared();
    let made = world.state.tokens[&TOKEN].clone();
    let ApiToken { name, role, expires, .. } = made;
    let (id, secret) = (TokenId::from_bytes([7; 16]), Digest::of("made"));
    let token = TokenCreated { id, name, secret, role, expires, limit: None, made_by: Some(TOKEN) };
    world.forge(Stream::Installation, InstallationEvent::TokenCreated { token }).expect("it fits");
    let own = text(of_limited(&world).space());
    let shared = world.target("shared");
    let mut head = world.space().head.clone();
    let first = head.name.to_string();
    (head.id, head.name) = (SpaceId::from_bytes([0; 16]), "Before it".parse().expect("a name"));
    world.state.spaces.insert(head.id, Space::new(head));
    for (id, secret) in [(TOKEN, "secret"), (id, "made")] {
        let permit = authorise::person(&world.state, id, Digest::of(secret), Action::Read, world.now);
        let permit = permit.expect("it may read");
        let open = |name| Sight::open(Arc::new(world.state.clone()), &permit, name);
        assert_eq!(open(Some("Before it")).err(), Some(vec![first.clone()]));
        let sight = open(None).expect("its own space is there");
        assert_eq!(text(sight.space()), own);
        let roles = BTreeSet::from(["web".to_owned()]);
        let rules = |tenant: Option<&Tenant>| {
            let environment = sight.space().environments.named("Testing").expect("it is seen").id;
            let (only, excluded) = (None, &BTreeSet::new());
            let question = Question { environment, tenant, roles: &roles, only, excluded, now: world.now };
            sight.target_rules(shared, &question)
        };
        assert_eq!(rules(sight.space().tenants.named("Alpha")), []);
        assert_eq!(rules(None), [TargetRule::Participation], "that it takes part in untenanted work");
    }
}
