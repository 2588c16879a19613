//! Targets: what they are granted, their certificates, and what ends them (SEMANTICS 3).

use std::collections::BTreeMap;

use windlass_api::error::Problem;
use windlass_api::requests::GrantText;
use windlass_protocol::ids::TargetId;
use windlass_protocol::message::Generation;

use super::{Draft, Reply, TargetChange, documents, greetings, identified};
use crate::authorise::{self, Peer};
use crate::event::{Observation, TargetEvent};
use crate::model::Granted;
use crate::names::{PendingTenants, check_role, environment_ids, query};
use crate::scope;
use crate::state::Space;

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

pub(super) fn change(draft: &mut Draft<'_>, name: &str, change: &TargetChange) -> Result<Reply, Problem> {
    let target = draft.space().targets.find(name)?.clone();
    let id = target.id;
    match change {
        TargetChange::Grant(text) => {
            let granted = granted(draft.space(), text, Some(&target.granted))?;
            if granted != target.granted {
                draft.emit(TargetEvent::Granted { target: id, granted });
                greetings::tell_claims(draft, id);
            }
        }
        TargetChange::Enable if target.enabled => {}
        TargetChange::Enable => draft.emit(TargetEvent::Enabled { target: id }),
        TargetChange::Disable if !target.enabled => {}
        TargetChange::Disable => draft.emit(TargetEvent::Disabled { target: id }),
        TargetChange::Revoke if target.revoked => {}
        TargetChange::Revoke => draft.emit(TargetEvent::Revoked { target: id }),
        TargetChange::Confirm => {
            if let Some(ahead) = target.ahead.filter(|_| target.is_held()) {
                let epoch = epoch_after(draft.state().epoch, ahead.generation.epoch)?;
                draft.emit(TargetEvent::Confirmed { target: id, generation: ahead.generation, epoch });
            }
        }
        TargetChange::Delete => {
            let users = documents::users_of_target(documents::ReferenceScope::of(draft), id);
            documents::refuse_if_used(&format!("the target `{}`", target.name), users)?;
            draft.emit(TargetEvent::Deleted { target: id, name: target.name.to_string() });
        }
    }
    Ok(Reply::Done)
}

/// How many epochs a machine may be ahead: no installation is taken up again so often.
const EPOCHS_AHEAD: u64 = 1_000_000;

/// An epoch after this one and the one that an agent has seen: an agent takes nothing that is not later.
fn epoch_after(epoch: u64, seen: u64) -> Result<u64, Problem> {
    if seen > epoch.saturating_add(EPOCHS_AHEAD) {
        return Err(Problem::conflict(format!(
            "its agent says that it has seen epoch {seen}, and this is epoch {epoch}: no coordinator has given it that; \
             revoke its key, and enrol the machine again"
        )));
    }
    Ok(epoch.max(seen.saturating_add(1)))
}

/// Holds a target whose agent has seen later work than the journal knows.
pub(super) fn record_ahead(
    draft: &mut Draft<'_>,
    peer: &Peer,
    generation: Generation,
) -> Result<Reply, Problem> {
    let target = identified(draft, peer)?;
    if authorise::is_ahead(draft.state(), target, generation) {
        draft.emit(TargetEvent::Ahead { target, generation });
    }
    Ok(Reply::Done)
}

/// Renews a certificate. The one that the peer shows has to be half over: before, a renewal would be of no use but to
/// fill the journal. Who asks again soon after a renewal, because the answer was lost, gets a certificate as long as
/// that one, and nothing is new.
pub(super) fn renew(draft: &mut Draft<'_>, peer: &Peer, life_seconds: u64) -> Result<Reply, Problem> {
    let target = identified(draft, peer)?;
    let now = draft.now();
    if peer.expires > now.plus_seconds(life_seconds / 2) {
        return Err(Problem::conflict(
            "the certificate is not due for renewal before half of its life is over",
        ));
    }
    let expires = now.plus_seconds(life_seconds);
    let known = draft.space().targets.get(target).map(|target| target.key.certificate_expires);
    // One that lasts longer than certificates do now was made before they were made shorter: this one is news.
    let is_fresh = |known: &windlass_protocol::Timestamp| {
        *known > now.plus_seconds(life_seconds * 3 / 4) && *known <= expires
    };
    if let Some(expires) = known.filter(is_fresh) {
        return Ok(Reply::Renewed { expires });
    }
    draft.emit(TargetEvent::Renewed { target, expires });
    Ok(Reply::Renewed { expires })
}

pub(super) fn record_clone(
    draft: &mut Draft<'_>,
    target: TargetId,
    older: &str,
    newer: &str,
) -> Result<Reply, Problem> {
    draft.emit(Observation::CloneSuspected { target, older: older.to_owned(), newer: newer.to_owned() });
    Ok(Reply::Done)
}

pub(super) fn record_denials(
    draft: &mut Draft<'_>,
    target: TargetId,
    counts: &BTreeMap<String, u64>,
) -> Result<Reply, Problem> {
    draft.emit(Observation::Denied { target, counts: counts.clone() });
    Ok(Reply::Done)
}
