//! Targets: what they say, what they are granted, and what ends them (SEMANTICS 3).

use std::collections::{BTreeMap, BTreeSet};

use windlass_api::error::Problem;
use windlass_api::requests::GrantText;
use windlass_protocol::Timestamp;
use windlass_protocol::ids::TargetId;
use windlass_protocol::message::{Advertised, Isolation, Participation};
use windlass_protocol::names::visible;

use super::{Draft, Reply, TargetChange, recheck};
use crate::event::Event;
use crate::model::{Advertisement, Granted, Target};
use crate::names::{PendingTenants, check_role, environment_ids, query};
use crate::query::{Empty, Query};
use crate::scope;
use crate::state::Space;

/// Claims of one target that are told in the journal: a machine that makes up more has made its point, and must not
/// fill the journal or the memory of the coordinator.
const MOST_TOLD_CLAIMS: usize = 1000;

/// The grant that an operator wrote. `before` keeps the participation that was decided when the target was made.
pub(super) fn granted(space: &Space, text: &GrantText, before: Option<&Granted>) -> Result<Granted, Problem> {
    text.roles.iter().try_for_each(|role| check_role(role))?;
    let tenants = query(space, &text.tenants, &PendingTenants::default())?;
    let decided = before.map(|granted| granted.participation);
    let participation =
        text.participation.or(decided).unwrap_or_else(|| scope::participation_by_default(&tenants));
    let environments = environment_ids(space, &text.environments)?;
    Ok(Granted { roles: text.roles.iter().cloned().collect(), environments, tenants, participation })
}

/// What an agent has said that has said nothing: it narrows nothing.
pub(super) const fn nothing_advertised(isolation: Isolation) -> Advertisement {
    Advertisement {
        roles: None,
        environments: None,
        tenants: None,
        participation: None,
        over_claims: BTreeSet::new(),
        isolation,
        agent_version: String::new(),
    }
}

pub(super) fn advertise(
    draft: &mut Draft<'_>,
    id: TargetId,
    advertised: &Advertised,
    isolation: Isolation,
    agent_version: &str,
) -> Result<Reply, Problem> {
    if draft.space().targets.get(id).is_none() {
        return Err(Problem::not_found("there is no such target"));
    }
    advertise_to(draft, id, advertised, isolation, agent_version);
    recheck::target(draft, id);
    Ok(Reply::Done)
}

/// Records what is new in what an agent says, over-claims once.
pub(super) fn advertise_to(
    draft: &mut Draft<'_>,
    id: TargetId,
    said: &Advertised,
    isolation: Isolation,
    agent_version: &str,
) {
    let space = draft.space();
    let Some(target) = space.targets.get(id) else { return };
    let new = understand(space, &target.granted, said, isolation, agent_version);
    if new == target.advertised {
        return;
    }
    let room = MOST_TOLD_CLAIMS.saturating_sub(target.told_claims.len());
    let claims: BTreeSet<_> = new.over_claims.difference(&target.told_claims).take(room).cloned().collect();
    draft.emit(Event::TargetAdvertised { target: id, advertised: new });
    if !claims.is_empty() {
        draft.emit(Event::OverClaimed { target: id, claims });
    }
}

/// What an agent's words come to: names become ids, and what lies outside the grant becomes an over-claim, whether it
/// exists or not.
fn understand(
    space: &Space,
    granted: &Granted,
    said: &Advertised,
    isolation: Isolation,
    agent_version: &str,
) -> Advertisement {
    let mut over_claims = BTreeSet::new();
    let mut claim = |kind: &str, name: &str| {
        // The agent's own words, which operators read on their terminals.
        over_claims.insert(visible(&format!("{kind} {name}")).into_owned());
    };
    let roles = said.roles.as_ref().map(|roles| {
        let (inside, outside): (BTreeSet<_>, BTreeSet<_>) =
            roles.iter().cloned().partition(|role| granted.roles.contains(role));
        outside.iter().for_each(|role| claim("role", role));
        inside
    });
    let environments = said.environments.as_ref().map(|names| {
        let mut inside = BTreeSet::new();
        for name in names {
            match space.environments.named(name).filter(|found| granted.environments.contains(&found.id)) {
                Some(found) => {
                    inside.insert(found.id);
                }
                None => claim("environment", name),
            }
        }
        inside
    });
    let nothing = said.tenants.is_none() && said.tenant_tags.is_none();
    let tenants = (!nothing).then(|| {
        let mut query = Query::default();
        for name in said.tenants.iter().flatten() {
            let granted = |tenant: &&crate::model::Tenant| {
                granted.tenants.matches(*tenant, Empty::MeansNobody).is_some()
            };
            match space.tenants.named(name).filter(granted) {
                Some(tenant) => {
                    query.tenants.insert(tenant.id);
                }
                None => claim("tenant", name),
            }
        }
        for name in said.tenant_tags.iter().flatten() {
            match granted_tag(space, granted, name) {
                Some((set, tag)) => {
                    query.tags.entry(set).or_default().insert(tag);
                }
                None => claim("tenant tag", name),
            }
        }
        query
    });
    let participation = said.participation;
    if let Some(said) = participation
        && granted.participation != Participation::Both
        && granted.participation != said
    {
        claim("participation", &format!("{said:?}").to_lowercase());
    }
    let agent_version = visible(agent_version).into_owned();
    Advertisement { roles, environments, tenants, participation, over_claims, isolation, agent_version }
}

