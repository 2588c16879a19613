//! The participation table of SEMANTICS 3, and what else must hold beside it.

use std::collections::BTreeSet;

use serde_json::json;
use windlass_api::plan::TargetRule;
use windlass_coordinator_core::decide::TargetChange;
use windlass_coordinator_core::matching::{Question, refusals};
use windlass_coordinator_core::model::Target;
use windlass_coordinator_core::scope;
use windlass_protocol::message::{Advertised, Participation};

use crate::world::{World, small};

/// As it stands in SEMANTICS 3: participation, whether the target's query matches the tenant (none: either way),
/// whether it gets untenanted deployments, whether it gets tenanted ones.
const TABLE: [(Participation, Option<bool>, bool, bool); 5] = [
    (Participation::Untenanted, None, true, false),
    (Participation::Tenanted, Some(true), false, true),
    (Participation::Tenanted, Some(false), false, false),
    (Participation::Both, Some(true), true, true),
    (Participation::Both, Some(false), true, false),
];

fn reached(world: &World, target: &Target, tenant: Option<&str>) -> Vec<TargetRule> {
    let space = world.space();
    let question = Question {
        environment: space.environments.named("Staging").expect("it exists").id,
        tenant: tenant.map(|name| space.tenants.named(name).expect("it exists")),
        roles: &BTreeSet::from(["web".to_owned()]),
        only: None,
        excluded: &BTreeSet::new(),
        now: world.now,
    };
    refusals(space, target, &question)
}

fn target<'a>(world: &'a World, name: &str) -> &'a Target {
    world.space().targets.named(name).expect("it exists")
}

#[test]
fn the_participation_table_holds_as_it_is_written() {
    for (participation, matches, untenanted, tenanted) in TABLE {
        // A query that does not match, and an empty one, are the same row.
        let queries = [
            (true, json!({"tenants": ["Alpha"]})),
            (true, json!({"tags": ["Ring/Canary"]})),
            (false, json!({"tenants": ["Beta"]})),
            (false, json!({"tenants": ["Alpha"], "exclude": {"tags": ["Tier/Gold"]}})),
            (false, json!({})),
        ];
        for (_, query) in queries.iter().filter(|(alpha, _)| matches.is_none_or(|matches| matches == *alpha))
        {
            let mut world = small();
            let grant = json!({"roles": ["web"], "environments": ["Staging"], "tenants": query,
                "participation": participation});
            world.enrol("machine", grant);
            let target = target(&world, "machine");
            let row = format!("{participation:?} with {query}");
            assert_eq!(reached(&world, target, None).is_empty(), untenanted, "untenanted, {row}");
            assert_eq!(reached(&world, target, Some("Alpha")).is_empty(), tenanted, "for Alpha, {row}");
        }
    }
}

#[test]
fn participation_is_what_grant_and_advertisement_have_in_common() {
    let all = [Participation::Untenanted, Participation::Tenanted, Participation::Both];
    let admits = |participation, tenanted| match participation {
        Participation::Both => true,
        Participation::Tenanted => tenanted,
        Participation::Untenanted => !tenanted,
    };
    for granted in all {
        for advertised in std::iter::once(None).chain(all.map(Some)) {
            let mut world = small();
            let grant = json!({"roles": ["web"], "environments": ["Staging"],
                "tenants": {"tenants": ["Alpha"]}, "participation": granted});
            let id = world.enrol("machine", grant);
            world.advertise(id, Advertised { participation: advertised, ..Advertised::default() });
            let target = target(&world, "machine");
            for tenanted in [false, true] {
                let expected =
                    admits(granted, tenanted) && advertised.is_none_or(|said| admits(said, tenanted));
                assert_eq!(scope::takes_part(target, tenanted), expected, "{granted:?} and {advertised:?}");
                let tenant = tenanted.then_some("Alpha");
                assert_eq!(
                    reached(&world, target, tenant).is_empty(),
                    expected,
                    "{granted:?} and {advertised:?}"
                );
            }
        }
    }
}

#[test]
fn participation_is_decided_once_and_no_later_grant_changes_it_by_itself() {
    let scope = |tenants| json!({"roles": ["web"], "environments": ["Staging"], "tenants": tenants});
    let cases = [
        (json!({}), Participation::Untenanted, json!({"tenants": ["Alpha"]})),
        // What is excluded is named as well: whoever writes that thinks of tenants, and nobody's work is no tenant's.
        (json!({"exclude": {"tenants": ["Alpha"]}}), Participation::Tenanted, json!({})),
        (
            json!({"exclude": {"tags": ["Ring/Canary"]}}),
            Participation::Tenanted,
            json!({"tenants": ["Alpha"]}),
        ),
        (json!({"tenants": ["Alpha"]}), Participation::Tenanted, json!({})),
        (json!({"tags": ["Ring/Canary"]}), Participation::Tenanted, json!({})),
    ];
    for (first, decided, later) in cases {
        let mut world = small();
        world.enrol("machine", scope(first.clone()));
        assert_eq!(target(&world, "machine").granted.participation, decided, "{first}");
        world.grant("machine", scope(later.clone()));
        assert_eq!(target(&world, "machine").granted.participation, decided, "{first}, then {later}");
    }
}

#[test]
fn every_other_condition_is_needed_as_well_and_has_its_own_rule() {
    let grant = || json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}});
    type Change = fn(&mut World);
    let cases: [(Change, Vec<TargetRule>); 6] = [
        (|_| (), vec![]),
        (|world| world.change("machine", TargetChange::Disable), vec![TargetRule::Disabled]),
        (|world| world.change("machine", TargetChange::Revoke), vec![TargetRule::Revoked]),
        (
            |world| {
                world.grant(
                    "machine",
                    json!({"roles": ["web"], "environments": ["Testing"], "tenants": {"tenants": ["Alpha"]}}),
                )
            },
            vec![TargetRule::Environment],
        ),
        (
            |world| {
                world.grant("machine", json!({"roles": ["web2"], "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}}))
            },
            vec![TargetRule::Role],
        ),
        (
            |world| world.grant("machine", json!({"participation": "untenanted"})),
            vec![TargetRule::Environment, TargetRule::Role, TargetRule::Participation, TargetRule::Tenant],
        ),
    ];
    for (change, rules) in cases {
        let mut world = small();
        world.enrol("machine", grant());
        change(&mut world);
        assert_eq!(reached(&world, target(&world, "machine"), Some("Alpha")), rules);
    }
}
