//! Releases and what they freeze (SEMANTICS 6, "Snapshot").

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use windlass_protocol::ids::{LibrarySetId, ProjectId, ReleaseId, StepId};
use windlass_protocol::{Digest, Timestamp};

use super::index::Index;
use super::project::Step;
use super::value::{Template, Variable};
use crate::version::Version;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    pub id: ReleaseId,
    pub project: ProjectId,
    /// Its version, unique in the project.
    pub version: Version,
    pub created: Timestamp,
    /// What changed, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
    pub snapshot: Arc<Snapshot>,
    pub packages: BTreeMap<StepId, ChosenPackage>,
}

/// What a release freezes: the process, the project's variables and the included library sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The process.
    pub steps: Vec<Step>,
    /// The project's variables.
    pub variables: Vec<Variable>,
    /// The project's templates.
    pub templates: Vec<Template>,
    /// The library sets, the more important first.
    pub library_sets: Vec<SnapshotSet>,
    /// Where its names are defined. Nothing of a snapshot that was asked for names may be changed.
    #[serde(skip)]
    pub index: Index,
}

/// A library set as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotSet {
    pub id: LibrarySetId,
    pub templates: Vec<Template>,
    pub variables: Vec<Variable>,
}

/// The package that a release chose for a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenPackage {
    pub id: String,
    pub version: Version,
    pub manifest: Digest,
    /// Bytes when unpacked.
    pub size: u64,
    /// What its hooks do with variables, found when the release was made.
    #[serde(default, skip_serializing_if = "CodeNames::is_empty")]
    pub hooks: CodeNames,
}

/// What a text that is run does with variables, as far as it matters to those who look after what is no code.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeNames {
    /// Names that it inserts bare; one that ends with `[` stands for all that begin so.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub bare: BTreeSet<String>,
    /// Names that it makes harmless by a filter, but not for where they stand: inside quotes, say.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub misplaced: BTreeSet<String>,
    /// Names that would be misplaced if one before them were defined by nothing, by that one: it stays as it is written,
    /// and may open a comment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub misplaced_after: BTreeMap<String, BTreeSet<String>>,
    /// Output variables that it sets.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub sets: BTreeSet<String>,
}

impl Release {
    pub fn has_step(&self, id: StepId) -> bool {
        self.snapshot.steps.iter().any(|step| step.id == id)
    }
}

impl CodeNames {
    /// Adds those of another text.
    pub(crate) fn extend(&mut self, other: Self) {
        // All of them by name: one that were left out would be looked for in no hook.
        let Self { bare, misplaced, misplaced_after, sets } = other;
        self.bare.extend(bare);
        self.misplaced.extend(misplaced);
        for (stays, after) in misplaced_after {
            self.misplaced_after.entry(stays).or_default().extend(after);
        }
        self.sets.extend(sets);
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
