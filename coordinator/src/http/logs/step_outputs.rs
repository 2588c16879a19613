//! Where output comes from: each step of a deployment on each of its targets.

use std::fmt;
use std::str::FromStr;

use windlass_api::answers::{LogLine, LogStream};
use windlass_api::error::Problem;
use windlass_coordinator_core::catalogue::unknown;
use windlass_coordinator_core::graph::{RunState, WorkKind};
use windlass_coordinator_core::reasons;
use windlass_coordinator_core::state::{Space, assignment_id};
use windlass_protocol::ids::{DeploymentId, StepId, TargetId};
use windlass_protocol::message::OutputStream;
use windlass_protocol::names::fold;

use crate::engine::now;
use crate::http::{deployments, display};
use crate::output::{Logs, NumberedLine, Piece, Room, Why};

/// A step of a deployment on a target.
#[derive(Debug, Clone)]
pub(super) struct StepOutput {
    deployment: DeploymentId,
    /// The step's place in the deployment.
    index: usize,
    step: StepId,
    target: TargetId,
    step_name: String,
    target_name: String,
    /// Lines that it has in all, once it has ended.
    pub(super) lines: Option<u64>,
}

/// The outputs of a deployment in order, and whether it is over.
pub(super) struct DeploymentOutput {
    pub(super) outputs: Vec<StepOutput>,
    pub(super) over: bool,
}

/// A line's place in the order of all lines, as lists name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    index: usize,
    target: TargetId,
    pub(super) number: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.index, self.target, self.number)
    }
}

impl FromStr for Position {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let parse = || {
            let mut parts = text.splitn(3, '.');
            let index = parts.next()?.parse().ok()?;
            let target = parts.next()?.parse().ok()?;
            Some(Self { index, target, number: parts.next()?.parse().ok()? })
        };
        parse().ok_or_else(|| {
            Problem::usage(format!("`{text}` is no place in the output; use `next` of the part before"))
        })
    }
}

impl StepOutput {
    pub(super) fn is_before(&self, position: &Position) -> bool {
        (self.index, self.target) < (position.index, position.target)
    }

    pub(super) fn is_at(&self, position: &Position) -> bool {
        (self.index, self.target) == (position.index, position.target)
    }

    pub(super) const fn position(&self, number: u64) -> Position {
        Position { index: self.index, target: self.target, number }
    }

    /// What the output is known by while it is followed.
    pub(super) const fn key(&self) -> (usize, TargetId) {
        (self.index, self.target)
    }

    /// Its output from line `from` on, as much as there is room for. Waits for the store.
    pub(super) fn read(&self, logs: &dyn Logs, from: u64, room: Room) -> Result<Vec<Piece>, Problem> {
        let Self { deployment, step, target, .. } = *self;
        let assignment = assignment_id(deployment, target, WorkKind::Run(step), 1);
        logs.read(assignment, from, room, self.lines).map_err(|why| {
            tracing::error!(%deployment, %step, %target, %why, "the output of a step cannot be read");
            Problem::failed("the output of a step cannot be read; the coordinator's log tells why")
        })
    }

    /// A piece as it is shown. A note stands for lines that are missing, with the number of the last of them.
    pub(super) fn line(&self, piece: &Piece) -> LogLine {
        let (time, stream, text, missing) = match piece {
            Piece::Line(NumberedLine { line, .. }) => (line.time, word(line.stream), line.text.clone(), None),
            Piece::Missing(missing) => {
                let count = missing.last - missing.first + 1;
                (now(), word(OutputStream::Note), sentence(count, missing.why), Some(count))
            }
        };
        LogLine {
            step: self.step_name.clone(),
            target: self.target_name.clone(),
            number: piece.last(),
            time: display::time(time),
            stream,
            text,
            missing,
        }
    }
}

const fn word(stream: OutputStream) -> LogStream {
    match stream {
        OutputStream::Out => LogStream::Out,
        OutputStream::Err => LogStream::Err,
        OutputStream::Note => LogStream::Note,
    }
}

/// What is said in place of missing lines.
fn sentence(count: u64, why: Why) -> String {
    let lines = if count == 1 { "1 line was".to_owned() } else { format!("{count} lines were") };
    match why {
        Why::Removed => format!("{lines} removed: only the newest output of all deployments is kept"),
        Why::LeftOut => format!("{lines} left out: the step printed more than is kept of one step"),
    }
}

/// The outputs of a deployment that were begun; `step` and `target` narrow them by name.
pub(super) fn outputs(
    space: &Space,
    deployment: DeploymentId,
    step: Option<&str>,
    target: Option<&str>,
) -> Result<DeploymentOutput, Problem> {
    let found = deployments::find(space, deployment)?;
    let release = space.releases.get(&found.release()).map(std::convert::AsRef::as_ref);
    let wanted_target = target.map(|name| space.targets.find(name).map(|target| target.id)).transpose()?;
    if let (Some(wanted), Some(release)) = (step, release) {
        // Also one that has no target here is a step of the release: it has no output, and that is no error.
        let known = || release.snapshot.steps.iter().map(|step| step.name.as_str());
        if !known().any(|name| fold(name) == fold(wanted)) {
            return Err(Problem::not_found(unknown("step", wanted, known())));
        }
    }
    let mut outputs = Vec::new();
    for (index, node) in found.graph.nodes().enumerate() {
        let WorkKind::Run(step_id) = node.plot.work else { continue };
        let step_name = deployments::step_name(release, step_id);
        if step.is_some_and(|wanted| fold(wanted) != fold(&step_name)) {
            continue;
        }
        for target in node.plot.targets.iter().copied() {
            if wanted_target.is_some_and(|wanted| wanted != target) {
                continue;
            }
            let lines = match found.graph.run(index, target).map(|run| &run.state) {
                None => continue,
                Some(RunState::Ended(end)) => Some(end.lines),
                Some(_) => None,
            };
            let target_name = reasons::target_name(space, found, target);
            let step_name = step_name.clone();
            outputs.push(StepOutput {
                deployment,
                index,
                step: step_id,
                target,
                step_name,
                target_name,
                lines,
            });
        }
    }
    Ok(DeploymentOutput { outputs, over: found.is_over() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_with_how_much_it_is() {
        assert_eq!(
            sentence(1, Why::Removed),
            "1 line was removed: only the newest output of all deployments is kept"
        );
        assert_eq!(
            sentence(12_000, Why::LeftOut),
            "12000 lines were left out: the step printed more than is kept of one step"
        );
    }
}
