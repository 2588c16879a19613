//! The graph of a deployment against a naive model, over random small graphs and histories: what is ready, how what
//! happens settles, how it ends.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use windlass_coordinator_core::graph::{DoesNotSettle, Graph, Plot, RunState, Settled, Verdict, WorkKind};
use windlass_coordinator_core::model::{Failure, RunEnd, RunOutcome};
use windlass_protocol::Timestamp;
use windlass_protocol::ids::{StepId, TargetId};
use windlass_protocol::message::Generation;

use crate::chance;

const TARGETS: u8 = 3;

fn target(number: u8) -> TargetId {
    TargetId::from_bytes([number % TARGETS; 16])
}

/// A node: whether it fetches, which of the nodes before it it comes after, and its targets, by bits.
type Drawn = (bool, u8, u8);

/// What happens: which kind, to which node and target, and whether an end is good.
type Happens = (u8, u8, u8, bool);

fn outcome(good: bool) -> RunOutcome {
    if good { RunOutcome::Succeeded } else { RunOutcome::Failed(Failure::Expired) }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Stand {
    Assigned,
    Started,
    Ended(bool),
    /// Its target was taken out.
    Stopped,
}

impl Stand {
    fn is_open(self) -> bool {
        matches!(self, Self::Assigned | Self::Started)
    }
}

/// A graph as somebody would keep it on paper.
struct Paper {
    nodes: Vec<(bool, Vec<usize>, Vec<u8>)>,
    begun: BTreeSet<usize>,
    runs: BTreeMap<(usize, u8), (u32, Stand)>,
    removed: BTreeSet<u8>,
}

impl Paper {
    fn of(drawn: &[Drawn]) -> Self {
        let bits = |bits: u8, most: usize| (0..most).filter(move |bit| bits & (1 << bit) != 0);
        let node = |(place, (fetches, after, targets)): (usize, &Drawn)| {
            // Every node has a target; fetching comes first, if at all.
            let of_node: Vec<_> = bits(*targets, usize::from(TARGETS)).map(|bit| bit as u8).collect();
            let of_node = if of_node.is_empty() { vec![0] } else { of_node };
            (*fetches && place == 0, bits(*after, place).collect(), of_node)
        };
        let nodes = drawn.iter().enumerate().map(node).collect();
        Self { nodes, begun: BTreeSet::new(), runs: BTreeMap::new(), removed: BTreeSet::new() }
    }

    fn plots(&self) -> Vec<Plot> {
        let plot = |(place, (fetches, after, targets)): (usize, &(bool, Vec<usize>, Vec<u8>))| Plot {
            work: if *fetches {
                WorkKind::Fetch
            } else {
                WorkKind::Run(StepId::from_bytes([place as u8; 16]))
            },
            after: after.iter().copied().collect(),
            targets: targets.iter().map(|number| target(*number)).collect(),
        };
        self.nodes.iter().enumerate().map(plot).collect()
    }

    fn open(&self, node: usize) -> bool {
        self.runs.iter().any(|((of, _), (_, stand))| *of == node && stand.is_open())
    }

    fn over(&self, node: usize) -> bool {
        self.begun.contains(&node) && !self.open(node)
    }

    fn ready(&self) -> Vec<usize> {
        let may = |node: &usize| {
            !self.begun.contains(node) && self.nodes[*node].1.iter().all(|before| self.over(*before))
        };
        (0..self.nodes.len()).filter(may).collect()
    }

    /// How it ends, in the words of the paper: the node, and the target where one failed.
    fn verdict(&self) -> Option<(&'static str, usize, Option<u8>)> {
        let all = 0..self.nodes.len();
        if all.clone().any(|node| self.open(node)) {
            return None;
        }
        for node in all.clone().filter(|node| self.over(*node)) {
            for of_node in &self.nodes[node].2 {
                if let Some((_, Stand::Ended(false))) = self.runs.get(&(node, *of_node)) {
                    return Some(("failed", node, Some(*of_node)));
                }
            }
        }
        let bare = |node: &usize| {
            let (fetches, _, targets) = &self.nodes[*node];
            !fetches && targets.iter().all(|of_node| self.removed.contains(of_node))
        };
        if let Some(node) = all.clone().find(bare) {
            return Some(("no target left", node, None));
        }
        all.clone().all(|node| self.over(node)).then_some(("succeeded", 0, None))
    }

    /// Whether what happens fits, and if so, how things stand then.
    fn happen(&mut self, (kind, node, number, good): Happens) -> bool {
        let node = usize::from(node);
        match kind {
            0 => {
                if node >= self.nodes.len() || self.open(node) {
                    return false;
                }
                self.begun.insert(node);
                let left: Vec<_> =
                    self.nodes[node].2.iter().copied().filter(|left| !self.removed.contains(left)).collect();
                for left in left {
                    let attempt = self.runs.get(&(node, left)).map_or(0, |(attempt, _)| *attempt) + 1;
                    self.runs.insert((node, left), (attempt, Stand::Assigned));
                }
                true
            }
            1 => match self.runs.get_mut(&(node, number)) {
                Some((_, stand)) if stand.is_open() => {
                    *stand = Stand::Started;
                    true
                }
                _ => false,
            },
            2 => match self.runs.get_mut(&(node, number)) {
                Some((_, stand)) => {
                    *stand = Stand::Ended(good);
                    true
                }
                None => false,
            },
            _ => {
                self.removed.insert(number);
                let of_target = self.runs.iter_mut().filter(|((_, of), _)| *of == number);
                for (_, (_, stand)) in of_target.filter(|(_, (_, stand))| stand.is_open()) {
                    *stand = Stand::Stopped;
                }
                true
            }
        }
    }
}

fn settle(graph: &mut Graph, (kind, node, number, good): Happens) -> Result<(), DoesNotSettle> {
    let (node, target, end) = (usize::from(node), target(number), RunEnd::of(outcome(good)));
    let stopped = RunEnd::of(RunOutcome::Stopped);
    let (since, expires) = (Timestamp::from_milliseconds(1), Timestamp::from_milliseconds(2));
    let generation = Generation { epoch: 1, sequence: 1 };
    graph.settle(&match kind {
        0 => Settled::Assigned { node, generation, since, expires },
        1 => Settled::Started { node, target, deadline: expires },
        2 => Settled::Ended { node, target, end: &end },
        _ => Settled::Removed { target, end: &stopped },
    })
}

fn in_words(graph: &Graph) -> Option<(&'static str, usize, Option<u8>)> {
    let place = |wanted| graph.place_of(wanted).expect("it is one of them");
    Some(match graph.verdict()? {
        Verdict::Succeeded => ("succeeded", 0, None),
        Verdict::Failed(node, of_node, _) => {
            let number = (0..TARGETS).find(|number| target(*number) == of_node);
            ("failed", place(node.plot.work), number)
        }
        Verdict::NoTargetLeft(node) => ("no target left", place(node.plot.work), None),
    })
}

fn same(graph: &Graph, paper: &Paper) {
    assert_eq!(graph.ready(), paper.ready());
    assert_eq!(in_words(graph), paper.verdict());
    let runs = graph.runs().map(|(node, target, run)| {
        let stand = match &run.state {
            RunState::Assigned { .. } => Stand::Assigned,
            RunState::Started { .. } => Stand::Started,
            RunState::Ended(end) if end.outcome == RunOutcome::Stopped => Stand::Stopped,
            RunState::Ended(end) => Stand::Ended(end.outcome == RunOutcome::Succeeded),
        };
        ((node, target.as_bytes()[0]), (run.attempt, stand))
    });
    assert_eq!(runs.collect::<BTreeMap<_, _>>(), paper.runs, "attempts count, and nobody who left gets one");
    let open = paper.runs.iter().filter(|(_, (_, stand))| stand.is_open());
    let open: BTreeSet<_> = open.map(|((node, number), _)| (*node, target(*number))).collect();
    assert_eq!(graph.open().iter().copied().collect::<BTreeSet<_>>(), open);
    assert!(open.iter().all(|(_, target)| !paper.removed.contains(&target.as_bytes()[0])));
}

#[test]
fn what_happens_to_a_graph_is_what_somebody_with_a_pencil_would_write_down() {
    let nodes = vec((any::<bool>(), any::<u8>(), any::<u8>()), 1..5);
    let happens = vec((0..9u8, 0..5u8, 0..TARGETS, prop::bool::weighted(0.8)), 1..40);
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    chance::cases(600, &(nodes, happens), |(drawn, history): (Vec<Drawn>, Vec<Happens>)| {
        let mut paper = Paper::of(&drawn);
        let mut graph = Graph::new(paper.plots());
        same(&graph, &paper);
        for (kind, node, number, good) in history {
            // Mostly what would happen: something ready is assigned, something assigned ends.
            let (kind, node) = match (kind, paper.ready().first()) {
                (0..3, Some(ready)) => (0, *ready as u8),
                (0 | 3, _) => (0, node),
                (1 | 4, _) => (1, node),
                (8, _) => (3, node),
                _ => (2, node),
            };
            let before = graph.clone();
            let fits = paper.happen((kind, node, number, good));
            assert_eq!(settle(&mut graph, (kind, node, number, good)).is_ok(), fits);
            if !fits {
                assert_eq!(graph, before, "what does not fit changes nothing");
            }
            same(&graph, &paper);
            let read: Graph =
                serde_json::from_value(serde_json::to_value(&graph).expect("JSON")).expect("read");
            assert_eq!(read, graph);
            *seen.entry(paper.verdict().map_or("goes on", |(verdict, ..)| verdict)).or_default() += 1;
            let again = paper.runs.values().any(|(attempt, _)| *attempt > 1);
            *seen.entry("tried again").or_default() += usize::from(again);
        }
    });
    assert!(seen.len() == 5 && seen.values().all(|times| *times > 100), "everything happens: {seen:?}");
}
