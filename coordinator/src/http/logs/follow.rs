//! Output as it comes: a line of JSON for each line, until the deployment is over and all has been read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use windlass_api::error::Problem;
use windlass_protocol::ids::{DeploymentId, TargetId};

use super::Lines;
use super::step_outputs::{StepOutput, outputs};
use crate::http::caller::Reader;
use crate::http::deploy::deployment_id;
use crate::http::extract::{Asked, Named};
use crate::http::refusal::Refusal;
use crate::output::{Logs, Missing, Piece, Why};

/// How often is looked for new lines.
const PACE: Duration = Duration::from_millis(300);
/// An empty line goes out after so long without any, so that a dead connection is noticed on both sides.
const QUIET: Duration = Duration::from_secs(15);
/// How long lines that a step announced are waited for once the deployment is over.
const LATE: Duration = Duration::from_secs(10);
/// Lines of one output that are read at once.
const AT_ONCE: usize = 500;

/// The lines of all steps on all targets as they come, as NDJSON of `LogLine`. Begins with the first line. Ends when
/// the deployment is over and every line has come; empty lines in between mean nothing.
#[utoipa::path(get, path = "/deployments/{id}/logs/follow", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id."), Lines),
    responses((status = 200, body = windlass_api::answers::LogLine, content_type = "application/x-ndjson")))]
pub async fn follow(
    caller: Reader,
    Named(id): Named<String>,
    Asked(asked): Asked<Lines>,
) -> Result<Response, Refusal> {
    let deployment = deployment_id(&id)?;
    // What does not exist is said before the stream begins.
    outputs(caller.sight()?.space(), deployment, asked.step.as_deref(), asked.target.as_deref())?;
    let follower = Follower {
        caller,
        deployment,
        asked,
        next: BTreeMap::new(),
        over_since: None,
        spoke: Instant::now(),
    };
    let stream = stream::try_unfold(follower, |mut follower| async move {
        match follower.wait_for_more().await {
            Ok(Some(bytes)) => Ok(Some((bytes, follower))),
            Ok(None) => Ok(None),
            // The stream breaks off, which the reader notices; why is in the log.
            Err(()) => Err(std::io::Error::other("the output cannot be followed any further")),
        }
    });
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(stream)).into_response())
}

struct Follower {
    caller: Reader,
    deployment: DeploymentId,
    asked: Lines,
    /// The number of the line that comes next, by output.
    next: BTreeMap<(usize, TargetId), u64>,
    over_since: Option<Instant>,
    spoke: Instant,
}

impl Follower {
    /// The next lines; `None` at the end. The token is looked at each time: one that was taken back reads no further.
    async fn wait_for_more(&mut self) -> Result<Option<Bytes>, ()> {
        loop {
            let (found, over) = self.look().map_err(|refusal| {
                tracing::debug!(deployment = %self.deployment, ?refusal, "the output is not followed any further");
            })?;
            let (bytes, complete) = self.read(found).await?;
            if !bytes.is_empty() {
                self.spoke = Instant::now();
                return Ok(Some(bytes));
            }
            if over {
                let since = *self.over_since.get_or_insert_with(Instant::now);
                if complete || since.elapsed() > LATE {
                    return Ok(None);
                }
            }
            if self.spoke.elapsed() > QUIET {
                self.spoke = Instant::now();
                return Ok(Some(Bytes::from_static(b"\n")));
            }
            // A coordinator that stops waits for nobody who only looks on.
            self.caller.context.until_stopped(tokio::time::sleep(PACE)).await.map_err(|_| ())?;
        }
    }

    fn look(&self) -> Result<(Vec<StepOutput>, bool), Refusal> {
        let sight = self.caller.sight()?;
        let (step, target) = (self.asked.step.as_deref(), self.asked.target.as_deref());
        let found = outputs(sight.space(), self.deployment, step, target)?;
        Ok((found.outputs, found.over))
    }

    /// Lines that have come since, and whether every announced line has.
    async fn read(&mut self, outputs: Vec<StepOutput>) -> Result<(Bytes, bool), ()> {
        let logs = Arc::clone(&self.caller.context.services.output);
        let mut next = std::mem::take(&mut self.next);
        let reading = tokio::task::spawn_blocking(move || {
            let read = read_places(logs.as_ref(), &outputs, &mut next);
            (read, next)
        });
        let (read, next) = reading.await.map_err(|why| {
            tracing::error!(%why, "reading output failed");
        })?;
        self.next = next;
        // Why is in the log.
        read.map_err(|_| ())
    }
}

fn read_places(
    logs: &dyn Logs,
    outputs: &[StepOutput],
    next: &mut BTreeMap<(usize, TargetId), u64>,
) -> Result<(Bytes, bool), Problem> {
    let mut text = Vec::new();
    let mut complete = true;
    for output in outputs {
        let from = next.entry(output.key()).or_insert(1);
        if output.lines.is_some_and(|lines| *from > lines) {
            continue;
        }
        for piece in output.read(logs, *from, AT_ONCE)? {
            // How many lines are left out is only known when the step has ended.
            if output.lines.is_none() && matches!(piece, Piece::Missing(Missing { why: Why::LeftOut, .. })) {
                break;
            }
            serde_json::to_writer(&mut text, &output.line(&piece))
                .map_err(|why| Problem::failed(why.to_string()))?;
            text.push(b'\n');
            *from = piece.last() + 1;
        }
        complete &= output.lines.is_some_and(|lines| *from > lines);
    }
    Ok((text.into(), complete))
}
