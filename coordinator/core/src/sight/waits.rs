//! What a deployment waits for, since when and until when, and who is in the way, as far as who asks sees them.

use std::collections::BTreeSet;

use windlass_api::plan::WaitRule;
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{DeploymentId, TargetId};

use super::Sight;
use crate::admission;
use crate::graph::WorkKind;
use crate::model::{Deployment, DeploymentState, Target};
use crate::plan::{self, Away, Presence};
use crate::state::WorkItem;

/// What a deployment waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub rule: WaitRule,
    pub reason: String,
    /// Since when, as far as that is known.
    pub since: Option<Timestamp>,
    /// When it is given up, where there is a limit.
    pub until: Option<Timestamp>,
    /// The deployment that is in the way, for who sees it.
    pub by: Option<DeploymentId>,
    /// What can be done about it.
    pub advice: Option<String>,
}

/// Who is connected, and when somebody was last heard of: derived, not a part of the state.
#[derive(Clone, Copy)]
pub struct Connected<'a> {
    pub online: Presence<'a>,
    pub last_seen: &'a dyn Fn(TargetId) -> Option<Timestamp>,
}

impl Sight {
    /// What a deployment that is seen waits for: its turn, a slot, and targets that are not connected or busy with
    /// something else.
    pub fn waits(&self, found: &Deployment, now: Timestamp, connected: Connected<'_>) -> Vec<Waiting> {
        match found.state {
            DeploymentState::Ended(_) => Vec::new(),
            DeploymentState::Queued => self.in_queue(found),
            DeploymentState::Running => {
                let open: BTreeSet<_> = found.graph.open().iter().map(|(_, target)| *target).collect();
                let targets = open.into_iter().filter_map(|target| self.space().targets.get(target));
                let waits = targets.filter_map(|target| {
                    self.away(found, target, now, connected).or_else(|| self.busy(found, target))
                });
                waits.collect()
            }
        }
    }

    fn in_queue(&self, found: &Deployment) -> Vec<Waiting> {
        let (whole, key, asked) = (self.whole(), found.key(), Some(found.asked));
        let before: Vec<_> = admission::before(whole, key, asked).collect();
        let waiting = |rule| {
            let first = before.first().copied().filter(|_| rule == WaitRule::Queue);
            let by = first.filter(|first| self.space().deployments.contains_key(first));
            let reason = plan::wait_sentence(rule, &before, self.space());
            Waiting { rule, reason, since: Some(found.created), until: None, by, advice: by.map(cancelling) }
        };
        admission::waits(whole, key, asked).into_iter().map(waiting).collect()
    }

    fn away(
        &self,
        found: &Deployment,
        target: &Target,
        now: Timestamp,
        connected: Connected<'_>,
    ) -> Option<Waiting> {
        let away = Away::of(target, now, (connected.online)(target.id))?;
        let lost = self.space().lost.get(&target.id).copied();
        let since = match away {
            Away::CertificateExpired => Some(target.key.certificate_expires),
            Away::Held | Away::Offline => lost.or_else(|| (connected.last_seen)(target.id)),
        };
        // Until it is recorded that it is lost, the time for which it is waited for does not run.
        let until =
            lost.and_then(|_| self.work(target.id).filter(is_of(found.id)).map(|item| item.deadline).min());
        let advice = away.advice().map(str::to_owned);
        Some(Waiting { rule: WaitRule::Offline, reason: away.reason(target), since, until, by: None, advice })
    }

    /// Whether a target that has work of a deployment has begun something else: steps come one after the other.
    fn busy(&self, found: &Deployment, target: &Target) -> Option<Waiting> {
        let is_run = |item: &&WorkItem| !item.started && matches!(item.kind, WorkKind::Run(_));
        let own = self.work(target.id).filter(is_of(found.id)).find(is_run)?;
        let others = || self.work(target.id).filter(|item| item.deployment != found.id && item.started);
        // What is of the same tenant is in the way; what is of another one, only where the machine does one thing at a time.
        let is_nearer = |item: &&WorkItem| {
            self.whole().deployments.get(&item.deployment).is_some_and(|other| other.tenant == found.tenant)
        };
        let other = others().find(is_nearer).or_else(|| others().next())?.deployment;
        let reason = match plan::called(self.space(), other) {
            Some(other) => format!("target `{}` is busy with another deployment: {other}", target.name),
            None => format!("target `{}` is busy with other work", target.name),
        };
        let by = Some(other).filter(|other| self.space().deployments.contains_key(other));
        let (since, until) = (Some(own.since), Some(own.deadline));
        Some(Waiting { rule: WaitRule::Busy, reason, since, until, by, advice: by.map(cancelling) })
    }

    fn work(&self, target: TargetId) -> impl Iterator<Item = &WorkItem> {
        self.whole().work_of(target).map(|(_, item)| item)
    }
}

fn is_of(deployment: DeploymentId) -> impl Fn(&&WorkItem) -> bool {
    move |item| item.deployment == deployment
}

fn cancelling(deployment: DeploymentId) -> String {
    format!("`windlass deployment cancel {deployment}` ends it")
}
