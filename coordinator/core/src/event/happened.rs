//! The events, as one closed list: installation, definitions, targets, deployments, readings.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use windlass_protocol::ids::{DeploymentId, EnrolmentId, KeyId, StepId, TargetId, TenantId, TokenId};
use windlass_protocol::message::Outcome;
use windlass_protocol::{Digest, Timestamp};

use super::{Definition, DefinitionId};
use crate::model::{
    Advertisement, ApiToken, Deployment, DeploymentEnd, DeploymentStep, Enrolment, Granted, Lifecycle,
    Package, Release, StoredValue, Target, TargetKey,
};
use crate::state::SpaceHead;

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
// Events live in short lists, one command long; boxes would only be in the way of who reads them.
#[allow(clippy::large_enum_variant)]
pub enum Event {
    /// The installation was made: the first record.
    Initialised {
        /// SHA-256 of the CA's certificate.
        authority: Digest,
        /// The first space.
        space: SpaceHead,
        /// Its lifecycle `Default`.
        lifecycle: Lifecycle,
        /// The first administrator's token.
        token: ApiToken,
    },
    /// A snapshot of the state was written; it counts because this record names it.
    SnapshotTaken {
        /// The last record that it holds.
        record: u64,
        /// The digest of its file.
        digest: Digest,
    },
    /// A token of the API was made.
    TokenCreated {
        /// The token, without its secret.
        token: ApiToken,
    },
    /// A token was taken back.
    TokenDeleted {
        /// The token.
        token: TokenId,
    },
    /// Something was defined, or defined anew.
    Defined {
        /// As it is from now on.
        definition: Definition,
    },
    /// Something was deleted; nothing referred to it.
    Deleted {
        /// What.
        definition: DefinitionId,
        /// Its name at that time.
        name: String,
    },
    /// The data key of a tenant that was deleted is destroyed: no sensitive value that was sealed with it can be read
    /// any more, wherever it stands (SEMANTICS 11).
    KeyDestroyed {
        /// The key.
        key: KeyId,
        /// Whose it was.
        tenant: TenantId,
    },
    /// An enrolment token was made.
    EnrolmentCreated {
        /// The token, without its secret.
        enrolment: Enrolment,
    },
    /// An enrolment token was taken back.
    EnrolmentDeleted {
        /// The token.
        enrolment: EnrolmentId,
    },
    /// An enrolment token that expired long ago left the state; nobody took it back.
    EnrolmentForgotten {
        /// The token.
        enrolment: EnrolmentId,
    },
    /// A machine became a target, and thereby used the token.
    TargetEnrolled {
        /// The token.
        enrolment: EnrolmentId,
        /// The target.
        target: Target,
    },
    /// A target came back with a new key, and thereby used the token that was made for it.
    TargetEnrolledAgain {
        /// The token.
        enrolment: EnrolmentId,
        /// The target.
        target: TargetId,
        /// Its new key.
        key: TargetKey,
    },
    /// A use of an enrolment token was refused, for the first time for this reason.
    EnrolmentRefused {
        /// The token.
        enrolment: EnrolmentId,
        /// Why.
        reason: String,
    },
    /// Uses of an enrolment token were refused for a reason that was told before, counted since the last such event.
    EnrolmentRefusedAgain {
        /// The token.
        enrolment: EnrolmentId,
        /// Why.
        reason: String,
        /// From where.
        origin: String,
        /// How often.
        count: u64,
        /// The first time.
        first: Timestamp,
        /// The last time.
        last: Timestamp,
    },
    /// A target's certificate was renewed, for the same key.
    CertificateRenewed {
        /// The target.
        target: TargetId,
        /// When the new one expires.
        expires: Timestamp,
    },
    /// An agent said what its configuration says, and it was something new.
    TargetAdvertised {
        /// The target.
        target: TargetId,
        /// What it said.
        advertised: Advertisement,
    },
    /// An agent claimed something outside its grant; told once.
    OverClaimed {
        /// The target.
        target: TargetId,
        /// What it claimed, as it wrote it.
        claims: BTreeSet<String>,
    },
    /// An operator set a target's grant.
    TargetGranted {
        /// The target.
        target: TargetId,
        /// The grant from now on.
        granted: Granted,
    },
    /// An operator enabled a target.
    TargetEnabled {
        /// The target.
        target: TargetId,
    },
    /// An operator disabled a target.
    TargetDisabled {
        /// The target.
        target: TargetId,
    },
    /// An operator revoked a target's key.
    TargetRevoked {
        /// The target.
        target: TargetId,
    },
    /// An operator deleted a target.
    TargetDeleted {
        /// The target.
        target: TargetId,
        /// Its name at that time.
        name: String,
    },
    /// Two live sessions had one certificate: the older was closed.
    CloneSuspected {
        /// The target.
        target: TargetId,
        /// Where the older session came from.
        older: String,
        /// Where the newer one comes from.
        newer: String,
    },
    /// That happened again soon after, counted since the last such event.
    CloneSuspectedAgain {
        /// The target.
        target: TargetId,
        /// Where the older sessions came from.
        older: String,
        /// Where the newer ones came from.
        newer: String,
        /// How often.
        count: u64,
        /// The first time.
        first: Timestamp,
        /// The last time.
        last: Timestamp,
    },
    /// A package was uploaded.
    PackageUploaded {
        /// The package.
        package: Package,
    },
    /// A release was made.
    ReleaseCreated {
        /// The release.
        release: Release,
    },
    /// A deployment was asked for.
    DeploymentCreated {
        /// The deployment, queued.
        deployment: Deployment,
    },
    /// A deployment started; its targets are fixed.
    DeploymentStarted {
        /// The deployment.
        deployment: DeploymentId,
        /// The steps that run, and where.
        steps: Vec<DeploymentStep>,
        /// The roles that each target has.
        roles: Vec<(BTreeSet<String>, Vec<TargetId>)>,
        /// Targets that have packages to fetch, until when.
        fetch: BTreeSet<TargetId>,
        /// When the fetching has to be over.
        expires: Timestamp,
    },
    /// The next step of a deployment was assigned to its targets.
    StepStarted {
        /// The deployment.
        deployment: DeploymentId,
        /// The step's place in the deployment's list.
        index: usize,
        /// It may not start after.
        expires: Timestamp,
    },
    /// A target has every package.
    Fetched {
        /// The deployment.
        deployment: DeploymentId,
        /// The target.
        target: TargetId,
        /// Bytes that travelled.
        moved: u64,
        /// Bytes that did not have to.
        saved: u64,
    },
    /// A target could not get its packages.
    FetchFailed {
        /// The deployment.
        deployment: DeploymentId,
        /// The target.
        target: TargetId,
        /// A sentence.
        reason: String,
    },
    /// A step began on a target.
    RunStarted {
        /// The deployment.
        deployment: DeploymentId,
        /// The step.
        step: StepId,
        /// The target.
        target: TargetId,
        /// The agent must have reported an end by then.
        deadline: Timestamp,
    },
    /// A step ended on a target.
    RunEnded {
        /// The deployment.
        deployment: DeploymentId,
        /// The step.
        step: StepId,
        /// The target.
        target: TargetId,
        /// How.
        outcome: Outcome,
        /// Lines of output.
        lines: u64,
        /// What it set for later steps.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        outputs: BTreeMap<String, StoredValue>,
    },
    /// A target no longer qualifies: it gets nothing more of this deployment.
    ScopeRemoved {
        /// The deployment.
        deployment: DeploymentId,
        /// The target.
        target: TargetId,
        /// The rule, as a sentence.
        reason: String,
    },
    /// A deployment ended.
    DeploymentEnded {
        /// The deployment.
        deployment: DeploymentId,
        /// How.
        end: DeploymentEnd,
        /// Why, for people.
        reason: String,
    },
    /// Variables were read for an assignment, by this key of the target for the first time (SEMANTICS 11: reads of
    /// sensitive things are events too).
    VariablesRead {
        /// The deployment.
        deployment: DeploymentId,
        /// The step.
        step: StepId,
        /// The target.
        target: TargetId,
        /// Their names.
        names: Vec<String>,
        /// The digest that the assignment names.
        digest: Digest,
    },
    /// A package was pulled for an assignment, by this key of the target for the first time.
    PackagePulled {
        /// The deployment.
        deployment: DeploymentId,
        /// The step that pulled it again, because it was gone; none where it was fetched before the first step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepId>,
        /// The target.
        target: TargetId,
        /// The package's manifest.
        manifest: Digest,
        /// Bytes of content that travelled.
        bytes: u64,
    },
    /// What was read or pulled before was so again, counted since the last such event.
    ReadAgain {
        /// The deployment.
        deployment: DeploymentId,
        /// The step whose variables were read; none where it is a package.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepId>,
        /// The target.
        target: TargetId,
        /// The digest of the variables, or the package's manifest.
        digest: Digest,
        /// Bytes of content that travelled, of all times.
        bytes: u64,
        /// How often.
        count: u64,
        /// The first of these times.
        first: Timestamp,
        /// The last time.
        last: Timestamp,
    },
    /// Pulls of a package ended before their end, counted since the last such event: a part of it was read.
    PullBroken {
        /// The deployment.
        deployment: DeploymentId,
        /// The target.
        target: TargetId,
        /// The package's manifest.
        manifest: Digest,
        /// Bytes that were written to the agent, of all times.
        bytes: u64,
        /// How often.
        count: u64,
        /// The first of these times.
        first: Timestamp,
        /// The last time.
        last: Timestamp,
    },
    /// Requests of a target were denied, counted by kind since the last such event.
    Denied {
        /// The target.
        target: TargetId,
        /// How many, by kind of request.
        counts: BTreeMap<String, u64>,
    },
}
