//! A deployment as a graph of nodes: what runs after what, on which targets, and how far each run is.
//!
//! A node is a step, or the fetching of packages before the first one. A run is a node on a target, and may be made again:
//! attempts count from 1. The same small machine serves plan, deployment and replay, and knows nothing else:
//!
//! ```text
//! ready(graph) -> nodes that may be assigned now        settle(graph, what happened)        verdict(graph) -> how it ended
//! ```
//!
//! Sequential steps are nodes that each come after the one before. What comes beside that (parallel, rolling, retry,
//! always-run) are other ways of choosing which nodes are ready.

mod settle;

use std::collections::BTreeSet;

use imbl::{OrdMap, OrdSet, Vector};
use serde::{Deserialize, Serialize};
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{StepId, TargetId};
use windlass_protocol::message::Generation;

use crate::model::{RunEnd, RunOutcome};
pub use settle::{DoesNotSettle, Settled};

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkKind {
    /// Fetch every package of the deployment.
    Fetch,
    Run(StepId),
}

impl WorkKind {
    /// The step that is run.
    pub const fn step(self) -> Option<StepId> {
        match self {
            Self::Fetch => None,
            Self::Run(step) => Some(step),
        }
    }
}

/// A node as it is laid out: what, where, and after which others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plot {
    #[serde(rename = "work")]
    pub work: WorkKind,
    /// The nodes that have to have succeeded first, by their places.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub after: BTreeSet<usize>,
    pub targets: OrdSet<TargetId>,
}

/// A node, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// What, where, after which others.
    #[serde(flatten)]
    pub plot: Plot,
    pub stage: Stage,
}

/// How far a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Not begun.
    Waiting,
    /// Assigned, and not all runs of it are over.
    Open,
    /// All runs of it are over.
    Over,
}

/// A node on a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Which time it is, from 1.
    pub attempt: u32,
    pub state: RunState,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Assigned, not known to have started.
    Assigned {
        /// By this record.
        generation: Generation,
        since: Timestamp,
        /// It may not start after.
        expires: Timestamp,
    },
    Started {
        /// Assigned by this record.
        generation: Generation,
        since: Timestamp,
        /// It might not have started after.
        expires: Timestamp,
        /// The agent must have reported an end by then.
        deadline: Timestamp,
    },
    Ended(RunEnd),
}

impl Run {
    /// Whether it is not over.
    pub const fn is_open(&self) -> bool {
        !matches!(self.state, RunState::Ended(_))
    }
}

/// The nodes of a deployment and their runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    /// The nodes, each after those that it waits for.
    nodes: Vector<Node>,
    /// The newest run of each node on each target.
    #[serde(with = "crate::map_as_list")]
    runs: OrdMap<(usize, TargetId), Run>,
    /// Runs that are not over.
    open: OrdSet<(usize, TargetId)>,
    /// Targets that get nothing more.
    removed: OrdSet<TargetId>,
}

/// How a graph ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// Every node succeeded on every target that was left.
    Succeeded,
    /// This node did not, on this target.
    Failed(&'a Node, TargetId, &'a RunOutcome),
    /// This node has no target left: whatever it had done by then is no success (SEMANTICS 3, "While it runs").
    NoTargetLeft(&'a Node),
}

impl Graph {
    /// A graph of which nothing has begun.
    pub fn new(plots: impl IntoIterator<Item = Plot>) -> Self {
        let nodes = plots.into_iter().map(|plot| Node { plot, stage: Stage::Waiting });
        Self { nodes: nodes.collect(), ..Self::default() }
    }

    /// The nodes in order.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }

    pub fn node(&self, place: usize) -> Option<&Node> {
        self.nodes.get(place)
    }

    /// The place of the node that does this.
    pub fn place_of(&self, work: WorkKind) -> Option<usize> {
        self.nodes.iter().position(|node| node.plot.work == work)
    }

    /// The places of all nodes that a node comes after, over however many others: these are over before it is ready.
    pub fn before(&self, place: usize) -> BTreeSet<usize> {
        let after = |place| self.node(place).into_iter().flat_map(|node| node.plot.after.iter().copied());
        let (mut before, mut open) = (BTreeSet::new(), after(place).collect::<Vec<_>>());
        while let Some(place) = open.pop() {
            if before.insert(place) {
                open.extend(after(place));
            }
        }
        before
    }

    /// The newest run of a node on a target.
    pub fn run(&self, node: usize, target: TargetId) -> Option<&Run> {
        self.runs.get(&(node, target))
    }

