//! Whether something that waits may start: the one function that the scheduling pass asks and that plans print.
//!
//! It is asked at admission only. What was admitted is never stopped by what would hold it back now.

use windlass_api::plan::WaitRule;
use windlass_protocol::ids::DeploymentId;

use crate::model::{Key, Project, Release};
use crate::plan::{self, TenantRefusal};
use crate::state::{Asked, Flow, Space};

/// Something that waits to start.
#[derive(Clone, Copy)]
pub struct Wish<'a> {
    pub project: &'a Project,
    /// What is to be deployed.
    pub release: &'a Release,
    /// What may run once at a time.
    pub key: Key,
    /// When it was asked for; none where somebody only asks what would be.
    pub asked: Option<Asked>,
}

/// What is said to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It may start now.
    Ready,
    /// Something else comes first: all that it waits for.
    Waits(Vec<WaitRule>),
    /// It may not be: every rule, the first one first.
    Refused(Vec<TenantRefusal>),
}

pub fn admit(space: &Space, wish: &Wish<'_>) -> Admission {
    let (_, environment, tenant) = wish.key;
    let refusals = plan::judge(space, space, wish.project, wish.release, environment, tenant);
    if !refusals.is_empty() {
        return Admission::Refused(refusals);
    }
    let waits = waits(space, wish.key, wish.asked);
    if waits.is_empty() { Admission::Ready } else { Admission::Waits(waits) }
}

/// What a deployment with this key waits for, that was or is asked for then.
pub fn waits(space: &Space, key: Key, asked: Option<Asked>) -> Vec<WaitRule> {
    let mut rules = Vec::new();
    if before(space, key, asked).next().is_some() {
        rules.push(WaitRule::Queue);
    }
    let (_, _, tenant) = key;
    if !has_slot(space, tenant) {
        rules.push(WaitRule::Cap);
    }
    rules
}

/// The deployments with the same key that come first, in their order: the one that runs, and those that were asked for
/// before.
pub fn before(space: &Space, key: Key, asked: Option<Asked>) -> impl Iterator<Item = DeploymentId> {
    space.turns(key).into_iter().flat_map(move |turns| {
        let earlier = turns.waiting.iter().take_while(move |(at, _)| asked.is_none_or(|asked| **at < asked));
        let waiting = earlier.map(|(_, id)| *id);
        turns.running.into_iter().chain(waiting)
    })
}

/// Whether the space, and the tenant within it, may have one more that runs.
pub fn has_slot(space: &Space, flow: Flow) -> bool {
    space.indexes.slots_taken < space.caps.space && space.flow_has_slot(flow)
}
