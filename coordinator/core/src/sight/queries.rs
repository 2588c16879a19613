//! Whom somebody sees, and what is left of queries and of an agent's words for them.
//!
//! What is left matches, of those who are seen, exactly whom the whole matches.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use windlass_protocol::ids::{EnvironmentId, ProjectId, TagId, TagSetId, TemplateId, TenantId};
use windlass_protocol::message::Participation;

use crate::model::{Advertisement, Project, SaidTags, Template, Tenant, TenantLimit};
use crate::query::{Empty, Query};
use crate::state::{Flow, Space};

/// The tenants that are seen, where they are and were, and what they carry.
pub(super) struct VisibleTenants<'a> {
    whole: &'a Space,
    pub(super) tenants: BTreeMap<TenantId, &'a Tenant>,
    pub(super) connected: BTreeMap<ProjectId, BTreeSet<EnvironmentId>>,
    /// Where they are or something of theirs was.
    pub(super) places: BTreeMap<ProjectId, BTreeSet<EnvironmentId>>,
    pub(super) environments: BTreeSet<EnvironmentId>,
    pub(super) tags: BTreeSet<TagId>,
    /// What they have values of their own for.
    pub(super) templates: BTreeSet<TemplateId>,
    /// Whom queries match of them, each looked at once: releases repeat them.
    matched: RefCell<BTreeMap<Query, Rc<BTreeSet<TenantId>>>>,
}

impl<'a> VisibleTenants<'a> {
    pub(super) fn by(whole: &'a Space, limits: &'a [TenantLimit]) -> Self {
        let all = |tenant: &&Tenant| {
            limits.iter().all(|limit| limit.tenants.matches(*tenant, Empty::MeansNobody).is_some())
        };
        // The first limit finds them, so that it costs who is seen and not who there is.
        let found = limits.first().into_iter().flat_map(|limit| whole.admitted_tenants(&limit.tenants));
        let tenants: BTreeMap<_, _> = found.filter(all).map(|tenant| (tenant.id, tenant)).collect();
        let mut connected: BTreeMap<ProjectId, BTreeSet<EnvironmentId>> = BTreeMap::new();
        for (project, environments) in tenants.values().flat_map(|tenant| &tenant.projects) {
            connected.entry(*project).or_default().extend(environments);
        }
        // What was theirs stays theirs.
        let mut places = connected.clone();
        let flows: Vec<Flow> = tenants.keys().map(|tenant| Some(*tenant)).collect();
        let open = whole.open_of(&flows).into_iter().filter_map(|id| whole.deployments.get(&id));
        let deployed = open.map(|found| found.key()).chain(whole.history.keys());
        for (project, environment, _) in
            deployed.filter(|(.., of)| of.is_some_and(|of| tenants.contains_key(&of)))
        {
            places.entry(project).or_default().insert(environment);
        }
        // What asks for values that they have given: those are their own, wherever they are connected.
        let valued = tenants.values().flat_map(|tenant| whole.values_of(tenant).map(|(place, _)| *place));
        let valued: BTreeSet<_> = valued.collect();
        let templates: BTreeSet<_> = valued.iter().map(|(template, _)| *template).collect();
        let asks = |project: &&Project| project.templates.iter().any(|found| templates.contains(&found.id));
        for project in whole.projects.iter().filter(asks) {
            places.entry(project.id).or_default();
        }
        let valued = valued.into_iter().filter_map(|(_, environment)| environment);
        let environments = places.values().flatten().copied().chain(valued).collect();
        let tags = tenants.values().flat_map(|tenant| &tenant.tags).copied().collect();
        let matched = RefCell::default();
        Self { whole, tenants, connected, places, environments, tags, templates, matched }
    }

    /// Whether a query, where an empty one means everybody, matches one of these, who are seen.
    pub(super) fn matches(&self, query: &Query, of: &BTreeSet<TenantId>) -> bool {
        if query.is_empty() {
            return !of.is_empty();
        }
        let mut matched = self.matched.borrow_mut();
        let matched = matched.entry(query.clone()).or_insert_with(|| {
            let admitted = |tenant: &&&Tenant| query.matches(**tenant, Empty::MeansEverybody).is_some();
            Rc::new(self.tenants.values().filter(admitted).map(|tenant| tenant.id).collect())
        });
        !matched.is_disjoint(of)
    }

