//! What agents say when they come: what is new in it is recorded, and it can only narrow (SEMANTICS 3).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use windlass_api::error::Problem;
use windlass_protocol::ids::{AssignmentId, TagId, TargetId};
use windlass_protocol::message::{Advertised, Isolation, Participation};
use windlass_protocol::names::visible;

use super::{Draft, Reply, identified, reports};
use crate::authorise::Peer;
use crate::event::TargetEvent;
use crate::model::{Advertisement, Granted};
use crate::query::{Empty, Query};
use crate::state::Space;

/// Claims of one target that are told in the journal: a machine that makes up more has made its point, and must not
/// fill the journal or the memory of the coordinator.
const MOST_TOLD_CLAIMS: usize = 1000;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    draft.emit(TargetEvent::Advertised { target: id, advertised: new });
    if !claims.is_empty() {
        draft.emit(TargetEvent::OverClaimed { target: id, claims });
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
