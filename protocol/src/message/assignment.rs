//! Assignments: what one target has to do for one stage of one deployment, signed by the coordinator.

use serde::{Deserialize, Serialize};

use crate::codec::{self, Message};
use crate::digest::Digest;
use crate::ids::{AssignmentId, DeploymentId, EnvironmentId, ProjectId, SpaceId, StepId, TargetId, TenantId};
use crate::names::Slug;
use crate::time::Timestamp;

/// When an assignment was made: the epoch (a restored backup starts a new one) and the sequence of the journal's
/// record. Later is larger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Generation {
    /// Counts restorations from a backup, from 1.
    pub epoch: u64,
    /// The record's number in the journal.
    pub sequence: u64,
}

/// The signed part of an assignment. What is hashed and verified are the bytes as they came, never a re-encoding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The target that it is for; anybody else refuses it.
    pub target: TargetId,
    pub id: AssignmentId,
    /// When it was made.
    pub generation: Generation,
    /// It may not start before.
    pub not_before: Timestamp,
    /// It may not start after.
    pub expires: Timestamp,
    /// The deployment that it is a part of.
    pub deployment: DeploymentId,
    /// Where it belongs.
    pub path: InstallationPath,
    pub work: Work,
}

/// Whose deployment it is, with the slugs that name its folder on the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallationPath {
    pub space: (SpaceId, Slug),
    pub environment: (EnvironmentId, Slug),
    /// The environment's name, which the machine's configuration may use.
    pub environment_name: String,
    /// The tenant, or none for an untenanted deployment.
    pub tenant: Option<(TenantId, Slug)>,
    /// The tenant's name, which the machine's configuration may use.
    pub tenant_name: Option<String>,
    pub project: (ProjectId, Slug),
    /// The release's version, to be shown; never a part of a path as it is.
    pub version: String,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// Fetch and verify every package of the deployment, before any step runs anywhere.
    Fetch(FetchWork),
    Run(Box<RunWork>),
}

/// The packages that a target needs for a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchWork {
    /// One for each package step that the target runs.
    pub packages: Vec<PackageReference>,
}

/// One package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageReference {
    /// The package's id, such as `synergy-web`; to be shown.
    pub id: String,
    pub version: String,
    /// The digest of its manifest: its identity.
    pub manifest: Digest,
    /// Bytes when unpacked.
    pub size: u64,
}

/// One run of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunWork {
    pub step: (StepId, Slug),
    /// The step's name, to be shown.
    pub name: String,
    /// What the step does.
    pub action: Action,
    /// The digest of the variables that it needs ([`super::ClearVariables::digest`]); none needs none.
    pub variables: Option<Digest>,
    /// Seconds until it is stopped.
    pub timeout_seconds: u32,
    /// Whether it may run again when nobody can know whether it ran (SEMANTICS 7, `safe-to-repeat`).
    pub safe_to_repeat: bool,
    /// Whether it may run beside other steps of this target.
    pub concurrent: bool,
    /// Releases to keep on the target beside the current one.
    pub keep: u16,
}

/// What a step does on a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    Script(Body),
    /// Unpack a package beside the current version, run its hooks, switch.
    Package {
        package: PackageReference,
        /// Patterns of files in it in which `#{…}` is substituted.
        substitute: Vec<String>,
    },
}

/// A script as written; `#{…}` in it is substituted on the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// What runs it.
    pub shell: Shell,
    pub text: String,
}

/// What runs a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shell {
    Bash,
    /// The system's POSIX shell.
    Sh,
    Python,
    /// PowerShell, where it is installed.
    Pwsh,
}

/// An assignment with the coordinator's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedAssignment {
    /// The encoded [`Assignment`].
    pub body: Vec<u8>,
    /// ed25519 over [`SignedAssignment::SIGNED_PREFIX`] and the body.
    pub signature: Vec<u8>,
}

impl SignedAssignment {
    /// What stands before the body when it is signed, so that no other signature can be taken for this one.
    pub const SIGNED_PREFIX: &[u8] = b"windlass assignment 1\n";
}

impl Message for Assignment {
    const LIMIT: usize = 1 << 20;
}

impl Assignment {
    /// The id that an assignment's bytes give themselves, also where the rest of them cannot be decoded: another
    /// version may know work that this one does not. Nothing is proven by it; it is for saying what is refused.
    pub fn id_in(body: &[u8]) -> Option<AssignmentId> {
        // The first two fields, which stay where they are for this.
        codec::decode_start::<(TargetId, AssignmentId)>(body).map(|(_, id)| id)
    }
}
