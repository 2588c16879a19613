//! Every target that there can be, of a small kind, asked every question of a small kind: the rules that leave it out
//! are those that a model of SEMANTICS 3 names, which knows bits and no scopes.

use std::collections::{BTreeMap, BTreeSet};

use windlass_api::plan::TargetRule;
use windlass_coordinator_core::matching::{Question, refusals, waits};
use windlass_coordinator_core::model::{Advertisement, Granted, Target, TargetKey, Tenant};
use windlass_coordinator_core::query::Query;
use windlass_protocol::ids::{EnvironmentId, KeyId, TagId, TagSetId, TargetId, TenantId};
use windlass_protocol::message::{Isolation, Participation};
use windlass_protocol::{Digest, Timestamp};

use crate::world::START;

const HERE: EnvironmentId = EnvironmentId::from_bytes([1; 16]);
const ELSEWHERE: EnvironmentId = EnvironmentId::from_bytes([2; 16]);
const SET: TagSetId = TagSetId::from_bytes([3; 16]);
const TAG: TagId = TagId::from_bytes([4; 16]);
const TARGET: TargetId = TargetId::from_bytes([5; 16]);
const OTHER_TARGET: TargetId = TargetId::from_bytes([6; 16]);
const KINDS: [Participation; 3] = [Participation::Untenanted, Participation::Tenanted, Participation::Both];

/// A tenant query over two tenants, of whom the first carries the one tag that there is.
#[derive(Debug, Clone, Copy)]
struct Asked {
    names: [bool; 2],
    tag: bool,
    excludes_tag: bool,
}

impl Asked {
    fn every() -> Vec<Self> {
        let bit = |number: u8, place: u8| number & (1 << place) != 0;
        let asked = |number| Self {
            names: [bit(number, 0), bit(number, 1)],
            tag: bit(number, 2),
            excludes_tag: bit(number, 3),
        };
        (0..16).map(asked).collect()
    }

    /// What a target's query says of a tenant; one that names nobody means nobody.
    fn admits(self, tenant: usize) -> bool {
        let carries = tenant == 0;
        (self.names[tenant] || (self.tag && carries)) && !(self.excludes_tag && carries)
    }

    fn query(self) -> Query {
        let named = (0..2).filter(|index| self.names[*index]).map(tenant_id).collect();
        let tags = self.tag.then(|| (SET, BTreeSet::from([TAG])));
        let excluded_tags = self.excludes_tag.then_some(TAG).into_iter().collect();
        Query { tenants: named, tags: tags.into_iter().collect(), excluded_tags, ..Query::default() }
    }
}

fn tenant_id(index: usize) -> TenantId {
    TenantId::from_bytes([u8::try_from(index).expect("few"); 16])
}

fn tenant(index: usize) -> Tenant {
    Tenant {
        id: tenant_id(index),
        slug: "tenant".parse().expect("a slug"),
        name: "Tenant".parse().expect("a name"),
        enabled: true,
        key: KeyId::from_bytes([0; 16]),
        tags: (index == 0).then_some(TAG).into_iter().collect(),
        projects: BTreeMap::new(),
        values: imbl::OrdMap::new(),
    }
}

fn target() -> Target {
    Target {
        id: TARGET,
        slug: "machine".parse().expect("a slug"),
        name: "machine".parse().expect("a name"),
        enabled: true,
        revoked: false,
        key: TargetKey {
            public_key: Digest::of("key"),
            sealing_key: String::new(),
            certificate_expires: START,
        },
        granted: Granted {
            roles: BTreeSet::from(["web".to_owned()]),
            environments: BTreeSet::from([HERE]),
            tenants: Query::default(),
            participation: Participation::Untenanted,
        },
        advertised: Advertisement {
            roles: None,
            environments: None,
            tenants: None,
            participation: None,
            over_claims: BTreeSet::new(),
            isolation: Isolation::Accounts,
            agent_version: String::new(),
        },
        told_claims: BTreeSet::new(),
    }
}

/// What an advertised list of names may be: left out, or one of these.
fn advertised<T: Ord + Clone, const N: usize>(lists: [&[T]; N]) -> Vec<Option<BTreeSet<T>>> {
    let given = lists.into_iter().map(|list| Some(list.iter().cloned().collect()));
    std::iter::once(None).chain(given).collect()
}

/// One dimension: granted, and not taken away by what is advertised.
fn effective<T: Ord>(granted: &BTreeSet<T>, advertised: Option<&BTreeSet<T>>, wanted: &T) -> bool {
    granted.contains(wanted) && advertised.is_none_or(|advertised| advertised.contains(wanted))
}

