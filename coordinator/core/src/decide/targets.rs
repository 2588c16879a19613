//! Targets: what they say, what they are granted, and what ends them (SEMANTICS 3).

use std::collections::{BTreeMap, BTreeSet};

use windlass_api::error::Problem;
use windlass_api::requests::GrantText;
use windlass_protocol::ids::{AssignmentId, TagId, TargetId};
use windlass_protocol::message::{Advertised, Isolation, Participation};
use windlass_protocol::names::visible;

use super::{Draft, Reply, TargetChange, identified, recheck, reports};
use crate::authorise::Peer;
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

/// What an agent says when it comes.
#[derive(Debug, Clone)]
pub struct Greeting {
    /// Who it is.
    pub peer: Peer,
    /// What its configuration says.
    pub advertised: Advertised,
    /// How it keeps tenants apart.
    pub isolation: Isolation,
    /// The agent's version.
    pub agent_version: String,
    /// What it holds unfinished; none where there is more than it can say.
    pub unfinished: Option<BTreeSet<AssignmentId>>,
    /// Whether it may say something else than before: it has not done so too often lately.
    pub may_change: bool,
}

/// What came of a greeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeted {
    /// It says what it said before.
    Known,
    /// It says something new, and that is recorded.
    Changed,
    /// It says something new too often: nothing is recorded, and nothing rests on it.
    TooOften,
}

pub(super) fn greet(draft: &mut Draft<'_>, greeting: &Greeting) -> Result<Reply, Problem> {
    let id = identified(draft, &greeting.peer)?;
    let Greeting { advertised, isolation, agent_version, .. } = greeting;
    let new = news(draft, id, advertised, *isolation, agent_version);
    if new.is_some() && !greeting.may_change {
        return Ok(Reply::Greeted(Greeted::TooOften));
    }
    let changed = new.is_some();
    if let Some(new) = new {
        advertise(draft, id, new);
        recheck::target(draft, id);
    }
    if let Some(unfinished) = &greeting.unfinished {
        reports::end_lost(draft, id, unfinished);
    }
    Ok(Reply::Greeted(if changed { Greeted::Changed } else { Greeted::Known }))
}

/// Records what is new in what an agent says, over-claims once.
pub(super) fn advertise_to(draft: &mut Draft<'_>, id: TargetId, said: &Advertised, isolation: Isolation) {
    if let Some(new) = news(draft, id, said, isolation, "") {
        advertise(draft, id, new);
    }
}

/// What an agent's words come to, if that is something else than before.
fn news(
    draft: &Draft<'_>,
    id: TargetId,
    said: &Advertised,
    isolation: Isolation,
    agent_version: &str,
) -> Option<Advertisement> {
    let target = draft.space().targets.get(id)?;
    let new = understand(draft.space(), &target.granted, said, isolation, agent_version);
    (new != target.advertised).then_some(new)
}

fn advertise(draft: &mut Draft<'_>, id: TargetId, mut new: Advertisement) {
    let told = draft.space().targets.get(id).map(|target| target.told_claims.clone()).unwrap_or_default();
    let room = MOST_TOLD_CLAIMS.saturating_sub(told.len());
    let claims: BTreeSet<_> = new.over_claims.difference(&told).take(room).cloned().collect();
    // The claims that are told now stand in the record once: with the event that tells them.
    new.over_claims.retain(|claim| !claims.contains(claim));
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
        let tags = match &said.tenant_tags {
            Some(_) => granted_tags(space, granted),
            None => BTreeSet::new(),
        };
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
            match space.tag(name).filter(|(_, tag)| tags.contains(tag)) {
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

/// The tags that a grant has anything to do with: it names them, or admits a tenant that carries them. Made once a
/// greeting, however many tags that names.
fn granted_tags(space: &Space, granted: &Granted) -> BTreeSet<TagId> {
    let named = granted.tenants.tags.values().flatten();
    let carried = space.admitted_tenants(&granted.tenants).flat_map(|tenant| &tenant.tags);
    named.chain(carried).copied().collect()
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

/// Renews a certificate. The one that the peer shows has to be half over: before, a renewal would be of no use but to
/// fill the journal. Who asks again soon after a renewal, because the answer was lost, gets a certificate as long as
/// that one, and nothing is new.
pub(super) fn renew(draft: &mut Draft<'_>, peer: &Peer, life_seconds: u64) -> Result<Reply, Problem> {
    let target = identified(draft, peer)?;
    let now = draft.now();
    if peer.expires > now.plus_seconds(life_seconds / 2) {
        return Err(Problem::conflict("the certificate is not due for renewal before half of its life is over"));
    }
    let known = draft.space().targets.get(target).map(|target| target.key.certificate_expires);
    if let Some(known) = known.filter(|known| *known > now.plus_seconds(life_seconds / 4 * 3)) {
        return Ok(Reply::Renewed { expires: known.min(now.plus_seconds(life_seconds)) });
    }
    let expires = now.plus_seconds(life_seconds);
    draft.emit(Event::CertificateRenewed { target, expires });
    Ok(Reply::Renewed { expires })
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
