//! How what happens changes a graph. No decisions here: what is said, happens, or does not fit.

use windlass_protocol::Timestamp;
use windlass_protocol::ids::TargetId;
use windlass_protocol::message::Generation;

use super::{Graph, Run, RunState, Stage};
use crate::model::RunEnd;

/// What happened to a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled<'a> {
    /// A node became work of its targets.
    Assigned {
        node: usize,
        /// By this record.
        generation: Generation,
        since: Timestamp,
        /// It may not start after.
        expires: Timestamp,
    },
    /// A run began.
    Started {
        node: usize,
        target: TargetId,
        /// The agent must have reported an end by then.
        deadline: Timestamp,
    },
    /// A run ended.
    Ended { node: usize, target: TargetId, end: &'a RunEnd },
    /// A target gets nothing more: what is open on it is stopped.
    Removed {
        target: TargetId,
        /// How what is open on it ends.
        end: &'a RunEnd,
    },
}

/// What was said does not fit the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoesNotSettle;

impl Graph {
    /// Changes the graph by what happened.
    pub fn settle(&mut self, what: &Settled<'_>) -> Result<(), DoesNotSettle> {
        match what {
            Settled::Assigned { node, generation, since, expires } => {
                let known = self.nodes.get(*node).ok_or(DoesNotSettle)?;
                if known.stage == Stage::Open {
                    return Err(DoesNotSettle);
                }
                let targets = self.left(known);
                for target in &targets {
                    let attempt = self.run(*node, *target).map_or(1, |run| run.attempt + 1);
                    let state =
                        RunState::Assigned { generation: *generation, since: *since, expires: *expires };
                    self.runs.insert((*node, *target), Run { attempt, state });
                    self.open.insert((*node, *target));
                }
                self.set_stage(*node, if targets.is_empty() { Stage::Over } else { Stage::Open });
            }
            Settled::Started { node, target, deadline } => {
                let run = self.runs.get_mut(&(*node, *target)).ok_or(DoesNotSettle)?;
                // One that is safe to repeat may start again.
                let (RunState::Assigned { generation, since, expires }
                | RunState::Started { generation, since, expires, .. }) = run.state
                else {
                    return Err(DoesNotSettle);
                };
                run.state = RunState::Started { generation, since, expires, deadline: *deadline };
            }
            Settled::Ended { node, target, end } => self.end(*node, *target, end)?,
            Settled::Removed { target, end } => {
                for node in 0..self.nodes.len() {
                    if self.open.contains(&(node, *target)) {
                        self.end(node, *target, end)?;
                    }
                }
                self.removed.insert(*target);
            }
        }
        Ok(())
    }

    fn end(&mut self, node: usize, target: TargetId, end: &RunEnd) -> Result<(), DoesNotSettle> {
        let run = self.runs.get_mut(&(node, target)).ok_or(DoesNotSettle)?;
        run.state = RunState::Ended(end.clone());
        self.open.remove(&(node, target));
        let lowest = TargetId::from_bytes([0; 16]);
        let more = self.open.range((node, lowest)..).next().is_some_and(|(of, _)| *of == node);
        if !more {
            self.set_stage(node, Stage::Over);
        }
        Ok(())
    }

    fn set_stage(&mut self, node: usize, stage: Stage) {
        if let Some(known) = self.nodes.get_mut(node)
            && known.stage != stage
        {
            known.stage = stage;
        }
    }

    /// Stops all that is open: the deployment is over.
    pub fn stop(&mut self) {
        self.open.clear();
    }
}
