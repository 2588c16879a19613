//! The output of a deployment's steps: in parts, or as a stream that ends when the deployment is over.

pub(super) mod follow;
mod step_outputs;

use std::sync::Arc;

use axum::Json;
use serde::Deserialize;
use utoipa::IntoParams;
use windlass_api::answers::{LogLine, Page};
use windlass_api::error::Problem;

use step_outputs::{Position, StepOutput, outputs};

use super::caller::Reader;
use super::deploy::deployment_id;
use super::extract::{Asked, Named};
use super::refusal::{Answer, Refusal};
use crate::output::Logs;

/// Lines of a part where nobody says.
const USUAL: usize = 1000;
/// Lines of a part at most: with 32 KiB each, an answer stays in memory.
const MOST: usize = 2000;

/// Which lines.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Lines {
    /// The part begins after this line; `next` of the part before.
    pub after: Option<String>,
    /// Lines at most, up to 2000; 1000 where it is left out.
    pub limit: Option<usize>,
    /// Only the step of this name.
    pub step: Option<String>,
    /// Only the target of this name.
    pub target: Option<String>,
}

/// The lines of all steps on all targets: steps in order, then targets, then lines.
#[utoipa::path(get, path = "/deployments/{id}/logs", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id."), Lines),
    responses((status = 200, body = Page<LogLine>)))]
pub async fn read(
    caller: Reader,
    Named(id): Named<String>,
    Asked(asked): Asked<Lines>,
) -> Answer<Page<LogLine>> {
    let outputs = {
        let sight = caller.sight()?;
        outputs(sight.space(), deployment_id(&id)?, asked.step.as_deref(), asked.target.as_deref())?.outputs
    };
    let after = asked.after.as_deref().map(str::parse::<Position>).transpose()?;
    let limit = asked.limit.unwrap_or(USUAL).clamp(1, MOST);
    let logs = Arc::clone(&caller.context.services.output);
    let reading = tokio::task::spawn_blocking(move || part(logs.as_ref(), &outputs, after, limit)).await;
    Ok(Json(reading.map_err(|why| Refusal::internal("reading output", &why))??))
}

fn part(
    logs: &dyn Logs,
    outputs: &[StepOutput],
    after: Option<Position>,
    limit: usize,
) -> Result<Page<LogLine>, Problem> {
    let mut page = Page { items: Vec::new(), next: None };
    let mut last = None;
    for output in outputs {
        let from = match &after {
            Some(after) if output.is_before(after) => continue,
            Some(after) if output.is_at(after) => after.number + 1,
            _ => 1,
        };
        let room = limit + 1 - page.items.len();
        for piece in output.read(logs, from, room)? {
            if page.items.len() == limit {
                page.next = last;
                return Ok(page);
            }
            last = Some(output.position(piece.last()).to_string());
            page.items.push(output.line(&piece));
        }
    }
    Ok(page)
}
