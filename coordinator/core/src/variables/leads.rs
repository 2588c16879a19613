//! Which names lead to something, directly or through what other names come to.

use std::collections::{BTreeMap, BTreeSet};

use windlass_protocol::names::fold;

/// What a name is, for somebody who looks for something.
pub(super) enum Found<T> {
    /// This is it.
    Itself(T),
    /// What is looked for may be in these.
    Inside(BTreeSet<String>),
}

/// Of `names`, and all that they lead to, those that lead to something, folded, with what: the least of what `look` finds.
///
/// Each name is looked at once, however many lead to it, and a chain of them takes memory and no stack: it may be as long
/// as people write it.
pub(super) fn leading<T: Clone + Ord>(
    names: impl IntoIterator<Item = String>,
    mut look: impl FnMut(&str) -> Found<T>,
) -> BTreeMap<String, T> {
    let mut open: Vec<String> = names.into_iter().collect();
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    let mut led_to: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while let Some(name) = open.pop() {
        let folded = fold(&name);
        if !seen.insert(folded.clone()) {
            continue;
        }
        match look(&name) {
            Found::Itself(it) => found.push((it, folded)),
            Found::Inside(inside) => {
                for inner in &inside {
                    led_to.entry(fold(inner)).or_default().push(folded.clone());
                }
                open.extend(inside);
            }
        }
    }
    // The least is taken back to all that lead to it before the next one is, so that each name gets its least.
    found.sort();
    let mut leading = BTreeMap::new();
    for (it, name) in found {
        let mut open = vec![name];
        while let Some(name) = open.pop() {
            open.extend(led_to.remove(&name).unwrap_or_default());
            leading.entry(name).or_insert_with(|| it.clone());
        }
    }
    leading
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(names: &[&str]) -> Found<char> {
        Found::Inside(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn all_that_lead_to_something_are_found_be_there_circles_and_however_many_ways() {
        let look = |name: &str| match fold(name).as_str() {
            "a" => inside(&["b", "c"]),
            "b" => inside(&["A", "d"]),
            "c" => inside(&["x", "y"]),
            "d" => inside(&["D"]),
            "x" => Found::Itself('x'),
            "y" => Found::Itself('y'),
            "only" => inside(&["y"]),
            _ => inside(&[]),
        };
        let names = ["a", "B", "d", "only", "nothing", "X"].map(str::to_owned);
        let found = leading(names, look).into_iter().collect::<Vec<_>>();
        let expected = [("a", 'x'), ("b", 'x'), ("c", 'x'), ("only", 'y'), ("x", 'x'), ("y", 'y')];
        assert_eq!(found, expected.map(|(name, it)| (name.to_owned(), it)));
    }

    #[test]
    fn a_chain_takes_no_stack() {
        const LENGTH: usize = 100_000;
        let look = |name: &str| match name.parse::<usize>() {
            Ok(LENGTH) => Found::Itself(()),
            Ok(place) => Found::Inside([(place + 1).to_string()].into()),
            Err(_) => Found::Inside(BTreeSet::new()),
        };
        let thread = std::thread::Builder::new().stack_size(128 << 10);
        let found =
            thread.spawn(move || leading(["0".to_owned()], look)).expect("there is room for a thread");
        assert_eq!(found.join().expect("it did not end the process").len(), LENGTH + 1);
    }
}
