//! What somebody who is limited to tenants sees: everything else does not exist (SEMANTICS 10), and what is decided is
//! what is decided for everybody.

mod left;
mod machines;
mod shown;

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::collection::vec;
use serde_json::{Value, json};
use windlass_api::error::ProblemKind;
use windlass_api::requests::{DeployRequest, TokenRequest};
use windlass_coordinator_core::authorise::{self, Action};
use windlass_coordinator_core::decide::Command;
use windlass_coordinator_core::freeze::freeze;
use windlass_coordinator_core::model::Deployment;
use windlass_coordinator_core::plan;
use windlass_coordinator_core::query::TenantTags;
use windlass_coordinator_core::scope;
use windlass_coordinator_core::sight::Sight;
use windlass_coordinator_core::state::Space;
use windlass_coordinator_core::variables::{Context, Resolution, resolve};
use windlass_protocol::Digest;
use windlass_protocol::ids::TokenId;
use windlass_protocol::message::{Advertised, Outcome};

use crate::chance;
use crate::world::{Happening, World, happening, lively, small};

const TOKEN: TokenId = TokenId::from_bytes([9; 16]);

pub fn limited(world: &mut World, name: &str, tenants: Value) -> Result<(), windlass_api::error::Problem> {
    let tenants = Some(serde_json::from_value(tenants).expect("a query"));
    let request =
        TokenRequest { name: name.to_owned(), role: "auditor".to_owned(), ttl_seconds: None, tenants };
    let command =
        Command::CreateToken { request, space: world.space_id(), token: (TOKEN, Digest::of("secret")) };
    world.run(&command).map(drop)
}

fn sight(world: &World, token: TokenId, secret: &str) -> Sight {
    let permit = authorise::person(&world.state, token, Digest::of(secret), Action::Read, world.now);
    Sight::open(Arc::new(world.state.clone()), &permit.expect("it may read"), None).expect("there is a space")
}

pub fn of_limited(world: &World) -> Sight {
    sight(world, TOKEN, "secret")
}

/// The ids of things of a space, and of the tags in it.
fn ids(space: &Space) -> BTreeSet<String> {
    let tags = space.tag_sets.iter().flat_map(|set| &set.tags).map(|tag| tag.id.to_string());
    let tenants = space.tenants.iter().map(|found| found.id.to_string());
    let environments = space.environments.iter().map(|found| found.id.to_string());
    let projects = space.projects.iter().map(|found| found.id.to_string());
    let sets = space.library_sets.iter().map(|found| found.id.to_string());
    let lifecycles = space.lifecycles.iter().map(|found| found.id.to_string());
    let targets = space.targets.iter().map(|found| found.id.to_string());
    let releases = space.releases.keys().map(ToString::to_string);
    let deployments = space.deployments.keys().map(ToString::to_string);
    let enrolments = space.enrolments.keys().map(ToString::to_string);
    tags.chain(tenants)
        .chain(environments)
        .chain(projects)
        .chain(sets)
        .chain(lifecycles)
        .chain(targets)
        .chain(releases)
        .chain(deployments)
        .chain(enrolments)
        .collect()
}

/// What is seen of the record, as it would be in the journal.
fn records(world: &World, sight: &Sight) -> Vec<String> {
    let mut seen = sight.records();
    let left = world.records.iter().filter_map(|record| seen.see(record.clone()));
    left.map(|record| serde_json::to_string(&record).expect("a record is JSON")).collect()
}

fn text(space: &Space) -> String {
    serde_json::to_string(space).expect("a space has nothing that JSON cannot hold")
}

