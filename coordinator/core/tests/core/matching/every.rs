//! Every target that there can be, of a small kind, asked every question of a small kind: the rules that leave it out
//! are those that a model of SEMANTICS 3 names, which knows bits and no scopes.

use std::collections::{BTreeMap, BTreeSet};

use windlass_api::plan::TargetRule;
use windlass_coordinator_core::event::{Defined, DefinitionEvent, Stream};
use windlass_coordinator_core::matching::{Question, refusals, waits};
use windlass_coordinator_core::model::{
    Advertisement, Environment, Granted, Tag, TagSet, Target, TargetKey, Tenant,
};
use windlass_coordinator_core::query::Query;
use windlass_coordinator_core::state::Space;
use windlass_protocol::ids::{EnvironmentId, KeyId, TagId, TagSetId, TargetId, TenantId};
use windlass_protocol::message::{Advertised, Isolation, Participation};
use windlass_protocol::{Digest, Timestamp};

use crate::world::{START, World};

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

/// What an agent says of tenants, in its own words.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    tenants: Option<&'static [&'static str]>,
    /// Which of [`SAID_TAGS`], as bits.
    tags: Option<usize>,
}

/// The tag that the first tenant carries; one of the same set that nobody carries, nor is there; one of a set that is not
/// there; and what is no tag.
const SAID_TAGS: [&str; 4] = ["Set/Tag", "set/Nothing", "Nothing/Tag", "no tag"];
const SAID_TENANTS: [&[&str]; 3] = [&[], &["FIRST"], &["second", "nobody"]];

impl Said {
    /// 4 × 17 of them.
    fn every() -> Vec<Self> {
        let tenants = std::iter::once(None).chain(SAID_TENANTS.map(Some));
        let tags = || std::iter::once(None).chain((0..16).map(Some));
        tenants.flat_map(|tenants| tags().map(move |tags| Self { tenants, tags })).collect()
    }

    /// Whether it leaves a tenant in: nothing said narrows nothing; a tag of each set that is named, and who is named.
    fn leaves_in(self, tenant: usize) -> bool {
        let name = ["first", "second"][tenant];
        let named = self.tenants.is_some_and(|names| names.iter().any(|said| said.to_lowercase() == name));
        let by_tags = tenant == 0 && self.tags.is_some_and(|tags| tags & 0b1101 == 1);
        (self.tenants.is_none() && self.tags.is_none()) || named || by_tags
    }

    fn put_on(self, target: &mut Target) {
        let texts = |said: &[&str]| said.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let bit = |bits: usize| move |(index, _): &(usize, &&str)| bits & (1 << index) != 0;
        let tags = |bits| SAID_TAGS.iter().enumerate().filter(bit(bits)).map(|(_, tag)| (*tag).to_owned());
        target.advertised.tenants = self.tenants.map(|said| texts(said).into_iter().collect());
        target.advertised.tenant_tags = self.tags.map(|bits| tags(bits).collect());
    }
}

fn tenant_id(index: usize) -> TenantId {
    TenantId::from_bytes([u8::try_from(index).expect("few"); 16])
}

fn tenant(index: usize) -> Tenant {
    Tenant {
        id: tenant_id(index),
        slug: ["first", "second"][index].parse().expect("a slug"),
        name: ["First", "Second"][index].parse().expect("a name"),
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
        advertised: Advertisement::new(&Advertised::default(), Isolation::Accounts, ""),
        told_claims: BTreeSet::new(),
        ahead: None,
    }
}

/// A space with two environments, one tag, and two tenants, of whom the first carries it.
fn space() -> Space {
    let mut world = World::new();
    let stream = Stream::Space(world.space_id());
    let environment = |id, name: &str| {
        Environment::patch(
            None,
            &Environment {
                id,
                slug: name.parse().expect("a slug"),
                name: name.parse().expect("a name"),
                description: String::new(),
                order: 0,
            },
        )
    };
    let tag = Tag { id: TAG, name: "Tag".parse().expect("a name"), colour: None };
    let set = TagSet {
        id: SET,
        slug: "set".parse().expect("a slug"),
        name: "Set".parse().expect("a name"),
        single: false,
        tags: vec![tag],
    };
    let definitions = [
        environment(HERE, "here"),
        environment(ELSEWHERE, "elsewhere"),
        TagSet::patch(None, &set),
        Tenant::patch(None, &tenant(0)),
        Tenant::patch(None, &tenant(1)),
    ];
    for definition in definitions {
        world.forge(stream, DefinitionEvent::Defined { definition }).expect("it can be defined");
    }
    world.space().clone()
}

