//! Changes of many tenants at once (SEMANTICS 2): all or nothing, and each tenant as if it had been changed alone.

use std::cell::Cell;

use serde_json::{Value, json};
use windlass_api::answers::{AppliedChange, ChangeKind};
use windlass_api::error::{Problem, ProblemKind};
use windlass_coordinator_core::decide::{Command, Reply, SpaceCommand, decide_while};

use crate::world::{World, small};

fn change(world: &mut World, tenants: Value, change: Value) -> Result<Vec<AppliedChange>, Problem> {
    let (tenants, change) = (
        serde_json::from_value(tenants).expect("a query"),
        serde_json::from_value(change).expect("a change"),
    );
    match world.ask(SpaceCommand::ChangeTenants { tenants, change })? {
        Reply::Applied(changes) => Ok(changes),
        other => panic!("not the answer to a change: {other:?}"),
    }
}

/// Each tenant's switch, tags and connections by name.
fn tenants(world: &World) -> Vec<String> {
    let space = world.space();
    let tenant = |found: &windlass_coordinator_core::model::Tenant| {
        let tags = found
            .tags
            .iter()
            .filter_map(|tag| space.indexes.tag_names.get(tag))
            .map(|(_, name)| name.clone());
        let mut tags: Vec<_> = tags.collect();
        tags.sort();
        let mut projects: Vec<_> = found
            .projects
            .iter()
            .map(|(project, environments)| {
                let name = |id| space.environments.get(id).expect("it is there").name.to_string();
                let names: Vec<_> = environments.iter().copied().map(name).collect();
                format!("{}: {}", space.projects.get(*project).expect("it is there").name, names.join(" "))
            })
            .collect();
        projects.sort();
        let switch = if found.enabled { "" } else { ", disabled" };
        format!("{} [{}] {{{}}}{switch}", found.name, tags.join(" "), projects.join("; "))
    };
    space.tenants.by_name().map(tenant).collect()
}

fn world() -> World {
    let mut world = small();
    world.apply(&[
        json!({"kind": "tag-set", "name": "Region", "type": "single", "tags": [{"name": "EU"}, {"name": "US"}]}),
        json!({"kind": "tenant", "name": "Alpha", "tags": ["Ring/Canary", "Region/EU"], "projects": {"Web": ["Testing", "Staging"]}}),
        json!({"kind": "tenant", "name": "Beta", "tags": ["Ring/Canary"], "projects": {"Web": ["Staging"]}}),
        json!({"kind": "tenant", "name": "Gamma", "tags": ["Ring/Stable"]}),
    ]);
    world
}

#[test]
fn what_is_changed_of_many_is_changed_of_each_and_nothing_else() {
    let canaries = json!({"tags": ["Ring/Canary"]});
    let rows = [
        (
            json!({"add-tags": ["Tier/Gold"]}),
            ["Alpha [canary eu gold] {Web: Testing Staging}", "Beta [canary gold] {Web: Staging}"],
        ),
        (
            json!({"remove-tags": ["ring/canary"], "add-tags": ["Ring/Stable"]}),
            ["Alpha [eu stable] {Web: Testing Staging}", "Beta [stable] {Web: Staging}"],
        ),
        // One of them is moved, the other only gets it.
        (
            json!({"remove-tags": ["Region/EU"], "add-tags": ["Region/US"]}),
            ["Alpha [canary us] {Web: Testing Staging}", "Beta [canary us] {Web: Staging}"],
        ),
        (
            json!({"connect": {"web": ["Production"]}}),
            [
                "Alpha [canary eu] {Web: Testing Staging Production}",
                "Beta [canary] {Web: Staging Production}",
            ],
        ),
        (
            json!({"disconnect": {"Web": ["Testing"]}}),
            ["Alpha [canary eu] {Web: Staging}", "Beta [canary] {Web: Staging}"],
        ),
        (
            json!({"disconnect": {"Web": ["Staging"]}}),
            ["Alpha [canary eu] {Web: Testing}", "Beta [canary] {}"],
        ),
        (json!({"disconnect": {"Web": []}}), ["Alpha [canary eu] {}", "Beta [canary] {}"]),
        (
            json!({"enabled": false}),
            ["Alpha [canary eu] {Web: Testing Staging}, disabled", "Beta [canary] {Web: Staging}, disabled"],
        ),
    ];
    for (asked, expected) in rows {
        let (mut together, mut alone) = (world(), world());
        let changes = change(&mut together, canaries.clone(), asked.clone()).expect("it can be changed");
        assert_eq!(changes.len(), 2);
        let found = tenants(&together);
        assert_eq!(&found[..2], &expected, "{asked}");
        assert_eq!(found[2], "Gamma [stable] {}", "{asked}: whom the query does not include");
        // What nothing changes of is told, and is no event.
        let changed = changes.iter().filter(|change| change.change == ChangeKind::Changed).count();
        assert_eq!(together.records.last().expect("there is one").events.len(), changed);
        for name in ["Alpha", "Beta"] {
            // Nothing of it is with one of them: alone, that would be an error.
            drop(change(&mut alone, json!({"tenants": [name]}), asked.clone()));
        }
        let expected: Vec<_> = tenants(&alone);
        if !asked["remove-tags"].is_array() {
            assert_eq!(found, expected, "{asked}: one after the other");
        }
    }
}