#[test]
fn nothing_that_is_seen_names_what_is_not_and_who_belongs_where_is_what_it_is_in_truth() {
    let base = lively();
    let (mut seen_deployments, mut seen_records) = (0, 0);
    chance::cases(40, &(vec(happening(), 20..60), 0..3_usize), |(history, who): (Vec<Happening>, usize)| {
        let mut world = base.clone();
        history.into_iter().for_each(|happening| world.happen(happening));
        let queries = [
            json!({"tenants": ["Alpha"]}),
            json!({"tags": ["Ring/Canary"]}),
            json!({"tenants": ["Beta"], "tags": ["Ring/Canary"], "exclude": {"tags": ["Ring/Stable"]}}),
        ];
        if limited(&mut world, "Limited", queries[who].clone()).is_err() {
            return; // whom it names is deleted
        }
        let (sight, whole) = (of_limited(&world), world.space());
        let seen = sight.space();
        let (known, text) = (ids(seen), text(seen));
        // A machine that served one of them in a deployment stands in that, whatever became of it.
        let served: BTreeSet<_> =
            seen.deployments.values().flat_map(|found| found.parts.keys()).map(ToString::to_string).collect();
        for hidden in ids(whole).difference(&known).filter(|hidden| !served.contains(*hidden)) {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
        for tenant in seen.tenants.iter() {
            for target in whole.targets.iter() {
                let in_truth = scope::takes_part(target, true) && scope::has_tenant(whole, target, tenant);
                let environments = tenant.projects.values().flatten();
                let anywhere = environments.into_iter().any(|id| target.granted.environments.contains(id));
                let as_seen = seen.targets.get(target.id);
                assert_eq!(
                    as_seen.is_some_and(|target| scope::has_tenant(seen, target, tenant)),
                    in_truth && as_seen.is_some(),
                    "{tenant:?} {target:?}"
                );
                assert!(as_seen.is_some() || !(in_truth && anywhere), "{tenant:?} {target:?}");
            }
        }
        for record in records(&world, &sight) {
            for hidden in ids(whole).difference(&known).filter(|hidden| !served.contains(*hidden)) {
                // A machine acts as itself in what it did for them.
                assert!(!record.contains(hidden), "{hidden} in {record}");
            }
            seen_records += 1;
        }
        let theirs = whole
            .deployments
            .iter()
            .filter(|(_, found)| found.tenant.is_some_and(|tenant| seen.tenants.get(tenant).is_some()));
        let over = |found: &&Arc<Deployment>| found.is_over();
        let (over, open): (Vec<_>, Vec<_>) = theirs.map(|(_, found)| found).partition(over);
        assert_eq!(open.len(), seen.deployments.values().filter(|found| !found.is_over()).count());
        assert!(over.len() >= seen.finished.len());
        seen_deployments += seen.deployments.len();
        let all = sight_of_all(&world);
        assert!(
            all.is_whole()
                && std::ptr::eq(all.space(), all.expect_whole().unwrap().space_named(None).unwrap())
        );
    });
    assert!(seen_deployments > 10 && seen_records > 100, "{seen_deployments}, {seen_records}");
}

fn sight_of_all(world: &World) -> Sight {
    sight(world, World::administrator(), "administrator")
}

/// Alpha with a machine of its own, one that it shares, and one that is not its.
fn shared() -> World {
    let mut world = small();
    let steps = json!([
        {"name": "Install", "roles": ["web"], "script": {"body": "true"}},
        {"name": "Ours", "roles": ["web"], "tenants": {"tags": ["Tier/Gold"]}, "script": {"body": "true"}},
        {"name": "Theirs", "roles": ["web"], "tenants": {"tenants": ["Beta"]}, "script": {"body": "true"}}]);
    let mut shop = crate::world::project("Web", steps);
    shop["variables"] = json!({"Level": [
        {"value": "all"}, {"value": "ours", "tenants": {"tags": ["Ring/Canary"]}},
        {"value": "theirs", "tenants": {"tenants": ["Beta"]}, "targets": []}],
        "Secret of Beta": [{"value": "b", "tenants": {"tags": ["Ring/Stable"]}}]});
    world.apply(&[shop]);
    world.release("Web", "1.0.0");
    let grant = |tenants: &[&str]| {
        json!({"roles": ["web"], "environments": ["Testing", "Staging"],
        "tenants": {"tenants": tenants}, "participation": "both"})
    };
    world.enrol("ours", grant(&["Alpha"]));
    let shared = world.enrol("shared", grant(&["Alpha", "Beta"]));
    world.enrol("theirs", grant(&["Beta"]));
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    let (tenants, tenant_tags) = (names(&["Alpha", "Beta", "Somebody"]), names(&["Ring/Stable"]));
    world.advertise(shared, Advertised { tenants, tenant_tags, ..Advertised::default() });
    let made = world.try_deploy(json!({"project": "Web", "version": "1.0.0", "environments": ["Testing"],
        "tenants": {"tenants": ["Alpha", "Beta"]}}));
    for deployment in made.expect("they can be made") {
        world.work_off(deployment, &Outcome::Succeeded);
    }
    limited(&mut world, "Alpha's", json!({"tenants": ["Alpha"]})).expect("it can be made");
    world
}

#[test]
fn installations_that_differ_in_what_is_not_seen_look_alike() {
    let world = shared();
    let before = text(of_limited(&world).space());
    let told = records(&world, &of_limited(&world));
    assert!(told.len() > 5, "{told:?}");
    for word in ["Beta", "Stable", "theirs", "Theirs", "Somebody"] {
        assert!(!before.contains(word) && !told.concat().contains(word), "{word} in {before} or {told:?}");
    }
    let mut other = world.clone();
    other.apply(&[
        json!({"kind": "environment", "name": "Elsewhere"}),
        json!({"kind": "tag-set", "name": "Rank", "tags": [{"name": "One"}]}),
        json!({"kind": "tenant", "name": "Delta", "tags": ["Rank/One"], "projects": {"Web": ["Elsewhere"]},
            "enabled": false}),
        json!({"kind": "tenant", "name": "Beta", "tags": [], "projects": {"Web": ["Testing"]}}),
        json!({"kind": "library-set", "name": "Theirs alone", "variables": {"Any": [{"value": "1"}]}}),
        json!({"kind": "project", "name": "Other", "library-sets": ["Theirs alone"], "lifecycle": "Free",
            "steps": [{"name": "Any", "roles": ["web"], "script": {"body": "true"}}]}),
    ]);
    other.enrol(
        "another",
        json!({"roles": ["web"], "environments": ["Elsewhere"], "participation": "untenanted"}),
    );
    other.release("Other", "1.0.0");
    let again = json!({"project": "Web", "version": "1.0.0", "environments": ["Testing"],
        "tenants": {"tenants": ["Beta"]}});
    drop(other.try_deploy(again).expect("it can be made"));
    assert_ne!(text(other.space()), text(world.space()));
    assert_eq!(text(of_limited(&other).space()), before);
    assert_eq!(records(&other, &of_limited(&other)), told);
}

#[test]
fn a_plan_is_the_same_for_who_sees_a_part_of_it_and_says_nothing_of_the_rest() {
    let world = shared();
    let request =
        |request: Value| -> DeployRequest { serde_json::from_value(request).expect("the request is right") };
    let theirs = request(json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"],
        "tenants": {"tenants": ["Alpha"]}}));
    let planned = |sight: &Sight, request: &DeployRequest| {
        plan::plan_in_sight(sight, request, world.now, &|_| true, &|| Ok(()))
    };
    let (whole, limited) = (sight_of_all(&world), of_limited(&world));
    let (all, seen) =
        (planned(&whole, &theirs).expect("a plan"), planned(&limited, &theirs).expect("a plan"));
    assert_eq!(seen.digest, all.digest);
    let steps = |plan: &windlass_api::plan::Plan| -> Vec<String> {
        plan.deployments[0].steps.iter().map(|step| step.name.clone()).collect()
    };
    assert_eq!(
        (steps(&all), steps(&seen)),
        (vec!["Install".into(), "Ours".into(), "Theirs".into()], vec!["Install".into(), "Ours".into()])
    );
    let targets: Vec<_> =
        seen.deployments[0].steps[0].targets.iter().map(|target| target.target.as_str()).collect();
    assert_eq!(targets, ["ours", "shared"]);
    // What is nobody's that is seen, does not exist: neither by name nor by what would be like it.
    for (who, kind) in [
        (json!({"tenants": ["Beta"]}), ProblemKind::NotFound),
        (json!({"tags": ["Ring/Stable"]}), ProblemKind::NotFound),
        (json!({}), ProblemKind::Usage),
    ] {
        let request = request(json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"],
            "tenants": who}));
        let problem = planned(&limited, &request).expect_err("it is nobody's");
        assert_eq!(problem.kind, kind, "{problem}");
        let unknown = ["Beta", "Stable"].iter().all(|word| {
            !problem
                .message
                .replace(&format!("`{word}`"), "")
                .replace(&format!("`Ring/{word}`"), "")
                .contains(word)
        });
        assert!(unknown, "{problem}");
    }
}

