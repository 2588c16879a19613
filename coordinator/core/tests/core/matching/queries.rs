//! Tenant queries (SEMANTICS 2): every query over small worlds against a model, and what an empty one means in each
//! place.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use windlass_api::error::ProblemKind;
use windlass_coordinator_core::model::DeploymentEnd;
use windlass_coordinator_core::query::{Empty, Match, Query, Tagged};
use windlass_protocol::ids::{TagId, TagSetId, TenantId};

use crate::world::small;

struct Known {
    id: TenantId,
    tags: BTreeSet<TagId>,
}

impl Tagged for Known {
    fn id(&self) -> TenantId {
        self.id
    }

    fn tags(&self) -> &BTreeSet<TagId> {
        &self.tags
    }
}

fn tag(index: u8) -> TagId {
    TagId::from_bytes([index; 16])
}

/// Tags 0 and 1 belong to one set, 2 to another.
fn set_of(index: u8) -> TagSetId {
    TagSetId::from_bytes([u8::from(index == 2); 16])
}

fn members(bits: u8, among: u8) -> impl Iterator<Item = u8> {
    (0..among).filter(move |index| bits & (1 << index) != 0)
}

fn tenant(index: u8) -> TenantId {
    TenantId::from_bytes([index; 16])
}

/// A query over two tenants and three tags; each field is a set, as bits.
#[derive(Debug, Clone, Copy)]
struct Asked {
    tenants: u8,
    tags: u8,
    excluded_tenants: u8,
    excluded_tags: u8,
}

impl Asked {
    /// All 4 × 8 × 4 × 8 of them.
    fn every() -> impl Iterator<Item = Self> {
        (0..4 * 8 * 4 * 8u16).map(|number| {
            let bits = |from: u16, mask: u16| u8::try_from((number >> from) & mask).expect("few bits");
            Self {
                tenants: bits(0, 3),
                tags: bits(2, 7),
                excluded_tenants: bits(5, 3),
                excluded_tags: bits(7, 7),
            }
        })
    }

    fn query(self) -> Query {
        let mut by_set: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for index in members(self.tags, 3) {
            by_set.entry(set_of(index)).or_default().insert(tag(index));
        }
        Query {
            tenants: members(self.tenants, 2).map(tenant).collect(),
            tags: by_set,
            excluded_tenants: members(self.excluded_tenants, 2).map(tenant).collect(),
            excluded_tags: members(self.excluded_tags, 3).map(tag).collect(),
            narrowed: false,
        }
    }

    /// `named ∪ ((tag 0 OR tag 1) AND tag 2)`, then what is excluded: what it says of the tenant of this number, who
    /// carries these tags.
    fn model(self, index: u8, carried: u8, empty: Empty) -> Option<Match> {
        let has = |set: u8| set & (1 << index) != 0;
        if has(self.excluded_tenants) || self.excluded_tags & carried != 0 {
            return None;
        }
        if self.tenants == 0 && self.tags == 0 {
            return (empty == Empty::MeansEverybody).then_some(Match::Everybody);
        }
        let first = self.tags & 0b011 == 0 || self.tags & carried & 0b011 != 0;
        let second = self.tags & 0b100 == 0 || carried & 0b100 != 0;
        match (has(self.tenants), self.tags != 0 && first && second) {
            (true, _) => Some(Match::Name),
            (false, true) => Some(Match::Tag),
            (false, false) => None,
        }
    }
}

#[test]
fn every_query_over_two_tenants_and_three_tags_matches_as_the_model_says() {
    let (mut worlds, mut matched) = (0, 0);
    for asked in Asked::every() {
        let query = asked.query();
        for number in 0..2 * 8 {
            let (index, carried) = (number / 8, number % 8);
            let known = Known { id: tenant(index), tags: members(carried, 3).map(tag).collect() };
            for empty in [Empty::MeansNobody, Empty::MeansEverybody] {
                let expected = asked.model(index, carried, empty);
                assert_eq!(
                    query.matches(&known, empty),
                    expected,
                    "{asked:?}, tenant {index} with {carried:b}"
                );
                worlds += 1;
                matched += usize::from(expected.is_some());
            }
        }
    }
    eprintln!("{worlds} worlds of a query, a tenant and a place; {matched} match");
    assert_eq!(worlds, (4 * 8 * 4 * 8) * (2 * 8) * 2);
    assert!(matched > 1000 && worlds - matched > 1000, "both answers are common: {matched} of {worlds}");
}

fn deploy(tenants: Value) -> Value {
    json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"], "tenants": tenants})
}

