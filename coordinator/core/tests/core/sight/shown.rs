//! Whether those are seen still whom an answer tells of.

use std::collections::BTreeSet;

use proptest::collection::vec;
use serde_json::json;
use windlass_coordinator_core::sight::Sight;
use windlass_protocol::ids::TenantId;

use super::{limited, of_limited, sight_of_all};
use crate::chance;
use crate::world::{Happening, happening, lively};

fn whom(sight: &Sight) -> BTreeSet<TenantId> {
    sight.space().tenants.iter().map(|tenant| tenant.id).collect()
}

/// What is found out by what has changed is what looking at all of them finds.
#[test]
fn who_is_seen_still_is_known_by_who_changed() {
    let mut base = lively();
    limited(&mut base, "Limited", json!({"tags": ["Ring/Canary", "Ring/Stable"]})).expect("it can be made");
    let (mut lost, mut gained) = (0, 0);
    chance::cases(60, &vec(happening(), 20..60), |history: Vec<Happening>| {
        let mut world = base.clone();
        let first = of_limited(&world);
        let (before, mut shown, mut is_lost) = (whom(&first), first.shown(), false);
        for happening in history {
            let earlier = world.state.clone();
            world.happen(happening);
            let sight = of_limited(&world);
            let now = whom(&sight);
            is_lost |= !before.is_subset(&now);
            assert_eq!(shown.is_seen(&world.state, sight.permit()), !is_lost);
            assert_eq!(shown.is_seen(&earlier, sight.permit()), !is_lost, "an older state says nothing new");
            assert_eq!(shown.is_within(&sight), before.is_subset(&now));
            if shown.is_all_of(&sight) {
                assert_eq!(before, now);
            }
            gained += usize::from(!is_lost && before != now);
        }
        lost += usize::from(is_lost);
        let all = sight_of_all(&world);
        assert!(all.shown().is_all_of(&all) && !all.shown().is_within(&of_limited(&world)));
    });
    assert!(lost > 5 && gained > 5, "{lost} were lost and {gained} had more");
}