#[test]
fn only_who_reads_is_limited_and_what_a_limit_names_is_not_deleted() {
    let mut world = shared();
    let tenants = |value| Some(serde_json::from_value(value).expect("a query"));
    let made = |world: &mut World, role: &str, query: Value| {
        let name = "Other".to_owned();
        let request =
            TokenRequest { name, role: role.to_owned(), ttl_seconds: None, tenants: tenants(query) };
        let token = (TokenId::from_bytes([8; 16]), Digest::of("other"));
        world.run(&Command::CreateToken { request, space: world.space_id(), token })
    };
    for (role, query, told) in [
        (
            "administrator",
            json!({"tenants": ["Alpha"]}),
            "only a token of an `auditor` is limited to tenants",
        ),
        ("auditor", json!({}), "a token is limited to tenants that are named, or to tags; name one"),
        ("auditor", json!({"tenants": ["Alhpa"]}), "there is no tenant `Alhpa`; did you mean `Alpha`?"),
    ] {
        assert_eq!(made(&mut world, role, query).expect_err("it is wrong").message, told);
    }
    made(&mut world, "auditor", json!({"tenants": ["Gamma"]})).expect("it can be made");
    let refused = world.delete("tenant", "Gamma").expect_err("a token is limited to it");
    assert_eq!(refused.message, "the tenant `Gamma` is in use by token `Other`; take it out there first");
    world.run(&Command::DeleteToken("Other".to_owned())).expect("it can go");
    world.delete("tenant", "Gamma").expect("nothing names it now");
}