    /// Whether somebody who is seen has a value of their own for one of these.
    pub(super) fn has_value(&self, templates: &[Template]) -> bool {
        templates.iter().any(|template| self.templates.contains(&template.id))
    }

    /// Those of these that somebody who is seen has a value of their own for, as what names it. What they were told beside
    /// that may be news since they left.
    pub(super) fn own_templates(&self, templates: &[Template]) -> Vec<Template> {
        let own = templates.iter().filter(|template| self.templates.contains(&template.id));
        own.map(|template| {
            let Template { id, name, label: _, help: _, default: _, control, options: _ } = template.clone();
            let (label, help, default, options) = Default::default();
            Template { id, name, label, help, default, control, options }
        })
        .collect()
    }

    /// What is left of a query; `None` where it matches nobody who is seen.
    pub(super) fn query(&self, query: &Query, empty: Empty) -> Option<Query> {
        self.tenants.values().find(|tenant| query.matches(**tenant, empty).is_some())?;
        let carried =
            |tags: &BTreeSet<TagId>| tags.intersection(&self.tags).copied().collect::<BTreeSet<_>>();
        let tags: BTreeMap<_, _> = query.tags.iter().map(|(set, tags)| (*set, carried(tags))).collect();
        // Of a set of which nobody here carries a tag, nobody is matched by tags at all: without it they would be.
        let tags = if tags.values().any(BTreeSet::is_empty) { BTreeMap::new() } else { tags };
        let known =
            |ids: &BTreeSet<_>| ids.iter().copied().filter(|id| self.tenants.contains_key(id)).collect();
        let left = Query {
            tenants: known(&query.tenants),
            tags,
            excluded_tenants: known(&query.excluded_tenants),
            excluded_tags: carried(&query.excluded_tags),
            narrowed: false,
        };
        // A value that is scoped by it stays scoped, whoever it excludes.
        Some(Query { narrowed: left.is_empty() && !query.is_empty(), ..left })
    }

    /// What is left of what an agent says: the names of what is seen. A name that nothing has is nobody's.
    pub(super) fn advertisement(&self, said: &Advertisement, seen_roles: &BTreeSet<String>) -> Advertisement {
        let Advertisement {
            mut roles,
            mut environments,
            mut tenants,
            tenant_tags,
            participation,
            isolation,
            agent_version,
        } = said.clone();
        if let Some(roles) = &mut roles {
            roles.retain(|role| seen_roles.contains(role));
        }
        if let Some(names) = &mut environments {
            let all = &self.whole.environments;
            names.retain(|name| all.named(name).is_some_and(|found| self.environments.contains(&found.id)));
        }
        if let Some(names) = &mut tenants {
            let all = &self.whole.tenants;
            names.retain(|name| all.named(name).is_some_and(|found| self.tenants.contains_key(&found.id)));
        }
        Advertisement {
            roles,
            environments,
            tenants,
            tenant_tags: tenant_tags.map(|said| self.said_tags(&said)),
            participation: participation.map(|_| Participation::Tenanted),
            isolation,
            agent_version,
        }
    }

    fn said_tags(&self, said: &SaidTags) -> SaidTags {
        let carried = |text: &str| self.whole.tag(text).filter(|(_, tag)| self.tags.contains(tag));
        let kept = || said.iter().filter(|text| carried(text).is_some());
        let sets: BTreeSet<_> = kept().filter_map(carried).map(|(set, _)| set).collect();
        // As with a query: a set of which nobody here carries a tag takes the others with it.
        match said.by_set() {
            Some(all) if all.keys().all(|set| self.is_one_of(set, &sets)) => {
                kept().map(str::to_owned).collect()
            }
            _ => SaidTags::from_iter([]),
        }
    }

    fn is_one_of(&self, set: &str, sets: &BTreeSet<TagSetId>) -> bool {
        self.whole.tag_sets.named(set).is_some_and(|found| sets.contains(&found.id))
    }
}
