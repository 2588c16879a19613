//! What runs or waits is looked at again where what it rests on has changed, and that comes to the same as looking at
//! everything again after each command.

use proptest::collection::vec;
use proptest::prelude::any;
use serde_json::json;
use windlass_coordinator_core::authorise::still_qualifies;
use windlass_coordinator_core::model::DeploymentState;
use windlass_coordinator_core::state::Space;
use windlass_protocol::Timestamp;

use crate::chance;
use crate::world::{Happening, World, happening, lively};

/// Switches a tenant off or on, and edits it in the same document.
fn switch(world: &mut World, [first, second]: [u8; 2]) {
    let name = ["Alpha", "Beta", "Gamma"][usize::from(first % 3)];
    let bit = |place: u8, text: &'static str| (second & (1 << place) != 0).then_some(text);
    let tags: Vec<_> = [bit(0, "Ring/Canary"), bit(1, "Ring/Stable")].into_iter().flatten().collect();
    let environments: Vec<_> = [bit(2, "Testing"), bit(3, "Staging")].into_iter().flatten().collect();
    let enabled = second & 16 != 0;
    world.apply(&[json!({"kind": "tenant", "name": name, "enabled": enabled, "tags": tags,
        "projects": {"Shop": environments}})]);
}

/// Everything that is open is as a look at all of it would leave it. How much that was: parts that go on, parts that were
/// taken out, deployments that wait.
fn assert_nothing_is_left_to_take_out(space: &Space, now: Timestamp) -> [usize; 3] {
    let mut seen = [0; 3];
    for deployment in space.deployments.values() {
        match deployment.state {
            DeploymentState::Running => {
                for (target, part) in &deployment.parts {
                    if part.removed.is_some() {
                        seen[1] += 1;
                        continue;
                    }
                    assert_eq!(still_qualifies(space, deployment, *target, now), Ok(()));
                    seen[0] += 1;
                }
            }
            DeploymentState::Queued => {
                let tenant = deployment.tenant.and_then(|tenant| space.tenants.get(tenant));
                assert!(tenant.is_none_or(|tenant| tenant.enabled), "it is cancelled with its tenant");
                seen[2] += 1;
            }
            DeploymentState::Ended(_) => {}
        }
    }
    seen
}

#[test]
fn looking_at_what_a_change_touches_decides_what_looking_at_everything_would() {
    let base = lively();
    let mut seen = [0; 3];
    let strategy = vec((happening(), any::<[u8; 3]>()), 10..60);
    chance::cases(60, &strategy, |history: Vec<(Happening, [u8; 3])>| {
        let mut world = base.clone();
        for (happening, [dice, numbers @ ..]) in history {
            world.happen(happening);
            if dice < 24 {
                switch(&mut world, numbers);
            }
            let now = assert_nothing_is_left_to_take_out(world.space(), world.now);
            seen.iter_mut().zip(now).for_each(|(seen, now)| *seen += now);
            let (indexes, most) = (&world.space().indexes, world.space().caps.tenant);
            let has_room = |flow| indexes.slots.get(&flow).copied().unwrap_or_default() < most;
            let startable = indexes.startable.keys().filter(|flow| flow.is_none() || has_room(**flow));
            assert!(startable.eq(&indexes.flows), "flows that may have a slot of their own cap");
        }
    });
    assert!(seen.iter().all(|seen| *seen > 100), "all happen: {seen:?}");
}
