//! Random lifecycles with up to three tenants, larger than those that can all be looked at.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use windlass_coordinator_core::model::{Lifecycle, Phase, PhaseRule, Tenant};
use windlass_coordinator_core::promotion::{Successes, check, phases};
use windlass_protocol::ids::{EnvironmentId, KeyId, LifecycleId, ProjectId, ReleaseId, TenantId};

use crate::chance;

/// A lifecycle of up to three phases over up to three environments, tenants, and what succeeded.
#[derive(Debug, Clone)]
struct Small {
    environments: usize,
    /// Each phase: the environments that it names, and its rule.
    phases: Vec<(BTreeSet<usize>, PhaseRule)>,
    /// The environments that each tenant is connected to.
    tenants: Vec<BTreeSet<usize>>,
    /// Successes: environment, and tenant or none.
    successes: BTreeSet<(usize, Option<usize>)>,
}

fn small() -> impl Strategy<Value = Small> {
    let rule =
        prop_oneof![Just(PhaseRule::All), (1..4u32).prop_map(PhaseRule::AtLeast), Just(PhaseRule::Optional)];
    let sets = btree_set(0..3usize, 0..=3);
    let phases = vec((sets.clone(), rule), 0..=3);
    let success = (0..3usize, proptest::option::of(0..3usize));
    (1..=3usize, phases, vec(sets, 1..=3), btree_set(success, 0..=8)).prop_map(
        |(environments, mut phases, tenants, successes)| {
            // An environment is named in at most one phase.
            let mut named = BTreeSet::new();
            for (of_phase, _) in &mut phases {
                of_phase.retain(|environment| *environment < environments && named.insert(*environment));
            }
            Small { environments, phases, tenants, successes }
        },
    )
}

impl Small {
    /// SEMANTICS 4, sentence by sentence.
    fn may_go(&self, to: usize, tenant: Option<usize>) -> bool {
        let phases = self.resolved();
        let Some(place) = phases.iter().position(|(of_phase, _)| of_phase.contains(&to)) else {
            return false;
        };
        phases[..place].iter().all(|(of_phase, rule)| {
            let own = |id: &&usize| tenant.is_some_and(|tenant| self.tenants[tenant].contains(id));
            let by_itself = |id: &&usize| self.successes.contains(&(**id, tenant));
            let by_anybody = |id: &&usize| self.successes.iter().any(|(at, _)| at == *id);
            let (count, done) = match of_phase.iter().filter(own).count() {
                0 => (of_phase.len(), of_phase.iter().filter(by_anybody).count()),
                count => (count, of_phase.iter().filter(own).filter(by_itself).count()),
            };
            match rule {
                PhaseRule::Optional => true,
                PhaseRule::All => done == count,
                PhaseRule::AtLeast(least) => done >= count.min(*least as usize),
            }
        })
    }

    fn resolved(&self) -> Vec<(BTreeSet<usize>, PhaseRule)> {
        if self.phases.is_empty() {
            return (0..self.environments).map(|id| (BTreeSet::from([id]), PhaseRule::All)).collect();
        }
        let mut rest: BTreeSet<_> = (0..self.environments).collect();
        let mut resolved = Vec::new();
        for (named, rule) in &self.phases {
            let of_phase = if named.is_empty() { rest.clone() } else { named.clone() };
            rest.retain(|id| !of_phase.contains(id));
            resolved.push((of_phase, *rule));
        }
        resolved
    }

    fn lifecycle(&self) -> Lifecycle {
        let phase = |(named, rule): &(BTreeSet<usize>, PhaseRule)| Phase {
            name: "phase".to_owned(),
            environments: named.iter().map(|id| environment(*id)).collect(),
            rule: *rule,
            unseen: false,
        };
        Lifecycle {
            id: LifecycleId::from_bytes([0; 16]),
            slug: "small".parse().expect("a slug"),
            name: "Small".parse().expect("a name"),
            phases: self.phases.iter().map(phase).collect(),
        }
    }

    fn tenant(&self, index: usize) -> Tenant {
        let connected = self.tenants[index].iter().map(|id| environment(*id)).collect();
        Tenant {
            id: tenant(index),
            slug: "tenant".parse().expect("a slug"),
            name: "Tenant".parse().expect("a name"),
            enabled: true,
            key: KeyId::from_bytes([0; 16]),
            tags: BTreeSet::new(),
            projects: BTreeMap::from([(PROJECT, connected)]),
            values: imbl::OrdMap::new(),
        }
    }
}

const PROJECT: ProjectId = ProjectId::from_bytes([1; 16]);
const RELEASE: ReleaseId = ReleaseId::from_bytes([2; 16]);

fn environment(index: usize) -> EnvironmentId {
    EnvironmentId::from_bytes([u8::try_from(index).expect("few"); 16])
}

fn tenant(index: usize) -> TenantId {
    TenantId::from_bytes([u8::try_from(index).expect("few"); 16])
}

impl Successes for Small {
    fn succeeded(&self, _: ReleaseId, at: EnvironmentId, by: Option<TenantId>) -> bool {
        self.successes.iter().any(|(id, who)| environment(*id) == at && who.map(tenant) == by)
    }

    fn succeeded_for_anybody(&self, _: ReleaseId, at: EnvironmentId) -> bool {
        self.successes.iter().any(|(id, _)| environment(*id) == at)
    }
}

#[test]
fn promotion_is_what_the_sentences_of_the_rules_say() {
    let (mut open, mut closed) = (0, 0);
    chance::cases(3000, &small(), |small| {
        let all: Vec<_> = (0..small.environments).map(environment).collect();
        let phases = phases(&small.lifecycle(), &all, |_| "environment".to_owned());
        for to in 0..small.environments {
            for lane in std::iter::once(None).chain((0..small.tenants.len()).map(Some)) {
                let who = lane.map(|index| small.tenant(index));
                let may = check(&phases, &small, PROJECT, RELEASE, environment(to), who.as_ref()).is_ok();
                assert_eq!(may, small.may_go(to, lane), "environment {to} for {lane:?}");
                *if may { &mut open } else { &mut closed } += 1;
            }
        }
    });
    assert!(open > 1000 && closed > 1000, "both answers are common: {open} and {closed}");
}
