//! Random histories of enrol, advertise, renew, rescope, disable, delete and enrol again: no target ever gets what its
//! operators' latest grant does not cover (THREATS A2).

use std::collections::BTreeSet;

use proptest::collection::vec;
use windlass_coordinator_core::authorise::{self, Peer};
use windlass_coordinator_core::state::{WorkItem, WorkKind};
use windlass_protocol::Digest;
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::message::{PullRequest, Request};

use crate::chance;
use crate::world::{Happening, Place, World, happening, lively};

/// The two requests that hand something out.
fn requests(assignment: AssignmentId) -> [Request; 2] {
    let manifest = Digest::of("shop 1.0.0");
    let pull = PullRequest {
        assignment,
        manifest,
        has_manifest: false,
        holds: vec![],
        complete_files: 0,
        complete_segments: 0,
    };
    [Request::Pull(pull), Request::Variables { assignment }]
}

/// Whether the operators' latest words cover what `peer` is about to get of this work.
fn covered(world: &World, peer: &Peer, item: &WorkItem) -> bool {
    let space = world.space();
    let deployment = &space.deployments[&item.deployment];
    let environment = space.environments.get(deployment.environment).expect("it is in use").name.as_str();
    let tenant = deployment.tenant.map(|id| space.tenants.get(id).expect("it is in use"));
    let tags: BTreeSet<String> =
        tenant.iter().flat_map(|tenant| &tenant.tags).map(|tag| in_words(world, *tag)).collect();
    let place = Place { environment, tenant: tenant.map(|tenant| (tenant.name.as_str(), &tags)) };
    world.operators.admit(peer) && world.operators.cover(peer.target, &place)
}

fn in_words(world: &World, id: windlass_protocol::ids::TagId) -> String {
    let sets = world.space().tag_sets.iter();
    let mut words =
        sets.flat_map(|set| set.tags.iter().map(move |tag| (tag.id, format!("{}/{}", set.name, tag.name))));
    words.find(|(known, _)| *known == id).expect("a tag in use exists").1
}

#[test]
fn no_history_lets_a_target_get_what_its_latest_grant_does_not_cover() {
    let base = lively();
    let (mut granted, mut denied) = (0, 0);
    chance::cases(60, &vec(happening(), 10..60), |history: Vec<Happening>| {
        let mut world = base.clone();
        for happening in history {
            world.happen(happening);
            let all: Vec<(AssignmentId, WorkItem)> = {
                let work = world.space().indexes.work.values();
                work.flat_map(|items| items.iter().map(|(id, item)| (*id, *item))).collect()
            };
            for (peer, (assignment, item)) in
                world.operators.peers().iter().flat_map(|peer| all.iter().map(move |one| (peer, one)))
            {
                let own = world.space().work_item(peer.target, *assignment).is_some();
                // Packages are pulled to be fetched, and again by the steps that deploy them.
                let package = match item.kind {
                    WorkKind::Fetch => true,
                    WorkKind::Run(step) => world.space().package_of(item.deployment, step).is_some(),
                };
                let kinds = [package, item.kind != WorkKind::Fetch];
                for (request, kind) in requests(*assignment).iter().zip(kinds) {
                    if authorise::request(&world.state, peer, request, world.now).is_err() {
                        denied += 1;
                        continue;
                    }
                    granted += 1;
                    assert!(own, "nobody gets another's work");
                    assert!(kind, "each kind of work for its own requests");
                    assert!(covered(&world, peer, item), "after {happening:?}");
                }
            }
        }
    });
    assert!(granted > 300 && denied > 300, "both happen: {granted} granted, {denied} denied");
}

#[test]
fn a_peer_has_a_session_exactly_when_its_operators_admit_it() {
    let base = lively();
    let (mut admitted, mut denied) = (0, 0);
    chance::cases(40, &vec(happening(), 10..60), |history: Vec<Happening>| {
        let mut world = base.clone();
        history.into_iter().for_each(|happening| world.happen(happening));
        for peer in world.operators.peers() {
            let session = authorise::session(&world.state, peer, world.now);
            assert_eq!(session.is_ok(), world.operators.admit(peer));
            *if session.is_ok() { &mut admitted } else { &mut denied } += 1;
        }
    });
    assert!(admitted > 20 && denied > 20, "both happen: {admitted} admitted, {denied} denied");
}
