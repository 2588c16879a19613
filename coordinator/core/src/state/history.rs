//! What succeeded where, in order, and what each target holds of it (SEMANTICS 4 and 8).
//!
//! Promotion, rollback and "what runs there" read this and nothing else. Finished deployments leave memory; this stays.

use std::collections::BTreeSet;

use imbl::{OrdMap, OrdSet, Vector};
use serde::{Deserialize, Serialize};
use windlass_protocol::Digest;
use windlass_protocol::ids::{DeploymentId, EnvironmentId, ReleaseId, StepId, TargetId, TenantId};

use crate::model::{Deployment, DeploymentEnd, Key, Subject};
use crate::promotion::Successes;

/// A success of a (project, environment, tenant or none).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Success {
    /// The place of the record in its space: what is later is newer.
    pub record: u64,
    pub deployment: DeploymentId,
    pub subject: Subject,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub skipped_steps: BTreeSet<StepId>,
    /// Whether the request limited it to some targets: it opens ways, and is not what runs there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub limited: bool,
}

/// The last deployment of a (project, environment, tenant or none) that ended, however it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub deployment: DeploymentId,
    pub subject: Subject,
    pub end: DeploymentEnd,
}

/// What a target holds for one step of a (project, environment, tenant or none).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub release: ReleaseId,
    pub manifest: Digest,
    /// The deployment that brought it.
    pub deployment: DeploymentId,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct History {
    successes: OrdMap<Key, Vector<Success>>,
    attempts: OrdMap<Key, Attempt>,
    held: OrdMap<TargetId, OrdMap<(Key, StepId), Held>>,
    /// For which tenants targets were handed packages: they may hold them, whatever became of the deployment.
    handed: OrdSet<(TargetId, TenantId)>,
    /// Which release ever succeeded where, for whom: an index.
    promoted: OrdSet<(ReleaseId, EnvironmentId, Option<TenantId>)>,
}

/// A history as a snapshot holds it.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(with = "crate::map_as_list")]
    successes: OrdMap<Key, Vector<Success>>,
    #[serde(with = "crate::map_as_list")]
    attempts: OrdMap<Key, Attempt>,
    held: Vec<(TargetId, Key, StepId, Held)>,
    handed: OrdSet<(TargetId, TenantId)>,
}

impl From<Stored> for History {
    fn from(stored: Stored) -> Self {
        let Stored { successes, attempts, held, handed } = stored;
        let mut history = Self { successes, attempts, handed, ..Self::default() };
        for (target, key, step, held) in held {
            history.held.entry(target).or_default().insert((key, step), held);
        }
        for ((_, environment, tenant), successes) in &history.successes {
            for success in successes {
                let Subject::Release(release) = success.subject;
                history.promoted.insert((release, *environment, *tenant));
            }
        }
        history
    }
}

impl From<History> for Stored {
    fn from(history: History) -> Self {
        let held = history.held().map(|(target, key, step, held)| (target, key, step, *held)).collect();
        let History { successes, attempts, held: _, handed, promoted: _ } = history;
        Self { successes, attempts, held, handed }
    }
}