/// What is decided of values is decided by whom their scopes exclude and where they lie, however little of that is seen.
#[test]
fn the_value_that_wins_for_who_is_seen_is_the_one_that_wins_in_truth() {
    let mut world = shared();
    let mut web = crate::world::project(
        "Web",
        json!([
        {"name": "Install", "roles": ["web"], "script": {"body": "true"}}]),
    );
    web["variables"] = json!({
        "A": [{"value": "plain"}, {"value": "all but Beta", "tenants": {"exclude": {"tenants": ["Beta"]}}}],
        "B": [{"value": "there", "environments": ["Staging"]},
            {"value": "all but stable", "tenants": {"exclude": {"tags": ["Ring/Stable"]}}}],
        "C": [{"value": "plain"}, {"value": "of a role that is not theirs", "roles": ["database"]},
            {"value": "elsewhere", "environments": ["Production"]}]});
    world.apply(&[
        web,
        json!({"kind": "tenant", "name": "Alpha", "tags": ["Ring/Canary", "Tier/Gold"],
        "projects": {"Web": ["Testing", "Staging"]}}),
    ]);
    let (sight, whole) = (of_limited(&world), world.space());
    let seen = sight.space();
    let values = |space: &Space| -> Vec<String> {
        let project = space.projects.named("Web").expect("it is seen");
        let (snapshot, tenant) = (freeze(space, project), space.tenants.named("Alpha").expect("it is seen"));
        let mut told = Vec::new();
        for environment in ["Testing", "Staging"] {
            let environment = space.environments.named(environment).expect("it is seen").id;
            for name in ["A", "B", "C"] {
                let tenant = Some(TenantTags::of(tenant));
                let context = Context {
                    snapshot: &snapshot,
                    tenant,
                    tenant_values: None,
                    environment,
                    target: None,
                    step: None,
                };
                told.push(match resolve(name, &context) {
                    Resolution::Value(found, _) => format!("{:?} by {}", found.value, found.rank.in_words()),
                    Resolution::Undefined => "undefined".to_owned(),
                    Resolution::Ambiguous(..) => "ambiguous".to_owned(),
                });
            }
        }
        told
    };
    assert_eq!(values(seen), values(whole));
    assert!(values(whole).iter().any(|told| told.contains("all but Beta")), "{:?}", values(whole));
    let text = text(seen);
    for word in ["database", "elsewhere", "of a role"] {
        assert!(!text.contains(word), "{word} in {text}");
    }
}

