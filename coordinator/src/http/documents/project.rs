//! A project's document.

use std::collections::BTreeSet;

use windlass_api::documents::{Document, PackageText, ProjectDocument, ScriptText, ShellName, StepDocument};
use windlass_api::durations;
use windlass_coordinator_core::model::{Project, Step, StepAction};
use windlass_coordinator_core::state::Space;
use windlass_coordinator_core::variables::references_in;
use windlass_protocol::message::{Body, Shell};

use super::query::query_text;
use super::{Shown, variables};
use crate::http::display;

impl Shown for Project {
    fn document(&self, space: &Space) -> Document {
        let sets = self.library_sets.iter().map(|id| display::name(&space.library_sets, *id));
        Document::Project(ProjectDocument {
            name: self.name.to_string(),
            slug: Some(self.slug.to_string()),
            tenancy: self.tenancy,
            lifecycle: Some(display::name(&space.lifecycles, self.lifecycle)),
            library_sets: sets.collect(),
            templates: variables::templates(&self.templates),
            variables: variables::variables(space, &self.variables, &self.steps),
            steps: self.steps.iter().map(|found| step(space, found)).collect(),
        })
    }

    fn summary(&self, space: &Space) -> String {
        let newest = space.releases_of(self.id).next_back();
        let newest = newest
            .map_or_else(|| "no release".to_owned(), |newest| format!("newest release {}", newest.version));
        format!("{} steps, {newest}", self.steps.len())
    }
}

fn step(space: &Space, found: &Step) -> StepDocument {
    let (package, script) = match &found.action {
        StepAction::Package { id, substitute } => {
            (Some(PackageText { id: id.clone(), substitute: substitute.clone() }), None)
        }
        StepAction::Script(body) => {
            (None, Some(ScriptText { shell: shell(body.shell), body: body.text.clone() }))
        }
    };
    StepDocument {
        name: found.name.to_string(),
        slug: Some(found.slug.to_string()),
        roles: found.roles.iter().cloned().collect(),
        environments: display::environments(space, &found.environments),
        exclude_environments: display::environments(space, &found.excluded_environments),
        tenants: query_text(space, &found.tenants),
        package,
        script,
        needs: listed_needs(found),
        timeout: Some(durations::text(found.timeout_seconds.into())),
        timeout_seconds: None,
        safe_to_repeat: found.safe_to_repeat,
        concurrent: found.concurrent,
        disabled: found.disabled,
    }
}

/// The needs that somebody listed: those that are found by reading the step would only grow stale in a file.
fn listed_needs(step: &Step) -> Vec<String> {
    let mut read = BTreeSet::new();
    if let StepAction::Script(Body { text, .. }) = &step.action {
        read.extend(references_in(text));
        read.extend(windlass_templates::script_references(text));
    }
    step.needs.difference(&read).cloned().collect()
}

const fn shell(shell: Shell) -> ShellName {
    match shell {
        Shell::Bash => ShellName::Bash,
        Shell::Sh => ShellName::Sh,
        Shell::Python => ShellName::Python,
        Shell::Pwsh => ShellName::Pwsh,
    }
}
