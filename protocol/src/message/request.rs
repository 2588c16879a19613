//! Requests of an agent, each on a stream of its own, and their answers.

use serde::{Deserialize, Serialize};

use super::assignment::{Generation, SignedAssignment};
use super::bounds;
use super::report::{OutputLine, Report};
use crate::codec::{self, Malformed, Message, TooLarge};
use crate::digest::Digest;
use crate::ids::AssignmentId;
use crate::limits;

/// What an agent asks for. Everything that is not the agent's own is answered like what does not exist: [`Denied`].
#[derive(Clone, Serialize, Deserialize)]
pub enum Request {
    /// The target's work.
    Assignments {
        /// Bodies are sent only for what is newer than this.
        since: Option<Generation>,
        /// And only for what comes after this: the [`Assignments::next`] of the answer before.
        after: Option<AssignmentPlace>,
    },
    /// A package, as its difference to what the agent holds. The answer is a [`PullHeader`], then the manifest's
    /// bytes if asked for, then for each file that travels a [`PullFile`] and its bytes.
    Pull(PullRequest),
    /// The variables of an admitted step.
    Variables {
        /// The assignment that needs them.
        assignment: AssignmentId,
    },
    /// What happened.
    Report(Vec<Report>),
    /// Lines of a step's output.
    Output {
        /// The assignment that printed them.
        assignment: AssignmentId,
        /// The number of the first line, from 1.
        first: u64,
        lines: Vec<OutputLine>,
    },
    /// A new certificate for the same key, before the old one expires or after.
    Renew {
        /// A PKCS #10 request in DER.
        request: Vec<u8>,
    },
}

/// A pull of one package (ARCHITECTURE, "Packages are trees of files, and a pull is a difference").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullRequest {
    pub assignment: AssignmentId,
    /// The package's identity.
    pub manifest: Digest,
    /// Whether the agent has the manifest's text already.
    pub has_manifest: bool,
    /// Manifests that the agent holds complete. They count only if this very identity pulled them under a journaled
    /// assignment.
    pub holds: Vec<Digest>,
    /// How many of the files that travel the agent has complete from an interrupted pull of the same request.
    pub complete_files: u32,
    /// How many whole segments of the next file it has.
    pub complete_segments: u32,
}

impl Request {
    /// What this kind of request is called in the journal and in tables.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Assignments { .. } => "assignments",
            Self::Pull(_) => "pull",
            Self::Variables { .. } => "variables",
            Self::Report(_) => "report",
            Self::Output { .. } => "output",
            Self::Renew { .. } => "renew",
        }
    }
}

impl Message for Request {
    const LIMIT: usize = 2 << 20;

    fn check(&self) -> Result<(), Malformed> {
        match self {
            Self::Assignments { .. } | Self::Variables { .. } => Ok(()),
            Self::Pull(pull) => bounds::list(&pull.holds, limits::HELD_MANIFESTS),
            // Each report has its own [`Report::check`]: one that cannot be taken keeps no other from being.
            Self::Report(reports) => bounds::list(reports, limits::REPORTS),
            Self::Output { first, lines, .. } => {
                bounds::list(lines, limits::OUTPUT_LINES)?;
                if first.saturating_add(lines.len() as u64) > limits::STEP_LINES.saturating_add(1) {
                    return Err(Malformed::Bound);
                }
                lines.iter().try_for_each(|line| bounds::text_of(&line.text, limits::OUTPUT_LINE_BYTES))
            }
            Self::Renew { request } => bounds::list(request, limits::CERTIFICATE_BYTES),
        }
    }
}

/// Why there is no answer: it does not exist, or it is not for this target. The two are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Denied {
    /// Nothing here for you.
    NotFound,
    /// Try again later.
    Busy,
    /// The request broke a rule of the protocol.
    Malformed,
}

/// The first frame of an answer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To every request that is not granted.
    Denied(Denied),
    /// To [`Request::Assignments`].
    Assignments(Assignments),
    /// To [`Request::Pull`]; the files follow.
    Pull(PullHeader),
    /// To [`Request::Variables`].
    Variables(SealedVariables),
    /// To [`Request::Report`]: durable.
    Reported,
    /// To [`Request::Output`]: durable up to the line before `next`.
    Output {
        /// The number of the line that the coordinator expects next.
        next: u64,
    },
    /// To [`Request::Renew`].
    Renewed {
        /// The new certificate, DER.
        certificate: Vec<u8>,
    },
}

impl Message for Answer {
    const LIMIT: usize = 4 << 20;
}

/// A target's work.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignments {
    /// The target's generation at the moment of this answer.
    pub generation: Generation,
    /// All that the target has to do. What the agent holds beside it is withdrawn.
    pub active: Vec<AssignmentId>,
    /// The bodies of those that are newer than asked for, in the order of their places.
    pub new: Vec<SignedAssignment>,
    /// Where this answer stops, if there are more new ones than fit; ask again for what comes after.
    pub next: Option<AssignmentPlace>,
}