#[test]
fn every_scope_of_tenants_and_environments_and_roles_leaves_out_what_the_model_says() {
    let role = |name: &str| name.to_owned();
    let wanted = [vec![], vec![role("web")], vec![role("web"), role("db")]].map(BTreeSet::from_iter);
    let granted_roles = [vec![], vec![role("web")], vec![role("db")]].map(BTreeSet::from_iter);
    let said_roles = advertised([&[], &[role("web")]]);
    let granted_environments = [vec![], vec![HERE], vec![ELSEWHERE]].map(BTreeSet::from_iter);
    let said_environments = advertised([&[], &[HERE]]);
    let said_queries: Vec<_> = std::iter::once(None).chain(Asked::every().into_iter().map(Some)).collect();
    let tenants = [tenant(0), tenant(1)];
    let none = BTreeSet::new();
    let (mut target, mut worlds, mut admitted) = (target(), 0, 0);
    for granted in Asked::every() {
        target.granted.tenants = granted.query();
        for said in &said_queries {
            target.advertised.tenants = said.map(Asked::query);
            for number in 0..3 * 3 * 3 * 3 * 3 {
                let pick = |weight: usize| (number / weight) % 3;
                target.granted.environments.clone_from(&granted_environments[pick(1)]);
                target.advertised.environments.clone_from(&said_environments[pick(3)]);
                target.granted.roles.clone_from(&granted_roles[pick(9)]);
                target.advertised.roles.clone_from(&said_roles[pick(27)]);
                let (wanted, here) = (&wanted[pick(81)], HERE);
                target.granted.participation = Participation::Both;
                for asker in [None, Some(0), Some(1)] {
                    let tenant = asker.map(|index: usize| &tenants[index]);
                    let (only, now) = (None, START);
                    let question =
                        Question { environment: here, tenant, roles: wanted, only, excluded: &none, now };
                    let mut expected = Vec::new();
                    let said_there = target.advertised.environments.as_ref();
                    if !effective(&target.granted.environments, said_there, &here) {
                        expected.push(TargetRule::Environment);
                    }
                    let said_roles = target.advertised.roles.as_ref();
                    if !wanted.iter().any(|role| effective(&target.granted.roles, said_roles, role)) {
                        expected.push(TargetRule::Role);
                    }
                    let serves = |index| granted.admits(index) && said.is_none_or(|said| said.admits(index));
                    if asker.is_some_and(|index| !serves(index)) {
                        expected.push(TargetRule::Tenant);
                    }
                    assert_eq!(
                        refusals(&target, &question),
                        expected,
                        "{target:?} for {asker:?}, {wanted:?}"
                    );
                    worlds += 1;
                    admitted += usize::from(expected.is_empty());
                }
            }
        }
    }
    eprintln!("{worlds} worlds of granted and advertised scopes; {admitted} admit");
    assert_eq!(worlds, 16 * 17 * 3 * 3 * 3 * 3 * 3 * 3);
    assert!(admitted > 1000, "both answers are common: {admitted} of {worlds}");
}

/// What a target is, each dimension in few words.
#[derive(Debug, Clone, Copy)]
struct Standing {
    granted: Participation,
    said: Option<Participation>,
    query: Asked,
    said_query: Option<Asked>,
    here: Dimension,
    role: Dimension,
    enabled: bool,
    revoked: bool,
    expired: bool,
}

/// Whether a list holds the one thing that is asked for: granted; and advertised, where that is not left out.
#[derive(Debug, Clone, Copy)]
struct Dimension {
    granted: bool,
    said: Option<bool>,
}

impl Dimension {
    fn every() -> impl Iterator<Item = Self> + Clone {
        let said = [None, Some(false), Some(true)];
        [false, true].into_iter().flat_map(move |granted| said.map(|said| Self { granted, said }))
    }

    fn holds(self) -> bool {
        self.granted && self.said != Some(false)
    }

    fn lists<T: Ord + Clone>(self, thing: &T) -> (BTreeSet<T>, Option<BTreeSet<T>>) {
        let list = |there: bool| there.then(|| thing.clone()).into_iter().collect();
        (list(self.granted), self.said.map(list))
    }
}

