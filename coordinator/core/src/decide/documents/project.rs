//! Projects and their steps.

use std::collections::{BTreeMap, BTreeSet};

use windlass_api::documents::{ProjectDocument, ScriptText, ShellName, StepDocument};
use windlass_api::durations;
use windlass_api::error::Problem;
use windlass_protocol::ids::{ProjectId, StepId};
use windlass_protocol::limits;
use windlass_protocol::message::{Body, Shell};

use super::super::Draft;
use super::names::named;
use super::references::{ReferenceScope, users_of_project};
use super::variables::{self, Scopes};
use super::{DefinitionContext, Documented};
use crate::model::{Lifecycle, Project, Step, StepAction};
use crate::names::{self, PendingTenants, StepNames};
use crate::variables::references_in;

/// Seconds until a step is stopped where nobody says.
const STEP_SECONDS: u32 = 3600;
/// A longer step should be a service.
const LONGEST_STEP_SECONDS: u32 = 7 * 24 * 3600;
/// Bytes of a script: longer ones belong into a package.
const SCRIPT_BYTES: usize = 512 << 10;

impl Documented for Project {
    type Document = ProjectDocument;

    fn define(
        draft: &mut Draft<'_>,
        document: &ProjectDocument,
        context: &DefinitionContext<'_>,
    ) -> Result<Self, Problem> {
        define(draft, document, context.pending)
    }

    fn users(&self, moment: ReferenceScope<'_>) -> Vec<String> {
        users_of_project(moment.space(), self.id)
    }
}

fn define(
    draft: &mut Draft<'_>,
    document: &ProjectDocument,
    pending: &PendingTenants,
) -> Result<Project, Problem> {
    let (name, slug) = named(&document.name, document.slug.as_deref())?;
    let existing = draft.space().projects.called(&document.name).cloned();
    let lifecycle = document.lifecycle.as_deref().unwrap_or(Lifecycle::DEFAULT);
    let lifecycle = draft.space().lifecycles.find(lifecycle)?.id;
    let sets = document.library_sets.iter().map(|name| Ok(draft.space().library_sets.find(name)?.id));
    let library_sets = sets.collect::<Result<Vec<_>, Problem>>()?;
    let old = existing.as_ref();
    let old_steps = old.map(|project| project.steps.as_slice()).unwrap_or_default();
    let steps = define_steps(draft, &document.steps, old_steps, pending)?;
    let old_templates = old.map(|project| (project.templates.as_slice(), project.retired.as_slice()));
    let (templates, retired) =
        variables::templates(draft, &document.templates, old_templates.unwrap_or_default())?;
    let scopes = Scopes { steps: StepNames::of(&steps), of_project: true, pending };
    let old_variables = old.map(|project| project.variables.as_slice()).unwrap_or_default();
    let variables = variables::variables(draft, &document.variables, old_variables, &scopes)?;
    let id = old.map(|project| project.id);
    let id = id.unwrap_or_else(|| ProjectId::from_bytes(draft.fresh.bytes()));
    let tenancy = document.tenancy;
    Ok(Project { id, slug, name, tenancy, lifecycle, library_sets, templates, retired, variables, steps })
}

/// Steps of a project: whoever goes through all of them at each one's end goes through as many as the square.
const MOST_STEPS: usize = 5000;

fn define_steps(
    draft: &mut Draft<'_>,
    documents: &[StepDocument],
    old: &[Step],
    pending: &PendingTenants,
) -> Result<Vec<Step>, Problem> {
    if documents.len() > MOST_STEPS {
        return Err(Problem::usage(format!(
            "a project has {MOST_STEPS} steps at most, and these are {}; make several projects of it",
            documents.len()
        )));
    }
    let old: BTreeMap<_, _> = old.iter().map(|step| (step.name.folded(), step.id)).collect();
    let within = |name: &str, problem: Problem| problem.at(&format!("step `{name}`"));
    let define = |document: &StepDocument| {
        define_step(draft, document, &old, pending).map_err(|problem| within(&document.name, problem))
    };
    let steps: Vec<_> = documents.iter().map(define).collect::<Result<_, _>>()?;
    let mut names = StepNames::default();
    steps.iter().try_for_each(|step| names.add(step).map_err(|why| within(step.name.as_str(), why)))?;
    Ok(steps)
}

