//! The store of output, as the HTTP API reads it.

use windlass_api::error::Problem;
use windlass_coordinator_core::state::{WorkKind, assignment_id};
use windlass_protocol::ids::{DeploymentId, StepId, TargetId};

use super::TaskLogs;
use crate::output::{OutputStore, Piece};

impl TaskLogs for OutputStore {
    fn read(
        &self,
        deployment: DeploymentId,
        step: StepId,
        target: TargetId,
        from: u64,
        most: usize,
        announced: Option<u64>,
    ) -> Result<Vec<Piece>, Problem> {
        let assignment = assignment_id(deployment, target, WorkKind::Run(step), 1);
        let mut pieces = Self::read(self, assignment, from, most, announced).map_err(|why| {
            tracing::error!(%deployment, %step, %target, %why, "the output of a step cannot be read");
            Problem::failed("the output of a step cannot be read; the coordinator's log tells why")
        })?;
        // The store gives whole batches.
        pieces.truncate(most);
        Ok(pieces)
    }
}
