//! What a release freezes of a project (SEMANTICS 6, "Snapshot"). Questions about the present are answered from the same.

use crate::model::{Index, Project, Snapshot, SnapshotSet};
use crate::state::Space;

/// The process, the variables and the library sets of a project as they stand.
pub fn freeze(space: &Space, project: &Project) -> Snapshot {
    let sets = project.library_sets.iter().filter_map(|id| space.library_sets.get(*id));
    let library_sets = sets.map(|set| SnapshotSet {
        id: set.id,
        templates: set.templates.clone(),
        variables: set.variables.clone(),
    });
    Snapshot {
        steps: project.steps.clone(),
        variables: project.variables.clone(),
        templates: project.templates.clone(),
        library_sets: library_sets.collect(),
        index: Index::default(),
    }
}
