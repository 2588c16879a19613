//! Sharing out: who waits gets something in turn, group by group, in each group flow by flow, in each flow in order.
//!
//! What is given out is alike (a turn to pull, a slot for a deployment), so that the deficit of a deficit round-robin is
//! a place in the round and nothing else. However much one flow asks for, another one waits for a round at most.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};

/// What waits, by group (a space) and flow (a tenant of it, or none).
#[derive(Debug, Clone)]
pub struct Fair<G, F, T> {
    /// None of them is empty.
    groups: BTreeMap<G, Group<F, T>>,
    /// The group that was served last, which may be gone.
    last: Option<G>,
}

#[derive(Debug, Clone)]
struct Group<F, T> {
    /// None of them is empty.
    flows: BTreeMap<F, VecDeque<T>>,
    last: Option<F>,
}

impl<G, F, T> Default for Fair<G, F, T> {
    fn default() -> Self {
        Self { groups: BTreeMap::new(), last: None }
    }
}

impl<G: Ord + Clone, F: Ord + Clone, T> Fair<G, F, T> {
    /// Waits from now on, behind the others of its flow.
    pub fn push(&mut self, group: G, flow: F, item: T) {
        let group = self.groups.entry(group).or_insert_with(|| Group { flows: BTreeMap::new(), last: None });
        group.flows.entry(flow).or_default().push_back(item);
    }

    /// Takes out whose turn it is: the first that is admitted, of the flow after the one that was served last. What is
    /// not admitted waits on, and keeps nobody waiting.
    pub fn take(&mut self, mut admits: impl FnMut(&G, &F, &T) -> bool) -> Option<(G, F, T)> {
        let (group, flow, place) = round(&self.groups, self.last.as_ref()).find_map(|(name, group)| {
            round(&group.flows, group.last.as_ref()).find_map(|(flow, items)| {
                let place = items.iter().position(|item| admits(name, flow, item))?;
                Some((name.clone(), flow.clone(), place))
            })
        })?;
        self.last = Some(group.clone());
        self.groups.get_mut(&group)?.last = Some(flow.clone());
        let item = self.take_at(&group, &flow, place)?;
        Some((group, flow, item))
    }

    /// Takes out what waits no longer, if it is there.
    pub fn remove(&mut self, group: &G, flow: &F, is: impl FnMut(&T) -> bool) -> Option<T> {
        let place = self.groups.get(group)?.flows.get(flow)?.iter().position(is)?;
        self.take_at(group, flow, place)
    }

    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The groups in which somebody waits.
    pub fn groups(&self) -> impl Iterator<Item = &G> {
        self.groups.keys()
    }

    /// The flows of a group in which somebody waits.
    pub fn flows(&self, group: &G) -> impl Iterator<Item = &F> {
        self.groups.get(group).into_iter().flat_map(|group| group.flows.keys())
    }

    fn take_at(&mut self, name: &G, flow: &F, place: usize) -> Option<T> {
        let group = self.groups.get_mut(name)?;
        let items = group.flows.get_mut(flow)?;
        let item = items.remove(place);
        if items.is_empty() {
            group.flows.remove(flow);
        }
        if group.flows.is_empty() {
            self.groups.remove(name);
        }
        item
    }
}

