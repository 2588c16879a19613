//! Ids and times as people read them.

use windlass_api::answers::{DeploymentStatus, IsolationKind, ScopeParticipation};
use windlass_coordinator_core::catalogue::{Catalogue, Named};
use windlass_coordinator_core::graph::WorkKind;
use windlass_coordinator_core::model::{Deployment, DeploymentEnd, DeploymentState};
use windlass_coordinator_core::sight::Sight;
use windlass_coordinator_core::state::Space;
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{EnvironmentId, TenantId, TokenId};
use windlass_protocol::message::{Isolation, Participation};

/// A time as RFC 3339 in UTC, to the second.
pub fn time(time: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(time.milliseconds())
        .map_or_else(|_| "never".to_owned(), |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// The name of the thing with this id; the id where it was deleted.
pub fn name<T: Named>(catalogue: &Catalogue<T>, id: T::Id) -> String {
    catalogue.get(id).map_or_else(|| id.to_string(), |found| found.name().to_string())
}

/// The names of environments, in the environments' own order.
pub fn environments(space: &Space, ids: &std::collections::BTreeSet<EnvironmentId>) -> Vec<String> {
    let in_order = space.environments_in_order();
    in_order.into_iter().filter(|found| ids.contains(&found.id)).map(|found| found.name.to_string()).collect()
}

/// The name of a tenant, where there is one.
pub fn tenant(space: &Space, id: Option<TenantId>) -> Option<String> {
    id.map(|id| name(&space.tenants, id))
}

/// The name of a token; its id where it was deleted. Who is limited is told nothing of another one.
pub fn token(sight: &Sight, id: TokenId) -> String {
    let unknown = || if sight.is_whole() { id.to_string() } else { "another token".to_owned() };
    sight.token(id).map_or_else(unknown, |token| token.name.to_string())
}

/// Where a deployment stands.
pub fn state(deployment: &Deployment) -> DeploymentStatus {
    let graph = &deployment.graph;
    let open = graph.open().iter().filter_map(|(node, _)| graph.node(*node));
    match deployment.state {
        DeploymentState::Queued => DeploymentStatus::Queued,
        DeploymentState::Running => match open.map(|node| node.plot.work).next() {
            Some(WorkKind::Fetch) => DeploymentStatus::Fetching,
            _ => DeploymentStatus::Running,
        },
        DeploymentState::Ended(end) => self::end(end),
    }
}

/// How a deployment ended.
pub const fn end(end: DeploymentEnd) -> DeploymentStatus {
    match end {
        DeploymentEnd::Succeeded => DeploymentStatus::Succeeded,
        DeploymentEnd::Failed => DeploymentStatus::Failed,
        DeploymentEnd::Cancelled => DeploymentStatus::Cancelled,
        DeploymentEnd::NothingDone => DeploymentStatus::NothingDone,
    }
}

pub const fn participation(participation: Participation) -> ScopeParticipation {
    match participation {
        Participation::Untenanted => ScopeParticipation::Untenanted,
        Participation::Tenanted => ScopeParticipation::Tenanted,
        Participation::Both => ScopeParticipation::Both,
    }
}

/// How an agent keeps tenants apart.
pub const fn isolation(isolation: Isolation) -> IsolationKind {
    match isolation {
        Isolation::Accounts => IsolationKind::Accounts,
        Isolation::SingleTenant => IsolationKind::SingleTenant,
        Isolation::None => IsolationKind::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_to_the_second_in_utc() {
        assert_eq!(time(Timestamp::from_milliseconds(1_700_000_000_999)), "2023-11-14T22:13:20Z");
    }
}