impl Standing {
    /// 3 × 4 participations, 4 × 5 queries, 6 of environments, 6 of roles, and three switches.
    fn every() -> impl Iterator<Item = Self> {
        let asked = |name, tag, excludes_tag| Asked { names: [name, false], tag, excludes_tag };
        let queries = [
            asked(false, false, false),
            asked(true, false, false),
            asked(false, true, false),
            Asked { names: [true, true], tag: false, excludes_tag: true },
        ];
        let said_queries = std::iter::once(None).chain(queries.map(Some));
        let said_kinds = std::iter::once(None).chain(KINDS.map(Some));
        let kinds = KINDS.into_iter().flat_map(move |kind| said_kinds.clone().map(move |said| (kind, said)));
        let queries =
            queries.into_iter().flat_map(move |one| said_queries.clone().map(move |said| (one, said)));
        let lists = Dimension::every().flat_map(|here| Dimension::every().map(move |role| (here, role)));
        kinds.flat_map(move |(granted, said)| {
            let lists = lists.clone();
            queries.clone().flat_map(move |(query, said_query)| {
                lists.clone().flat_map(move |(here, role)| {
                    (0..8).map(move |switches| {
                        let [enabled, revoked, expired] = [1, 2, 4].map(|bit| switches & bit != 0);
                        Self { granted, said, query, said_query, here, role, enabled, revoked, expired }
                    })
                })
            })
        })
    }

    fn put_on(self, target: &mut Target) {
        let role = "web".to_owned();
        (target.granted.environments, target.advertised.environments) = self.here.lists(&HERE);
        (target.granted.roles, target.advertised.roles) = self.role.lists(&role);
        target.granted.participation = self.granted;
        target.advertised.participation = self.said;
        target.granted.tenants = self.query.query();
        target.advertised.tenants = self.said_query.map(Asked::query);
        target.enabled = self.enabled;
        target.revoked = self.revoked;
    }

    /// The participation table of SEMANTICS 3, and what else must hold beside it.
    fn left_out_by(self, limits: Limits, asker: Option<usize>) -> Vec<TargetRule> {
        let takes_part = |kind| match kind {
            Participation::Untenanted => asker.is_none(),
            Participation::Tenanted => asker.is_some(),
            Participation::Both => true,
        };
        let in_common = takes_part(self.granted) && self.said.is_none_or(takes_part);
        let serves =
            |index| self.query.admits(index) && self.said_query.is_none_or(|said| said.admits(index));
        let not_named = limits.only.is_some_and(|only| only != TARGET);
        let broken = [
            (!self.here.holds(), TargetRule::Environment),
            (!self.role.holds(), TargetRule::Role),
            (!in_common, TargetRule::Participation),
            (asker.is_some_and(|index| !serves(index)), TargetRule::Tenant),
            (!self.enabled, TargetRule::Disabled),
            (self.revoked, TargetRule::Revoked),
            (not_named || limits.excluded, TargetRule::Excluded),
        ];
        broken.into_iter().filter_map(|(broken, rule)| broken.then_some(rule)).collect()
    }
}

/// What a request limits itself to: nothing, this target or another one; and whether it excludes this target.
#[derive(Debug, Clone, Copy)]
struct Limits {
    only: Option<TargetId>,
    excluded: bool,
}

#[test]
fn every_standing_of_a_target_in_every_dimension_leaves_out_what_the_model_says() {
    let tenants = [tenant(0), tenant(1)];
    let roles = BTreeSet::from(["web".to_owned()]);
    let limits = [None, Some(TARGET), Some(OTHER_TARGET)].into_iter().flat_map(|only| {
        [false, true].map(|excluded| {
            let excluded_list = BTreeSet::from([if excluded { TARGET } else { OTHER_TARGET }]);
            (Limits { only, excluded }, only.map(|only| BTreeSet::from([only])), excluded_list)
        })
    });
    let limits: Vec<_> = limits.collect();
    let (mut target, mut worlds, mut admitted, mut waiting) = (target(), 0, 0, 0);
    for standing in Standing::every() {
        standing.put_on(&mut target);
        // Good up to its last moment, and not a moment longer.
        let late = i64::from(standing.expired);
        let now = Timestamp::from_milliseconds(START.milliseconds() + late);
        for (limits, only, excluded) in &limits {
            for asker in [None, Some(0), Some(1)] {
                let tenant = asker.map(|index: usize| &tenants[index]);
                let only = only.as_ref();
                let question = Question { environment: HERE, tenant, roles: &roles, only, excluded, now };
                let expected = standing.left_out_by(*limits, asker);
                assert_eq!(refusals(&target, &question), expected, "{standing:?}, {limits:?}, {asker:?}");
                // An expired certificate leaves nobody out: its target is waited for.
                assert_eq!(waits(&target, question.now).is_some(), standing.expired, "{standing:?}");
                worlds += 1;
                admitted += usize::from(expected.is_empty());
                waiting += usize::from(expected.is_empty() && standing.expired);
            }
        }
    }
    eprintln!("{worlds} worlds of a target's standing; {admitted} admit, {waiting} of them wait");
    assert_eq!(worlds, (3 * 4) * (4 * 5) * (2 * 3) * (2 * 3) * 8 * (3 * 2) * 3);
    assert!(admitted > 1000 && waiting * 2 == admitted, "{admitted} of {worlds}, {waiting} wait");
}
