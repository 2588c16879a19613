//! The store of output, as the HTTP API reads it.

use windlass_api::error::Problem;
use windlass_coordinator_core::state::{WorkKind, assignment_id};
use windlass_protocol::ids::{DeploymentId, StepId, TargetId};
use windlass_protocol::message::OutputLine;

use super::TaskLogs;
use crate::output::OutputStore;

impl TaskLogs for OutputStore {
    fn read(
        &self,
        deployment: DeploymentId,
        step: StepId,
        target: TargetId,
        from: u64,
        most: usize,
    ) -> Result<Vec<(u64, OutputLine)>, Problem> {
        let assignment = assignment_id(deployment, target, WorkKind::Run(step));
        let lines = Self::read(self, assignment, from, most).map_err(|why| {
            tracing::error!(%deployment, %step, %target, %why, "the output of a step cannot be read");
            Problem::failed("the output of a step cannot be read; the coordinator's log tells why")
        })?;
        // The store gives whole batches.
        Ok(lines.into_iter().take(most).map(|numbered| (numbered.number, numbered.line)).collect())
    }
}
