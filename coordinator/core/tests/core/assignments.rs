//! Indexes against searches: whatever happens, a look-up finds what looking at everything finds, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use windlass_coordinator_core::query::{Empty, Query};
use windlass_coordinator_core::state::{Space, WorkKind, assignment_id};
use windlass_protocol::ids::{AssignmentId, DeploymentId, TagId, TagSetId, TargetId, TenantId};

use crate::chance;
use crate::world::{Happening, World, happening, lively};

/// Every assignment of every deployment that is remembered, found by looking at them all.
fn searched(space: &Space) -> BTreeMap<AssignmentId, (DeploymentId, TargetId, WorkKind)> {
    let mut found = BTreeMap::new();
    for deployment in space.deployments.values() {
        for (node, target, run) in deployment.graph.runs() {
            let kind = deployment.graph.node(node).expect("a run is of a node").plot.work;
            for attempt in 1..=run.attempt {
                let id = assignment_id(deployment.id, target, kind, attempt);
                found.insert(id, (deployment.id, target, kind));
            }
        }
    }
    found
}

#[test]
fn whose_an_assignment_is_or_was_is_what_a_search_of_everything_says() {
    let base = lively();
    let (mut own, mut others, mut over) = (0, 0, 0);
    chance::cases(40, &vec(happening(), 10..60), |history: Vec<Happening>| {
        let mut world = base.clone();
        history.into_iter().for_each(|happening| world.happen(happening));
        let space = world.space();
        let expected = searched(space);
        assert_eq!(space.indexes.assignments.len(), expected.len());
        let everybody: BTreeSet<_> = expected.values().map(|(_, target, _)| *target).collect();
        for (id, (deployment, target, kind)) in &expected {
            for asking in &everybody {
                let found = space.assigned(*asking, *id).map(|found| (found.deployment, found.kind));
                assert_eq!(found, (asking == target).then_some((*deployment, *kind)));
                *if asking == target { &mut own } else { &mut others } += 1;
            }
            over += usize::from(space.work_item(*target, *id).is_none());
        }
        for (target, items) in &space.indexes.work {
            assert!(items.keys().all(|id| space.assigned(*target, *id).is_some()), "work is known");
        }
        for (target, assignment, _) in &space.handed_out {
            assert!(space.work_item(*target, *assignment).is_some(), "kept for open work alone");
        }
    });
    assert!(own > 100 && others > 100 && over > 100, "all happen: {own} own, {others} others', {over} over");
}

/// A query by the tags and tenants of the world, chosen by bits.
fn query(world: &World, [tenants, tags, no_tenants, no_tags]: [u8; 4]) -> Query {
    let chosen = |bits: u8| move |(index, _): &(usize, _)| bits & (1 << (index % 8)) != 0;
    let space = world.space();
    let named = |bits: u8| -> BTreeSet<TenantId> {
        let all = space.tenants.iter().map(|tenant| tenant.id).enumerate();
        all.filter(chosen(bits)).map(|(_, id)| id).collect()
    };
    let all: Vec<(TagSetId, TagId)> =
        space.tag_sets.iter().flat_map(|set| set.tags.iter().map(|tag| (set.id, tag.id))).collect();
    let picked = |bits: u8| {
        let picked = all.iter().copied().enumerate().filter(move |(index, _)| bits & (1 << (index % 8)) != 0);
        picked.map(|(_, tag)| tag).collect::<Vec<_>>()
    };
    let mut query = Query { tenants: named(tenants), ..Query::default() };
    for (set, tag) in picked(tags) {
        query.tags.entry(set).or_default().insert(tag);
    }
    query.excluded_tenants = named(no_tenants & no_tags);
    query.excluded_tags = picked(no_tenants & no_tags).into_iter().map(|(_, tag)| tag).collect();
    query
}

#[test]
fn whom_a_query_admits_and_what_a_tag_is_called_is_what_a_search_of_everybody_says() {
    let base = lively();
    let (mut admitted, mut left_out) = (0, 0);
    let strategy = (vec(happening(), 0..20), vec(any::<[u8; 4]>(), 20));
    chance::cases(40, &strategy, |(history, queries): (Vec<Happening>, Vec<[u8; 4]>)| {
        let mut world = base.clone();
        history.into_iter().for_each(|happening| world.happen(happening));
        let space = world.space();
        for numbers in queries {
            let query = query(&world, numbers);
            let found: BTreeSet<_> = space.admitted_tenants(&query).map(|tenant| tenant.id).collect();
            let matches = |tenant: &&windlass_coordinator_core::model::Tenant| {
                query.matches(*tenant, Empty::MeansNobody).is_some()
            };
            let expected: BTreeSet<_> =
                space.tenants.iter().filter(matches).map(|tenant| tenant.id).collect();
            assert_eq!(found, expected, "{query:?}");
            admitted += found.len();
            left_out += space.tenants.len() - found.len();
        }
        for set in space.tag_sets.iter() {
            for tag in &set.tags {
                let name = format!("{} / {}", set.name, tag.name.as_str().to_uppercase());
                assert_eq!(space.tag(&name), Some((set.id, tag.id)), "{name}");
            }
            assert_eq!(space.tag(&format!("{}/no such tag", set.name)), None);
        }
    });
    assert!(admitted > 100 && left_out > 100, "both happen: {admitted} admitted, {left_out} left out");
}
