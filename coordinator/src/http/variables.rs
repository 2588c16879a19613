//! `variable inspect`: every value that a variable could have somewhere, which wins, and by which dimension.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use serde::Deserialize;
use utoipa::IntoParams;
use windlass_api::answers::{VariableCandidate, VariableInspected};
use windlass_api::error::Problem;
use windlass_coordinator_core::catalogue::unknown;
use windlass_coordinator_core::freeze::freeze;
use windlass_coordinator_core::model::{Project, Snapshot, Step, StoredValue};
use windlass_coordinator_core::plan::{MASK, source};
use windlass_coordinator_core::query::TenantTags;
use windlass_coordinator_core::scope;
use windlass_coordinator_core::state::Space;
use windlass_coordinator_core::variables::{Candidate, Context, Resolution, candidates, resolve};
use windlass_protocol::names::fold;

use super::caller::Reader;
use super::extract::Asked;
use super::refusal::Answer;

/// Where variables are looked at.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct VariableQuery {
    /// The project.
    pub project: String,
    /// The environment; without one, the first of them all.
    pub environment: Option<String>,
    /// The tenant.
    pub tenant: Option<String>,
    /// The target.
    pub target: Option<String>,
    /// The step.
    pub step: Option<String>,
    /// Only the variable of this name.
    pub name: Option<String>,
}

/// The variables of a project as it stands, as they would be in a place. Sensitive values are masked.
#[utoipa::path(get, path = "/variables", tag = "explain", params(VariableQuery),
    responses((status = 200, body = Vec<VariableInspected>)))]
pub async fn inspect(caller: Reader, Asked(query): Asked<VariableQuery>) -> Answer<Vec<VariableInspected>> {
    let sight = caller.sight()?;
    sight.expect_named(query.tenant.is_some())?;
    Ok(Json(inspect_in(sight.space(), &query)?))
}

fn inspect_in(space: &Space, query: &VariableQuery) -> Result<Vec<VariableInspected>, Problem> {
    let project = space.projects.find(&query.project)?;
    let snapshot = freeze(space, project);
    let tenant = query.tenant.as_deref().map(|name| space.tenants.find(name)).transpose()?;
    let target = query.target.as_deref().map(|name| space.targets.find(name)).transpose()?;
    let roles = target.map(scope::roles);
    let environment = match &query.environment {
        Some(name) => space.environments.find(name)?.id,
        None => {
            let first = space.environments_in_order().first().map(|first| first.id);
            first.ok_or_else(|| Problem::conflict("there is no environment yet"))?
        }
    };
    let context = Context {
        snapshot: &snapshot,
        tenant: tenant.map(TenantTags::of),
        tenant_values: tenant.map(|tenant| &tenant.values),
        environment,
        target: target.map(|target| target.id).zip(roles.as_deref()),
        step: query.step.as_deref().map(|name| step(project, name)).transpose()?,
    };
    let names = names(&snapshot);
    match &query.name {
        Some(name) => {
            let known = names.get(&fold(name)).ok_or_else(|| {
                Problem::not_found(unknown("variable", name, names.values().map(String::as_str)))
            })?;
            Ok(vec![inspected(space, known, &context)])
        }
        None => Ok(names.values().map(|name| inspected(space, name, &context)).collect()),
    }
}

fn step<'a>(project: &'a Project, name: &str) -> Result<&'a Step, Problem> {
    let named = |step: &&Step| step.name.folded() == fold(name) || step.slug.as_str() == name;
    project.steps.iter().find(named).ok_or_else(|| {
        Problem::not_found(unknown("step", name, project.steps.iter().map(|step| step.name.as_str())))
    })
}

/// Every name that is defined, by folded name.
fn names(snapshot: &Snapshot) -> BTreeMap<String, String> {
    let sets = &snapshot.library_sets;
    let variables = snapshot.variables.iter().chain(sets.iter().flat_map(|set| &set.variables));
    let templates = snapshot.templates.iter().chain(sets.iter().flat_map(|set| &set.templates));
    let names: BTreeSet<&String> =
        variables.map(|variable| &variable.name).chain(templates.map(|template| &template.name)).collect();
    names.into_iter().map(|name| (fold(name), name.clone())).collect()
}

fn inspected(space: &Space, name: &str, context: &Context<'_, '_>) -> VariableInspected {
    let found = candidates(name, context);
    let ambiguous = matches!(resolve(name, context), Resolution::Ambiguous(..));
    let shown = found.iter().enumerate().map(|(index, candidate)| {
        let sensitive = candidate.value.is_sensitive();
        let value = match candidate.value {
            StoredValue::Plain(text) => text.clone(),
            StoredValue::Sealed(_) => MASK.to_owned(),
        };
        let decided_by = match index {
            0 => found.get(1).map(|next| decided(candidate, next)),
            _ => found.first().map(|winner| decided(winner, candidate)),
        };
        let (source, wins) = (source(space, candidate), index == 0 && !ambiguous);
        VariableCandidate { value, sensitive, source, wins, decided_by }
    });
    VariableInspected { name: name.to_owned(), ambiguous, candidates: shown.collect() }
}

fn decided(winner: &Candidate<'_>, other: &Candidate<'_>) -> String {
    use windlass_coordinator_core::variables::Source;
    if other.source == Source::Default && winner.source != Source::Default {
        return "a default comes last".to_owned();
    }
    winner.rank.decided(other.rank).to_owned()
}
