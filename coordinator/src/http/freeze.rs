//! A project as a release would freeze it now: what questions about the present are answered from.

use windlass_coordinator_core::model::{Project, Snapshot, SnapshotSet};
use windlass_coordinator_core::state::Space;

/// The process, variables and library sets of a project as they stand.
pub fn snapshot(space: &Space, project: &Project) -> Snapshot {
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
    }
}