/// What was theirs stays theirs; what others have, or what comes after them, is not.
#[test]
fn who_has_left_sees_what_was_theirs_and_nothing_that_came_later() {
    let mut world = shared();
    world.apply(&[json!({"kind": "tenant", "name": "Alpha", "tags": [], "projects": {}})]);
    let mut web = crate::world::project(
        "Web",
        json!([
        {"name": "Later", "roles": ["web"], "script": {"body": "true"}}]),
    );
    web["variables"] = json!({"Later": [{"value": "a later value"}]});
    world.apply(&[web]);
    world.release("Web", "2.0.0");
    let sight = of_limited(&world);
    let (seen, text) = (sight.space(), text(sight.space()));
    assert!(!text.contains("ater") && !text.contains("2.0.0"), "{text}");
    let release = seen.releases.values().next().expect("it was deployed for Alpha");
    let steps: Vec<_> = release.snapshot.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!((release.version.to_string().as_str(), steps), ("1.0.0", vec!["Install", "Ours"]));
    assert_eq!(seen.deployments.len(), 1);
}

/// What a tenant has given is its own, wherever it is connected now; what asks for it may have other news since then.
#[test]
fn own_values_are_seen_also_where_nobody_who_is_seen_is_connected_any_more() {
    let mut world = small();
    let template =
        |name: &str, help: &str| json!({"name": name, "help": help, "default": format!("news of {name}")});
    let asking = |help: &str| {
        let mut web = crate::world::project("Web", json!([]));
        web["templates"] = json!([template("Title", help), template("Colour", help)]);
        web["library-sets"] = json!(["Details"]);
        let set = json!({"kind": "library-set", "name": "Details", "variables": {"Any": [{"value": "news"}]},
            "templates": [template("Contact", help), template("Street", help)]});
        [set, web]
    };
    let alpha = |projects: Value| {
        json!({"kind": "tenant", "name": "Alpha", "projects": projects, "values": {
        "Web": {"Title": "Alpha's"}, "Details": {"Contact": "Anna"}}})
    };
    world.apply(&asking("how"));
    world.apply(&[alpha(json!({"Web": ["Testing"]}))]);
    world.apply(&[alpha(json!({}))]);
    world.apply(&asking("news"));
    limited(&mut world, "Alpha's", json!({"tenants": ["Alpha"]})).expect("it can be made");
    let sight = of_limited(&world);
    let seen = sight.space();
    let web = seen.projects.named("Web").expect("it asks for a value that Alpha has given");
    let details = seen.library_sets.named("Details").expect("it does, too");
    let names = |templates: &[windlass_coordinator_core::model::Template]| -> Vec<String> {
        templates.iter().map(|template| template.name.clone()).collect()
    };
    assert_eq!(
        (names(&web.templates), names(&details.templates)),
        (vec!["Title".into()], vec!["Contact".into()])
    );
    let text = text(seen);
    for hidden in ["news", "Colour", "Street"] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
}

#[test]
fn a_lifecycle_of_which_nothing_is_seen_does_not_read_as_one_with_a_phase_for_each_environment() {
    let mut world = small();
    world.apply(&[
        json!({"kind": "lifecycle", "name": "Free", "phases": [{"name": "Tests", "environments": ["Testing"]}]}),
        json!({"kind": "tenant", "name": "Alpha", "projects": {"Web": ["Production"]}}),
    ]);
    limited(&mut world, "Alpha's", json!({"tenants": ["Alpha"]})).expect("it can be made");
    let sight = of_limited(&world);
    let seen = sight.space();
    let lifecycle = seen.lifecycles.named("Free").expect("a project of theirs has it");
    let order: Vec<_> = seen.environments_in_order().into_iter().map(|found| found.id).collect();
    let phases = windlass_coordinator_core::promotion::phases(lifecycle, &order, |id| id.to_string());
    assert!(phases.iter().all(|phase| phase.environments.is_empty()), "{phases:?}");
    assert_eq!(lifecycle.phases.len(), 1, "it is said that there are some");
    assert!(!text(seen).contains("Tests"));
}