fn define_step(
    draft: &mut Draft<'_>,
    document: &StepDocument,
    old: &BTreeMap<String, StepId>,
    pending: &PendingTenants,
) -> Result<Step, Problem> {
    let (name, slug) = named(&document.name, document.slug.as_deref())?;
    if document.roles.is_empty() {
        return Err(Problem::usage(
            "`roles` is empty; a step runs on the targets that have one of its roles",
        ));
    }
    document.roles.iter().try_for_each(|role| names::check_role(role))?;
    let timeout_seconds = timeout_seconds(document)?;
    let action = match (&document.package, &document.script) {
        (Some(package), None) => {
            check_package_id(&package.id)?;
            StepAction::Package { id: package.id.clone(), substitute: package.substitute.clone() }
        }
        (None, Some(script)) => StepAction::Script(body(script)?),
        _ => return Err(Problem::usage("a step has one action: `package` or `script`")),
    };
    let needs = needs(document);
    let before = old.get(&name.folded()).copied();
    let space = draft.space();
    let environments = names::environment_ids(space, &document.environments)?;
    let excluded_environments = names::environment_ids(space, &document.exclude_environments)?;
    let tenants = names::query(space, &document.tenants, pending)?;
    Ok(Step {
        id: before.unwrap_or_else(|| StepId::from_bytes(draft.fresh.bytes())),
        slug,
        name,
        roles: document.roles.iter().cloned().collect(),
        environments,
        excluded_environments,
        tenants,
        action,
        needs,
        timeout_seconds,
        safe_to_repeat: document.safe_to_repeat,
        concurrent: document.concurrent,
        disabled: document.disabled,
    })
}

fn timeout_seconds(document: &StepDocument) -> Result<u32, Problem> {
    let seconds = match (&document.timeout, document.timeout_seconds) {
        (Some(_), Some(_)) => {
            return Err(Problem::usage("`timeout` and `timeout-seconds` say the same; write one of them"));
        }
        (Some(text), None) => {
            durations::seconds(text).map_err(|why| Problem::usage(format!("`timeout`: {why}")))?
        }
        (None, seconds) => seconds.unwrap_or(STEP_SECONDS).into(),
    };
    let admitted = u32::try_from(seconds).ok().filter(|seconds| (1..=LONGEST_STEP_SECONDS).contains(seconds));
    admitted.ok_or_else(|| Problem::usage("`timeout` is 1s to 7d"))
}

/// What is written in the step, and what it lists beside.
fn needs(document: &StepDocument) -> BTreeSet<String> {
    let mut needs: BTreeSet<String> = document.needs.iter().cloned().collect();
    if let Some(script) = &document.script {
        needs.extend(references_in(&script.body));
        needs.extend(windlass_templates::script_references(&script.body));
    }
    needs
}

fn body(script: &ScriptText) -> Result<Body, Problem> {
    if script.body.len() > SCRIPT_BYTES {
        return Err(Problem::usage(format!(
            "a script has at most {SCRIPT_BYTES} bytes; put a longer one in a package"
        )));
    }
    let shell = match script.shell {
        ShellName::Bash => Shell::Bash,
        ShellName::Sh => Shell::Sh,
        ShellName::Python => Shell::Python,
        ShellName::Pwsh => Shell::Pwsh,
    };
    Ok(Body { shell, text: script.body.clone() })
}

/// Package ids are as in NuGet: letters, digits, dots, dashes and underscores.
pub(in super::super) fn check_package_id(id: &str) -> Result<(), Problem> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if (1..=limits::NAME_CHARACTERS / 2).contains(&id.len()) && id.bytes().all(allowed) {
        return Ok(());
    }
    Err(Problem::usage(format!(
        "`{id}` is no package id; it has 1 to 100 letters, digits, dots, dashes or underscores"
    )))
}
