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
use super::deployments::deployment_id;
use super::extract::{Asked, Named};
use super::heavy::Wanted;
use super::pages::{PART_BYTES, Part};
use super::refusal::Answer;
use crate::output::{Logs, Room};

/// Lines of a part where nobody says.
const USUAL: usize = 1000;
/// Lines of a part at most.
const MOST: usize = 2000;

/// Which lines.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Lines {
    /// The part begins after this line; `next` of the part before.
    pub after: Option<String>,
    /// Lines at most, up to 2000; 1000 where it is left out. Long lines make a part shorter.
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
    let deployment = deployment_id(&id)?;
    let after = asked.after.as_deref().map(str::parse::<Position>).transpose()?;
    let limit = asked.limit.unwrap_or(USUAL).clamp(1, MOST);
    let logs = Arc::clone(&caller.context.services.output);
    let turns = &caller.context.quotas.output;
    let reading = caller.read_heavily(turns, "reading output", move |sight, wanted| {
        let (step, target) = (asked.step.as_deref(), asked.target.as_deref());
        let found = outputs(sight.space(), deployment, step, target)?;
        part(logs.as_ref(), &found.outputs, after, limit, wanted)
    });
    Ok(Json(reading.await?))
}

fn part(
    logs: &dyn Logs,
    outputs: &[StepOutput],
    after: Option<Position>,
    limit: usize,
    wanted: &Wanted,
) -> Result<Page<LogLine>, Problem> {
    let mut part = Part::of(limit);
    let room = Room { pieces: limit + 1, bytes: PART_BYTES as u64 };
    let mut last = None;
    for output in outputs {
        let mut from = match &after {
            Some(after) if output.is_before(after) => continue,
            Some(after) if output.is_at(after) => after.number + 1,
            _ => 1,
        };
        // What was read may have filled the room there was for reading, and not the part.
        loop {
            wanted.expect()?;
            let pieces = output.read(logs, from, room)?;
            if pieces.is_empty() {
                break;
            }
            for piece in pieces {
                if !part.take(output.line(&piece)) {
                    return Ok(part.followed_by(last));
                }
                last = Some(output.position(piece.last()).to_string());
                from = piece.last() + 1;
            }
        }
    }
    Ok(part.followed_by(None))
}