/// The tag of this name, if the grant has anything to do with it: it names the tag, or admits a tenant that carries
/// it.
fn granted_tag(
    space: &Space,
    granted: &Granted,
    name: &str,
) -> Option<(windlass_protocol::ids::TagSetId, windlass_protocol::ids::TagId)> {
    let (set, tag) = name.split_once('/')?;
    let set = space.tag_sets.named(set.trim())?;
    let folded = windlass_protocol::names::fold(tag.trim());
    let tag = set.tags.iter().find(|known| known.name.folded() == folded)?.id;
    let named = granted.tenants.tags.values().any(|tags| tags.contains(&tag));
    let admitted = || {
        let mut carrying = space.tenants.iter().filter(|tenant| tenant.tags.contains(&tag));
        carrying.any(|tenant| granted.tenants.matches(tenant, Empty::MeansNobody).is_some())
    };
    (named || admitted()).then_some((set.id, tag))
}

pub(super) fn change(draft: &mut Draft<'_>, name: &str, change: &TargetChange) -> Result<Reply, Problem> {
    let target = draft.space().targets.find(name)?.clone();
    let id = target.id;
    match change {
        TargetChange::Grant(text) => {
            let granted = granted(draft.space(), text, Some(&target.granted))?;
            if granted != target.granted {
                draft.emit(Event::TargetGranted { target: id, granted });
            }
        }
        TargetChange::Enable if target.enabled => {}
        TargetChange::Enable => draft.emit(Event::TargetEnabled { target: id }),
        TargetChange::Disable if !target.enabled => {}
        TargetChange::Disable => draft.emit(Event::TargetDisabled { target: id }),
        TargetChange::Revoke if target.revoked => {}
        TargetChange::Revoke => draft.emit(Event::TargetRevoked { target: id }),
        TargetChange::Delete => {
            refuse_scoped(draft.space(), &target)?;
            recheck::remove(draft, id, "the target was deleted");
            draft.emit(Event::TargetDeleted { target: id, name: target.name.to_string() });
            return Ok(Reply::Done);
        }
    }
    recheck::target(draft, id);
    Ok(Reply::Done)
}

/// A value that is scoped to a target refers to it.
fn refuse_scoped(space: &Space, target: &Target) -> Result<(), Problem> {
    let projects = space.projects.by_name().map(|project| (&project.name, &project.variables));
    let sets = space.library_sets.by_name().map(|set| (&set.name, &set.variables));
    for (owner, variables) in projects.chain(sets) {
        let scoped = variables
            .iter()
            .find(|variable| variable.values.iter().any(|value| value.scope.targets.contains(&target.id)));
        if let Some(variable) = scoped {
            return Err(Problem::conflict(format!(
                "the target `{}` scopes a value of `{}` in `{owner}`; take it out there first",
                target.name, variable.name
            )));
        }
    }
    Ok(())
}

pub(super) fn renew(draft: &mut Draft<'_>, target: TargetId, expires: Timestamp) -> Result<Reply, Problem> {
    let admitted = draft.space().targets.get(target).is_some_and(|target| !target.revoked);
    if !admitted {
        return Err(Problem::not_found("there is no such target"));
    }
    draft.emit(Event::CertificateRenewed { target, expires });
    Ok(Reply::Done)
}

pub(super) fn record_clone(
    draft: &mut Draft<'_>,
    target: TargetId,
    older: &str,
    newer: &str,
) -> Result<Reply, Problem> {
    draft.emit(Event::CloneSuspected { target, older: older.to_owned(), newer: newer.to_owned() });
    Ok(Reply::Done)
}

pub(super) fn record_denials(
    draft: &mut Draft<'_>,
    target: TargetId,
    counts: &BTreeMap<String, u64>,
) -> Result<Reply, Problem> {
    draft.emit(Event::Denied { target, counts: counts.clone() });
    Ok(Reply::Done)
}