#[test]
fn an_empty_query_of_a_target_means_nobody() {
    let mut world = small();
    world.release("Web", "1.0.0");
    for (index, tenants) in [json!({}), json!({"exclude": {"tenants": ["Beta"]}})].into_iter().enumerate() {
        let name = format!("machine {index}");
        world.enrol(&name, json!({"roles": ["web"], "environments": ["Staging"], "tenants": tenants, "participation": "both"}));
    }
    let deployment = world.deploy(deploy(json!({"tenants": ["Alpha"]})));
    assert_eq!(world.end(deployment), Some(DeploymentEnd::NothingDone));
}

#[test]
fn an_empty_query_of_a_step_means_everybody_and_a_query_nobody_untenanted() {
    let mut world = small();
    let step = |tenants| {
        json!({"kind": "project", "name": "Web", "tenancy": "tenanted-or-untenanted", "lifecycle": "Free",
        "steps": [{"name": "Install", "roles": ["web"], "script": {"body": "true"}, "tenants": tenants}]})
    };
    let all = json!({"tenants": ["Alpha", "Beta"]});
    world.enrol(
        "machine",
        json!({"roles": ["web"], "environments": ["Staging"], "tenants": all, "participation": "both"}),
    );
    let cases = [
        (json!({}), [true, true, true]),
        (json!({"tenants": ["Alpha"]}), [true, false, false]),
        (json!({"tags": ["Ring/Stable"]}), [false, true, false]),
        (json!({"exclude": {"tags": ["Ring/Stable"]}}), [true, false, false]),
    ];
    for (index, (query, runs)) in cases.into_iter().enumerate() {
        let mut world = world.clone();
        let version = format!("{}.0.0", index + 1);
        world.apply(&[step(query.clone())]);
        world.release("Web", &version);
        for (tenant, runs) in [Some("Alpha"), Some("Beta"), None].into_iter().zip(runs) {
            let named: Vec<_> = tenant.into_iter().collect();
            let request = json!({"project": "Web", "version": version, "environments": ["Staging"], "tenants": {"tenants": named}});
            let deployment = world.deploy(request);
            assert_eq!(world.end(deployment).is_none(), runs, "{query} for {tenant:?}");
        }
    }
}

#[test]
fn a_deployment_whose_query_includes_nobody_is_an_error() {
    let mut world = small();
    world.release("Web", "1.0.0");
    let cases = [
        (
            json!({"exclude": {"tenants": ["Alpha"]}}),
            "the tenants are only excluded, none is included; name a tenant or a tag",
        ),
        (json!({"tags": ["Tier/Iron"]}), "no tenant matches these tenants and tags"),
        (
            json!({"tenants": ["Alpha"], "exclude": {"tenants": ["Alpha"]}}),
            "no tenant matches these tenants and tags",
        ),
    ];
    for (tenants, sentence) in cases {
        let problem = world.try_deploy(deploy(tenants)).expect_err("nobody is no deployment");
        assert_eq!(problem.message, sentence);
    }
}

#[test]
fn an_unknown_tenant_or_tag_is_an_error_in_every_place() {
    let mut world = small();
    world.release("Web", "1.0.0");
    let unknown = [
        (json!({"tenants": ["Alpa"]}), "there is no tenant `Alpa`; did you mean `Alpha`?"),
        (json!({"tenants": ["Alph"]}), "there is no tenant `Alph`; did you mean `Alpha`?"),
        (json!({"exclude": {"tenants": ["Nobody"]}}), "there is no tenant `Nobody`"),
        (json!({"tags": ["Ring/Canari"]}), "there is no tag `Canari` in `Ring`; did you mean `Canary`?"),
        (json!({"exclude": {"tags": ["Rinse/Canary"]}}), "there is no tag set `Rinse`; did you mean `Ring`?"),
    ];
    for (query, sentence) in unknown {
        let step = json!({"kind": "project", "name": "Web", "steps": [
            {"name": "Install", "roles": ["web"], "script": {"body": "true"}, "tenants": query}]});
        let value = json!({"kind": "project", "name": "Web", "variables": {"Port": [{"value": "80", "tenants": query}]}});
        let problems = [
            world.try_deploy(deploy(query.clone())).expect_err("a deployment"),
            world.token(json!({"grant": {"tenants": query}})).expect_err("a grant"),
            world.try_apply(&[step]).expect_err("a step"),
            world.try_apply(&[value]).expect_err("a value"),
        ];
        for problem in problems {
            assert!(problem.message.ends_with(sentence), "{} is not about {sentence}", problem.message);
            assert_eq!(problem.kind, ProblemKind::NotFound);
        }
    }
}
