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
use crate::http::deployments::deployment_id;
use crate::http::extract::{Asked, Named};
use crate::http::refusal::Refusal;
use crate::output::{Logs, Missing, Piece, Room, Why};

/// How often is looked for new lines.
const PACE: Duration = Duration::from_millis(300);
/// An empty line goes out after so long without any, so that a dead connection is noticed on both sides.
const QUIET: Duration = Duration::from_secs(15);
/// How long lines that a step announced are waited for once the deployment is over.
const LATE: Duration = Duration::from_secs(10);
/// What is read at once of one output.
const AT_ONCE: Room = Room { pieces: 500, bytes: 256 << 10 };
/// Bytes of a piece of the stream, and what is read at once more: it lies in memory until who follows has taken it.
const PIECE: usize = 128 << 10;

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
        read: Read::default(),
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
    read: Read,
    over_since: Option<Instant>,
    spoke: Instant,
}

/// How far the outputs are read.
#[derive(Default)]
struct Read {
    /// The number of the line that comes next, by output.
    next: BTreeMap<(usize, TargetId), u64>,
    /// The output to begin with: of those that all print much, none has to wait for the end of another.
    turn: usize,
}

/// What came since.
struct News {
    text: Bytes,
    /// Whether every line has come that a step announced.
    complete: bool,
    /// Whether the deployment is over.
    over: bool,
}

impl Follower {
    /// The next lines; `None` at the end. The token is looked at each time: one that was taken back reads no further.
    async fn wait_for_more(&mut self) -> Result<Option<Bytes>, ()> {
        loop {
            let News { text, complete, over } = self.look().await.map_err(|refusal| {
                tracing::debug!(deployment = %self.deployment, ?refusal, "the output is not followed any further");
            })?;
            if !text.is_empty() {
                self.spoke = Instant::now();
                return Ok(Some(text));
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

    /// Lines that have come since.
    async fn look(&mut self) -> Result<News, Refusal> {
        let logs = Arc::clone(&self.caller.context.services.output);
        let (deployment, mut read) = (self.deployment, std::mem::take(&mut self.read));
        let (step, target) = (self.asked.step.clone(), self.asked.target.clone());
        let turns = &self.caller.context.quotas.output;
        let looking = self.caller.read_heavily(turns, "reading output", move |sight, _| {
            let found = outputs(sight.space(), deployment, step.as_deref(), target.as_deref())?;
            let (text, complete) = read.on(logs.as_ref(), &found.outputs)?;
            Ok((News { text, complete, over: found.over }, read))
        });
        let (news, read) = looking.await?;
        self.read = read;
        Ok(news)
    }
}

impl Read {
    /// Reads on in each output, until there is enough for a piece of the stream; and whether every announced line has come.
    fn on(&mut self, logs: &dyn Logs, outputs: &[StepOutput]) -> Result<(Bytes, bool), Problem> {
        let mut text = Vec::new();
        let mut complete = true;
        let begin = self.turn.checked_rem(outputs.len()).unwrap_or_default();
        for (turn, output) in (begin..).zip(outputs[begin..].iter().chain(&outputs[..begin])) {
            if text.len() >= PIECE {
                self.turn = turn;
                return Ok((text.into(), false));
            }
            let from = self.next.entry(output.key()).or_insert(1);
            if output.lines.is_some_and(|lines| *from > lines) {
                continue;
            }
            for piece in output.read(logs, *from, AT_ONCE)? {
                // How many lines are left out is only known when the step has ended.
                if output.lines.is_none()
                    && matches!(piece, Piece::Missing(Missing { why: Why::LeftOut, .. }))
                {
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
}
