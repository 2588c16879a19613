//! What was seen and changes nothing: no decision rests on it, so it stands in a stream that none reads.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use windlass_protocol::ids::{
    DeploymentId, EnrolmentId, EnvironmentId, ProjectId, ReleaseId, StepId, TagId, TagSetId, TargetId,
    TenantId, TokenId,
};
use windlass_protocol::message::EnrolRefusal;
use windlass_protocol::{Digest, Timestamp};

/// Why somebody whom nobody knows was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StrangerReason {
    /// The token of the API is none, or is not good any more.
    UnknownToken,
    /// The enrolment token is none, or its secret is wrong.
    UnknownEnrolment,
    /// A request to enrol that nobody can answer, whoever sent it.
    MalformedEnrolment,
}

/// Something that was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Observation {
    /// A snapshot of the state was written; it counts because this record names it.
    SnapshotTaken {
        /// The last record that it holds.
        record: u64,
        /// The digest of its file.
        digest: Digest,
    },
    /// Somebody was shown what a deployment would do, with the values that are not sensitive (SEMANTICS 8).
    PlanPrinted {
        project: ProjectId,
        release: ReleaseId,
        /// Where it was asked for.
        environments: BTreeSet<EnvironmentId>,
        /// Tags whose tenants it was asked for, by their sets.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        tags: BTreeMap<TagSetId, BTreeSet<TagId>>,
        digest: String,
        /// How many deployments it shows.
        deployments: usize,
    },
    /// A plan that was shown was asked for by the name of this tenant.
    PlanNamed { release: ReleaseId, tenant: TenantId, digest: String },
    /// Somebody whom nobody knows was refused.
    StrangerRefused {
        reason: StrangerReason,
        /// From where: an address of IPv4, a network of 64 bits of IPv6, or `others`.
        origin: String,
        #[serde(flatten)]
        counted: Counted,
    },
    /// A token was used for what it may not do.
    TokenRefused {
        token: TokenId,
        /// From where, as with strangers.
        origin: String,
        #[serde(flatten)]
        counted: Counted,
    },
    /// Requests of a target were denied, counted by kind since the last such event.
    Denied {
        target: TargetId,
        /// How many, by kind of request.
        counts: BTreeMap<String, u64>,
    },
    /// Two live sessions had one certificate: the older was closed.
    CloneSuspected {
        target: TargetId,
        /// Where the older session came from.
        older: String,
        /// Where the newer one comes from.
        newer: String,
    },
    /// That happened again soon after.
    CloneSuspectedAgain {
        target: TargetId,
        /// Where the older sessions came from.
        older: String,
        /// Where the newer ones came from.
        newer: String,
        #[serde(flatten)]
        counted: Counted,
    },
    /// Uses of an enrolment token were refused for a reason that was told before.
    EnrolmentRefusedAgain {
        enrolment: EnrolmentId,
        rule: EnrolRefusal,
        origin: String,
        #[serde(flatten)]
        counted: Counted,
    },
    /// What was read or pulled before was so again.
    ReadAgain {
        deployment: DeploymentId,
        /// The step whose variables were read; none where it is a package.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepId>,
        target: TargetId,
        /// The digest of the variables, or the package's manifest.
        digest: Digest,
        /// Bytes of content that travelled, of all times.
        bytes: u64,
        #[serde(flatten)]
        counted: Counted,
    },
    /// Pulls of a package ended before their end: a part of it was read.
    PullBroken {
        deployment: DeploymentId,
        target: TargetId,
        manifest: Digest,
        /// Bytes that were written to the agent, of all times.
        bytes: u64,
        #[serde(flatten)]
        counted: Counted,
    },
}

/// How often something happened since it was last told, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    pub count: u64,
    pub first: Timestamp,
    pub last: Timestamp,
}