/// A list that an agent gives, if it gives one: with this name in it, or with none.
fn list_said<T: FromIterator<String>>(said: Option<bool>, name: &str) -> Option<T> {
    said.map(|there| there.then(|| name.to_owned()).into_iter().collect())
}

#[test]
fn every_scope_of_tenants_and_environments_and_roles_leaves_out_what_the_model_says() {
    let role = |name: &str| name.to_owned();
    let wanted = [vec![], vec![role("web")], vec![role("web"), role("db")]].map(BTreeSet::from_iter);
    let granted_roles = [vec![], vec![role("web")], vec![role("db")]].map(BTreeSet::from_iter);
    let granted_environments = [vec![], vec![HERE], vec![ELSEWHERE]].map(BTreeSet::from_iter);
    // What is said of roles and environments: nothing, none, or the one that is asked for.
    let said = [None, Some(false), Some(true)];
    let space = space();
    let tenants = [tenant(0), tenant(1)];
    let none = BTreeSet::new();
    let (mut target, mut worlds, mut admitted) = (target(), 0, 0);
    for granted in Asked::every() {
        target.granted.tenants = granted.query();
        for said_tenants in Said::every() {
            said_tenants.put_on(&mut target);
            for number in 0..3 * 3 * 3 * 3 * 3 {
                let pick = |weight: usize| (number / weight) % 3;
                let (said_here, said_web) = (said[pick(3)], said[pick(27)]);
                target.granted.environments.clone_from(&granted_environments[pick(1)]);
                target.advertised.environments = list_said(said_here, "HERE");
                target.granted.roles.clone_from(&granted_roles[pick(9)]);
                target.advertised.roles = list_said(said_web, "web");
                let wanted = &wanted[pick(81)];
                target.granted.participation = Participation::Both;
                for asker in [None, Some(0), Some(1)] {
                    let tenant = asker.map(|index: usize| &tenants[index]);
                    let (only, now) = (None, START);
                    let question =
                        Question { environment: HERE, tenant, roles: wanted, only, excluded: &none, now };
                    let mut expected = Vec::new();
                    if !target.granted.environments.contains(&HERE) || said_here == Some(false) {
                        expected.push(TargetRule::Environment);
                    }
                    let has = |role: &String| {
                        target.granted.roles.contains(role)
                            && (said_web.is_none() || (said_web == Some(true) && role == "web"))
                    };
                    if !wanted.iter().any(has) {
                        expected.push(TargetRule::Role);
                    }
                    let serves = |index| granted.admits(index) && said_tenants.leaves_in(index);
                    if asker.is_some_and(|index| !serves(index)) {
                        expected.push(TargetRule::Tenant);
                    }
                    let found = refusals(&space, &target, &question);
                    assert_eq!(found, expected, "{target:?} for {asker:?}, {wanted:?}");
                    worlds += 1;
                    admitted += usize::from(expected.is_empty());
                }
            }
        }
    }
    eprintln!("{worlds} worlds of granted and advertised scopes; {admitted} admit");
    assert_eq!(worlds, 16 * (4 * 17) * 3 * 3 * 3 * 3 * 3 * 3);
    assert!(admitted > 1000, "both answers are common: {admitted} of {worlds}");
}

/// What a target is, each dimension in few words.
#[derive(Debug, Clone, Copy)]
struct Standing {
    granted: Participation,
    said: Option<Participation>,
    query: Asked,
    said_query: Said,
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

    fn granted<T: Ord>(self, thing: T) -> BTreeSet<T> {
        self.granted.then_some(thing).into_iter().collect()
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
        let said_queries = [
            Said::default(),
            Said { tenants: Some(&[]), tags: None },
            Said { tenants: Some(&["first"]), tags: None },
            Said { tenants: None, tags: Some(0b0001) },
            Said { tenants: Some(&["second"]), tags: Some(0b0101) },
        ]
        .into_iter();
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
        target.granted.environments = self.here.granted(HERE);
        target.advertised.environments = list_said(self.here.said, "here");
        target.granted.roles = self.role.granted("web".to_owned());
        target.advertised.roles = list_said(self.role.said, "web");
        target.granted.participation = self.granted;
        target.advertised.participation = self.said;
        target.granted.tenants = self.query.query();
        self.said_query.put_on(target);
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
        let serves = |index| self.query.admits(index) && self.said_query.leaves_in(index);
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
    let (limits, space): (Vec<_>, _) = (limits.collect(), space());
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
                let found = refusals(&space, &target, &question);
                assert_eq!(found, expected, "{standing:?}, {limits:?}, {asker:?}");
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
