//! Lines of a step's output, acknowledged when durable.

use windlass_coordinator_core::authorise::OutputPermit;
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::message::{Answer, Denied, OutputLine};

use super::super::Sessions;
use crate::output::OutputError;

pub(super) async fn answer(
    sessions: &Sessions,
    _permit: &OutputPermit,
    assignment: AssignmentId,
    first: u64,
    lines: &[OutputLine],
) -> Result<Answer, Denied> {
    match sessions.services.output.append(assignment, first, lines.to_vec()).await {
        Ok(next) => Ok(Answer::Output { next }),
        // The store has said why, once; the agent keeps its lines and comes again.
        Err(OutputError::NotWorking) => Err(Denied::Busy),
        Err(OutputError::Numbers) => Err(Denied::Malformed),
        Err(why) => {
            tracing::error!(%assignment, %why, "output of a step could not be stored");
            Err(Denied::Busy)
        }
    }
}