    /// Every run, with the place of its node and its target.
    pub fn runs(&self) -> impl Iterator<Item = (usize, TargetId, &Run)> {
        self.runs.iter().map(|((node, target), run)| (*node, *target, run))
    }

    /// The same without what travelled for it.
    pub(crate) fn without_traffic(&self) -> Self {
        let runs = self.runs.iter().map(|(place, run)| match &run.state {
            RunState::Ended(end) => {
                (*place, Run { attempt: run.attempt, state: RunState::Ended(end.without_traffic()) })
            }
            RunState::Assigned { .. } | RunState::Started { .. } => (*place, run.clone()),
        });
        Self { runs: runs.collect(), ..self.clone() }
    }

    /// Runs that are not over.
    pub const fn open(&self) -> &OrdSet<(usize, TargetId)> {
        &self.open
    }

    /// The steps that run on a target, in order.
    pub fn steps_on(&self, target: TargetId) -> impl Iterator<Item = StepId> {
        self.work_on(target).map(|(step, _)| step)
    }

    /// The same, each with whether it is over there.
    pub fn work_on(&self, target: TargetId) -> impl Iterator<Item = (StepId, bool)> {
        self.nodes.iter().enumerate().filter_map(move |(place, node)| match node.plot.work {
            WorkKind::Run(step) if node.plot.targets.contains(&target) => {
                let run = self.run(place, target);
                Some((step, run.is_some_and(|run| matches!(run.state, RunState::Ended(_)))))
            }
            WorkKind::Run(_) | WorkKind::Fetch => None,
        })
    }

    /// Whether anything of it is known to have begun on a target.
    pub fn has_begun(&self, target: TargetId) -> bool {
        let runs = (0..self.nodes.len()).filter_map(|place| self.run(place, target));
        runs.into_iter().any(|run| !matches!(run.state, RunState::Assigned { .. }))
    }

    /// The targets of a node that have not been taken out.
    pub fn left(&self, node: &Node) -> OrdSet<TargetId> {
        node.plot.targets.clone().relative_complement(self.removed.clone())
    }

    /// The nodes that may be assigned now: not begun, with all that they come after over, while nothing failed.
    pub fn ready(&self) -> Vec<usize> {
        let over = |place: &usize| self.nodes.get(*place).is_some_and(|node| node.stage == Stage::Over);
        let may = |node: &Node| node.stage == Stage::Waiting && node.plot.after.iter().all(over);
        self.nodes.iter().enumerate().filter(|(_, node)| may(node)).map(|(place, _)| place).collect()
    }

    /// How it ends, as far as it can be said by now; `None` while something goes on or may go on. Nothing is judged while
    /// runs are open.
    pub fn verdict(&self) -> Option<Verdict<'_>> {
        if !self.open.is_empty() {
            return None;
        }
        let over = self.nodes.iter().enumerate().filter(|(_, node)| node.stage == Stage::Over);
        let failed = |(place, node): (usize, &'_ Node)| {
            let runs =
                node.plot.targets.iter().filter_map(|target| Some((*target, self.run(place, *target)?)));
            runs.filter_map(|(target, run)| Some((target, self.failure(target, run)?))).next()
        };
        for (place, node) in over {
            if let Some((target, outcome)) = failed((place, node)) {
                let node = self.nodes.get(place).expect("its place is one of them");
                return Some(Verdict::Failed(node, target, outcome));
            }
        }
        let steps = self.nodes.iter().filter(|node| node.plot.work != WorkKind::Fetch);
        if let Some(node) = steps.into_iter().find(|node| self.is_bare(node)) {
            return Some(Verdict::NoTargetLeft(node));
        }
        self.nodes.iter().all(|node| node.stage == Stage::Over).then_some(Verdict::Succeeded)
    }

    /// How a run failed, if it did. What was stopped because its target was taken out did not; what had failed before that
    /// stays a failure, whatever becomes of its target.
    fn failure<'a>(&self, target: TargetId, run: &'a Run) -> Option<&'a RunOutcome> {
        match &run.state {
            RunState::Ended(RunEnd { outcome: RunOutcome::Succeeded, .. }) => None,
            RunState::Ended(RunEnd { outcome: RunOutcome::Stopped, .. })
                if self.removed.contains(&target) =>
            {
                None
            }
            RunState::Ended(end) => Some(&end.outcome),
            RunState::Assigned { .. } | RunState::Started { .. } => None,
        }
    }

    fn is_bare(&self, node: &Node) -> bool {
        !self.removed.is_empty() && node.plot.targets.iter().all(|target| self.removed.contains(target))
    }
}