/// All of them, from the one after `last` on.
fn round<'a, K: Ord, V>(
    map: &'a BTreeMap<K, V>,
    last: Option<&'a K>,
) -> impl Iterator<Item = (&'a K, &'a V)> {
    let after = last.map_or(Unbounded, Excluded);
    let before = last.map(|last| map.range(..=last));
    map.range((after, Unbounded)).chain(before.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who waits, as `group flow number`; for each, whether it is admitted; and in which order they are served.
    type Case = (&'static str, &'static [&'static str], fn(&str) -> bool, &'static str);

    const ALL: fn(&str) -> bool = |_| true;

    const CASES: [Case; 7] = [
        ("nobody", &[], ALL, ""),
        ("one flow is served in its order", &["a x 1", "a x 2", "a x 3"], ALL, "ax1 ax2 ax3"),
        ("flows of a group take turns", &["a x 1", "a x 2", "a x 3", "a y 1"], ALL, "ax1 ay1 ax2 ax3"),
        (
            "groups take turns before flows do",
            &["a x 1", "a y 1", "a z 1", "b x 1", "b x 2"],
            ALL,
            "ax1 bx1 ay1 bx2 az1",
        ),
        (
            "a flow of the same name in another group is another one",
            &["a x 1", "a x 2", "b x 1"],
            ALL,
            "ax1 bx1 ax2",
        ),
        (
            "what is not admitted keeps nobody waiting",
            &["a x 1", "a x 2", "a y 1"],
            |name| name != "ax1",
            "ax2 ay1",
        ),
        (
            "a group without anything admitted is passed over",
            &["a x 1", "b x 1", "b x 2"],
            |name| !name.starts_with('a'),
            "bx1 bx2",
        ),
    ];

    fn waiting(names: &[&str]) -> Fair<char, char, char> {
        let mut fair = Fair::default();
        for name in names {
            let letters: Vec<char> = name.chars().filter(|letter| *letter != ' ').collect();
            fair.push(letters[0], letters[1], letters[2]);
        }
        fair
    }

    fn served(fair: &mut Fair<char, char, char>, admits: fn(&str) -> bool) -> String {
        let mut all = Vec::new();
        while let Some((group, flow, item)) =
            fair.take(|group, flow, item| admits(&format!("{group}{flow}{item}")))
        {
            all.push(format!("{group}{flow}{item}"));
        }
        all.join(" ")
    }

    #[test]
    fn everybody_is_served_in_turn() {
        for (what, names, admits, expected) in CASES {
            let mut fair = waiting(names);
            assert_eq!(served(&mut fair, admits), expected, "{what}");
            let left = names.len() - expected.split_whitespace().count();
            assert_eq!(
                served(&mut fair, ALL).split_whitespace().count(),
                left,
                "{what}: who was not admitted waits on"
            );
            assert!(fair.is_empty(), "{what}: nothing is kept of who was served");
        }
    }

    #[test]
    fn who_comes_late_waits_for_one_of_each_other_flow_at_most() {
        let mut fair = Fair::default();
        (0..1000).for_each(|number| fair.push('a', 'm', number));
        assert_eq!((0..10).filter_map(|_| fair.take(|_, _, _| true)).count(), 10);
        // Before and after the one that was served last, in its group and in others.
        for (group, flow) in [('a', 'a'), ('a', 'z'), ('0', 'x'), ('b', 'x')] {
            fair.push(group, flow, 0);
        }
        let next: Vec<_> = (0..6).filter_map(|_| fair.take(|_, _, _| true)).map(|(g, f, _)| (g, f)).collect();
        assert_eq!(next, [('b', 'x'), ('0', 'x'), ('a', 'z'), ('a', 'a'), ('a', 'm'), ('a', 'm')]);
    }

    #[test]
    fn who_stops_waiting_is_gone_and_nothing_is_kept_of_it() {
        let mut fair = waiting(&["a x 1", "a x 2", "b y 1"]);
        assert_eq!(fair.remove(&'a', &'x', |item| *item == '1'), Some('1'));
        assert_eq!(fair.remove(&'a', &'x', |item| *item == '1'), None);
        assert_eq!(fair.remove(&'b', &'x', |_| true), None);
        assert_eq!((fair.groups().count(), fair.flows(&'a').count()), (2, 1));
        assert_eq!(fair.remove(&'b', &'y', |_| true), Some('1'));
        assert_eq!(fair.groups().collect::<Vec<_>>(), [&'a']);
        assert_eq!(served(&mut fair, ALL), "ax2");
    }
}
