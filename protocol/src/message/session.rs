//! The control stream: `Hello` and `Welcome`, heartbeats and nudges.

use serde::{Deserialize, Serialize};

use super::assignment::Generation;
use super::bounds;
use crate::codec::{Malformed, Message};
use crate::ids::AssignmentId;
use crate::limits;
use crate::time::Timestamp;

/// Which kinds of deployment a target takes part in (SEMANTICS 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Participation {
    /// Untenanted deployments only.
    Untenanted,
    /// Deployments for a tenant only.
    Tenanted,
    Both,
}

/// What the agent's configuration says of the machine. A dimension left out narrows nothing; an empty list means none
/// (SEMANTICS 3). The names are as written: what they mean, the coordinator decides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advertised {
    /// Roles, such as `web`.
    pub roles: Option<Vec<String>>,
    /// Names or slugs of environments.
    pub environments: Option<Vec<String>>,
    /// Names or slugs of tenants; with `tenant_tags` one query.
    pub tenants: Option<Vec<String>>,
    /// Tags as `Tag Set/Tag`.
    pub tenant_tags: Option<Vec<String>>,
    pub participation: Option<Participation>,
}

impl Advertised {
    pub(super) fn check(&self) -> Result<(), Malformed> {
        let dimensions = [&self.roles, &self.environments, &self.tenants, &self.tenant_tags];
        dimensions.into_iter().flatten().try_for_each(|names| bounds::names(names, limits::ADVERTISED_NAMES))
    }
}

/// How an agent keeps tenants apart that share its machine (SEMANTICS 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// Each (space, tenant) has an operating-system account of its own.
    Accounts,
    /// The agent cannot switch users and therefore serves one tenant at most.
    SingleTenant,
    /// The machine's owner said `isolation = "none"`: steps of all tenants run as the agent's user.
    None,
}

/// The first message of a session, from the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Lowest protocol version that the agent accepts.
    pub lowest: u16,
    /// Highest protocol version that the agent speaks.
    pub highest: u16,
    /// The agent's own version, to be shown.
    pub agent_version: String,
    pub advertised: Advertised,
    /// How the agent keeps tenants apart.
    pub isolation: Isolation,
    /// The highest generation that the agent has stored, if any. Higher than the journal knows: the coordinator was
    /// restored from a backup, and gives nothing until an operator confirms.
    pub generation: Option<Generation>,
    /// What the agent holds unfinished. A step that it told it had started and that is missing here was lost with the
    /// agent's state: the coordinator ends it as of unknown outcome and does not give it again. Full, the list may be a
    /// part of a longer one, and nothing follows from what is missing.
    pub unfinished: Vec<AssignmentId>,
}

impl Message for Hello {
    const LIMIT: usize = 64 << 10;

    fn check(&self) -> Result<(), Malformed> {
        bounds::name(&self.agent_version)?;
        bounds::list(&self.unfinished, limits::UNFINISHED_ASSIGNMENTS)?;
        self.advertised.check()
    }
}

/// A scope in names, to be shown to people on the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectiveScope {
    pub roles: Vec<String>,
    /// Environments' names.
    pub environments: Vec<String>,
    /// What the tenant query says, in words.
    pub tenants: String,
    /// Participation; `None` where advertised and granted have none in common.
    pub participation: Option<Participation>,
}

/// The answer to `Hello`: the session stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The protocol version of this session.
    pub version: u16,
    /// The coordinator's clock. Agents judge times by it (SEMANTICS 3).
    pub now: Timestamp,
    /// Seconds between heartbeats, paced by the number of agents.
    pub heartbeat_seconds: u16,
    /// The target's name, as operators see it.
    pub target: String,
    /// The target's space, by name.
    pub space: String,
    /// What the target may receive now.
    pub effective: EffectiveScope,
    /// The generation of the newest change in the target's work.
    pub generation: Generation,
    /// Whether the agent's certificate is due for renewal.
    pub renew: bool,
}

/// Why the coordinator ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Goodbye {
    /// No protocol version in common; the lowest one accepted is said.
    Version {
        /// Lowest version that the coordinator accepts.
        lowest: u16,
        /// Highest version that the coordinator speaks.
        highest: u16,
    },
    /// The target is disabled, revoked or deleted: all of its work is withdrawn with it (SEMANTICS 3, while it runs).
    NotAdmitted,
    /// The certificate expired: renewing is all that it can do.
    Expired,
    /// Another session with the same certificate took over: possibly a clone of this machine.
    Replaced,
    /// The agent's `Hello` shows a higher generation than the journal knows.
    FutureGeneration,
    /// The agent broke the protocol.
    Protocol,
    /// The machine's configuration changes too often: what it says now is not recorded, so nothing may rest on it.
    TooOften,
    /// Nothing can be recorded now, for what the coordinator's machine lacks. No denial: it is tried again.
    Busy,
}

/// What an agent says on the control stream after `Hello`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromAgent {
    /// Still here.
    Heartbeat,
    /// How far a pull has come; only shown, never stored.
    Progress {
        /// What is being fetched for.
        assignment: AssignmentId,
        /// Bytes that travelled.
        moved: u64,
        /// Bytes that did not have to.
        saved: u64,
        /// Bytes of the whole.
        total: u64,
    },
}

impl Message for FromAgent {
    const LIMIT: usize = 256;
}

/// What a coordinator says on the control stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromCoordinator {
    /// The session stands; sent again when the target's scope changed.
    Welcome(Box<Welcome>),
    /// Work changed: pull what is newer than what you hold.
    Nudge {
        /// The target's generation now.
        generation: Generation,
    },
    /// Answer to a heartbeat. It repeats the generation, so that a lost nudge heals itself.
    Alive {
        /// The coordinator's clock.
        now: Timestamp,
        /// Seconds until the next heartbeat.
        heartbeat_seconds: u16,
        /// The target's generation now.
        generation: Generation,
    },
    /// The session ends.
    Goodbye(Goodbye),
}

impl Message for FromCoordinator {
    const LIMIT: usize = 256 << 10;
}