impl History {
    /// Everything that was ever deployed, wherever and however it ended.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        self.attempts.keys().copied()
    }

    /// The successes of a (project, environment, tenant or none), the oldest first.
    pub fn successes(&self, key: Key) -> impl DoubleEndedIterator<Item = &Success> {
        self.successes.get(&key).into_iter().flatten()
    }

    /// What runs there: the newest success that was not limited to some targets.
    pub fn current(&self, key: Key) -> Option<&Success> {
        self.successes(key).rev().find(|success| !success.limited)
    }

    /// The last deployment there that ended.
    pub fn last_attempt(&self, key: Key) -> Option<&Attempt> {
        self.attempts.get(&key)
    }

    /// What each target holds.
    pub(crate) fn held(&self) -> impl Iterator<Item = (TargetId, Key, StepId, &Held)> {
        let each = self.held.iter();
        each.flat_map(|(target, held)| held.iter().map(|((key, step), held)| (*target, *key, *step, held)))
    }

    /// What a target holds.
    pub fn held_by(&self, target: TargetId) -> impl Iterator<Item = (&(Key, StepId), &Held)> {
        self.held.get(&target).into_iter().flatten()
    }

    /// Whose packages a target may hold, as far as they are tenants'.
    pub fn may_hold_of(&self, target: TargetId) -> impl Iterator<Item = TenantId> {
        let first = TenantId::from_bytes([0; 16]);
        let handed = self.handed.range((target, first)..).take_while(move |(of, _)| *of == target);
        let handed = handed.map(|(_, tenant)| *tenant);
        handed.chain(self.held_by(target).filter_map(|(((_, _, tenant), _), _)| *tenant))
    }

    /// For whom a release ever succeeded in an environment; none stands for untenanted.
    pub fn succeeded_for(
        &self,
        release: ReleaseId,
        environment: EnvironmentId,
    ) -> impl Iterator<Item = Option<TenantId>> {
        let from = self.promoted.range((release, environment, None)..);
        let here = from.take_while(move |(of, place, _)| *of == release && *place == environment);
        here.map(|(_, _, tenant)| *tenant)
    }

    /// The part of it that is about these tenants.
    pub(crate) fn of(&self, tenants: impl Fn(TenantId) -> bool) -> Self {
        let theirs = |(_, _, tenant): &Key| tenant.is_some_and(&tenants);
        let stored = Stored::from(self.clone());
        Self::from(Stored {
            successes: stored.successes.into_iter().filter(|(key, _)| theirs(key)).collect(),
            attempts: stored.attempts.into_iter().filter(|(key, _)| theirs(key)).collect(),
            held: stored.held.into_iter().filter(|(_, key, ..)| theirs(key)).collect(),
            handed: stored.handed.into_iter().filter(|(_, tenant)| tenants(*tenant)).collect(),
        })
    }

    /// Which releases were deployed where, as far as that is known: those that succeeded, and the last ones.
    pub(crate) fn releases(&self) -> impl Iterator<Item = (ReleaseId, Key)> {
        let successes = self.successes.iter();
        let succeeded = successes.flat_map(|(key, all)| all.iter().map(|success| (*key, success.subject)));
        let last = self.attempts.iter().map(|(key, attempt)| (*key, attempt.subject));
        succeeded.chain(last).map(|(key, Subject::Release(release))| (release, key))
    }

    /// Adds a deployment that has ended with the record of this number.
    pub(super) fn ended(&mut self, record: u64, deployment: &Deployment, end: DeploymentEnd) {
        let (key, subject) = (deployment.key(), deployment.subject);
        self.attempts.insert(key, Attempt { deployment: deployment.id, subject, end });
        if end != DeploymentEnd::Succeeded {
            return;
        }
        let Subject::Release(release) = subject;
        self.promoted.insert((release, deployment.environment, deployment.tenant));
        self.successes.entry(key).or_default().push_back(Success {
            record,
            deployment: deployment.id,
            subject,
            skipped_steps: deployment.skipped_steps.clone(),
            limited: deployment.only_targets.is_some() || !deployment.excluded_targets.is_empty(),
        });
    }

    /// A package step succeeded on a target.
    pub(super) fn holds(&mut self, target: TargetId, key: Key, step: StepId, held: Held) {
        self.held.entry(target).or_default().insert((key, step), held);
    }

    /// A target is handed a package of a tenant's deployment.
    pub(super) fn is_handed(&mut self, target: TargetId, tenant: TenantId) {
        self.handed.insert((target, tenant));
    }

    /// Another key is another machine, as far as anybody can know, and a deleted target is none: it holds nothing.
    pub(super) fn holds_nothing(&mut self, target: TargetId) {
        let tenants: Vec<_> = self.may_hold_of(target).collect();
        for tenant in tenants {
            self.handed.remove(&(target, tenant));
        }
        self.held.remove(&target);
    }
}

impl Successes for History {
    fn succeeded(&self, release: ReleaseId, environment: EnvironmentId, tenant: Option<TenantId>) -> bool {
        self.promoted.contains(&(release, environment, tenant))
    }

    fn succeeded_for_anybody(&self, release: ReleaseId, environment: EnvironmentId) -> bool {
        self.succeeded_for(release, environment).next().is_some()
    }
}