/// The place of an assignment among those of its target. Those of one record have one generation.
pub type AssignmentPlace = (Generation, AssignmentId);

/// What precedes the files of a pull.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullHeader {
    /// Bytes of the manifest's text that follow; 0 where the agent has it.
    pub manifest_bytes: u32,
    /// Files that travel, of which the agent's `complete_files` are not sent again.
    pub files: u32,
    /// Bytes of content that travel, before compression.
    pub bytes: u64,
}

/// What precedes the bytes of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullFile {
    /// The content's digest; it stands for every path of the manifest with this content.
    pub digest: Digest,
    /// Bytes of the content.
    pub size: u64,
    /// How the bytes are to be read.
    pub encoding: FileEncoding,
    /// How many segments follow, each a length (four bytes, most significant first) and its bytes.
    pub segments: u32,
}

/// How the bytes of a file travel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileEncoding {
    Plain,
    /// Each segment is a zstd frame of its own.
    Zstd,
    /// One zstd frame against an older file that the agent holds.
    Patch {
        /// The older file's digest.
        base: Digest,
    },
}

impl Message for PullFile {
    const LIMIT: usize = 256;
}

/// Variables, sealed with HPKE to the agent's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedVariables {
    /// HPKE's encapsulated key.
    pub encapsulated: Vec<u8>,
    /// The sealed [`ClearVariables`].
    pub sealed: Vec<u8>,
}

/// One variable in clear. It exists in memory only and has no `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClearVariable {
    pub name: String,
    pub value: String,
    /// Whether it must be masked wherever it shows.
    pub sensitive: bool,
    /// Whose word it is.
    pub origin: Origin,
}

/// Whose word a value is, and so what `#{…}` in it may resolve (SEMANTICS 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Origin {
    /// Of those who write the process: code.
    Process = 0,
    /// The tenant's own: data, which other data may resolve if it is not sensitive.
    Tenant = 1,
    /// Data that nothing resolves but code: what a step put out, or a name.
    Other = 2,
}

/// A byte instead of a word: a step may be given very many variables.
impl From<Origin> for u8 {
    fn from(origin: Origin) -> Self {
        origin as Self
    }
}

/// A byte that is no [`Origin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is nobody whose word a value could be")]
pub struct NoOrigin(u8);

impl TryFrom<u8> for Origin {
    type Error = NoOrigin;

    fn try_from(byte: u8) -> Result<Self, NoOrigin> {
        [Self::Process, Self::Tenant, Self::Other]
            .into_iter()
            .find(|origin| u8::from(*origin) == byte)
            .ok_or(NoOrigin(byte))
    }
}

/// The variables of one step. They exist in memory only and have no `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClearVariables {
    /// 32 bytes that nobody knows who may not read the variables, the same for the same assignment. It travels with them
    /// and stands nowhere else, so that nobody can try out values against the digest.
    pub salt: [u8; 32],
    /// In the order of their names.
    pub variables: Vec<ClearVariable>,
}

impl Message for ClearVariables {
    // Less than an answer by more than sealing adds: what may be sealed may be sent.
    const LIMIT: usize = Answer::LIMIT - 1024;
}

impl ClearVariables {
    /// What HPKE is told the sealed bytes are for: a sealed answer opens for its own assignment only.
    pub fn info(assignment: AssignmentId) -> Vec<u8> {
        [b"windlass variables 1\n".as_slice(), assignment.as_bytes()].concat()
    }

    /// The digest that the assignment names. It says nothing to who has not the salt, whatever else is known (SEMANTICS
    /// 11). Variables that could not be sent have none.
    pub fn digest(&self, assignment: AssignmentId) -> Result<Digest, TooLarge> {
        let mut hasher = crate::digest::Hasher::new();
        hasher.update(Self::info(assignment));
        hasher.update(codec::body(self)?);
        Ok(hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{STEP_VARIABLES_BYTES, VARIABLE_OVERHEAD_BYTES};

    #[test]
    fn the_variables_that_a_step_may_be_given_come_in_one_answer_be_they_few_or_many() {
        for value in [0, 100, crate::limits::VARIABLE_BYTES] {
            let name = |number: usize| format!("{number:06}");
            let count = STEP_VARIABLES_BYTES / (6 + value + VARIABLE_OVERHEAD_BYTES);
            let variable = |number| ClearVariable {
                name: name(number),
                value: "x".repeat(value),
                sensitive: true,
                origin: Origin::Tenant,
            };
            let variables = ClearVariables { salt: [7; 32], variables: (0..count).map(variable).collect() };
            let body = codec::body(&variables).unwrap();
            assert!(codec::decode::<ClearVariables>(&body).unwrap() == variables, "{count} of {value}");
            let sealed = [body, vec![0; 16]].concat();
            let answer = Answer::Variables(SealedVariables { encapsulated: vec![0; 32], sealed });
            let body = codec::body(&answer).unwrap();
            assert!(codec::decode::<Answer>(&body).unwrap() == answer, "{count} of {value}");
        }
    }
}