#[test]
fn what_cannot_be_done_of_one_is_done_of_none_and_says_whose_it_is() {
    let canaries = || json!({"tags": ["Ring/Canary"]});
    let rows = [
        (
            canaries(),
            json!({"add-tags": ["Region/US"]}),
            ProblemKind::Usage,
            "tenant `Alpha`: `Region/EU` and `Region/US`",
        ),
        (
            canaries(),
            json!({"remove-tags": ["Ring/Stable"]}),
            ProblemKind::Conflict,
            "none of the 2 tenants is tagged with `Ring/Stable`",
        ),
        (
            canaries(),
            json!({"disconnect": {"Web": ["Production"]}}),
            ProblemKind::Conflict,
            "none of the 2 tenants is connected to `Production` of `Web`",
        ),
        (
            json!({"tenants": ["Gamma"]}),
            json!({"disconnect": {"Web": []}}),
            ProblemKind::Conflict,
            "the tenant `Gamma` is not connected to `Web`",
        ),
        (canaries(), json!({"add-tags": ["Ring/Cannary"]}), ProblemKind::NotFound, "Canary"),
        (json!({}), json!({"enabled": false}), ProblemKind::Usage, "no tenant and no tag is named"),
        (
            json!({"exclude": {"tags": ["Ring/Stable"]}}),
            json!({"enabled": false}),
            ProblemKind::Usage,
            "none is included",
        ),
        (json!({"tags": ["Tier/Iron"]}), json!({"enabled": false}), ProblemKind::Failed, "no tenant matches"),
    ];
    for (whose, asked, kind, says) in rows {
        let mut world = world();
        let before = (world.state.digest(), world.records.len());
        let problem = change(&mut world, whose, asked.clone()).expect_err("it cannot be done");
        assert_eq!(problem.kind, kind, "{asked}: {problem:?}");
        assert!(problem.message.contains(says), "{asked}: {problem:?}");
        assert_eq!((world.state.digest(), world.records.len()), before, "{asked}");
    }
}

#[test]
fn a_change_of_many_ends_with_the_next_tenant_when_nobody_waits_for_it_any_more() {
    let mut world = world();
    let (tenants, change) = (json!({"tags": ["Ring/Canary", "Ring/Stable"]}), json!({"enabled": false}));
    let command = SpaceCommand::ChangeTenants {
        tenants: serde_json::from_value(tenants).expect("a query"),
        change: serde_json::from_value(change).expect("a change"),
    };
    let command = Command::Space(world.space_id(), command);
    let (envelope, asked) = (world.envelope(), Cell::new(0));
    let wanted = || {
        asked.set(asked.get() + 1);
        if asked.get() > 1 { Err(Problem::failed("gone")) } else { Ok(()) }
    };
    let decided = decide_while(&world.state, &envelope, &command, &wanted);
    assert_eq!((decided.map(drop).expect_err("nobody waits").message.as_str(), asked.get()), ("gone", 2));
}
