//! Which names lead to something, directly or through what other names come to.

use std::collections::BTreeMap;

use windlass_protocol::names::fold;

/// What a name is, for somebody who looks for something.
pub(super) enum Found<T> {
    /// This is it.
    Itself(T),
    /// What is looked for may be in these.
    Inside(Vec<String>),
}

/// Of `names`, and all that they lead to, those that lead to something, folded, with what: the least of what `look` finds.
///
/// Each name is looked at once, however many lead to it, and a chain of them takes memory and no stack: it may be as long
/// as people write it. Names are numbered, since a thousand that all lead to each other are a million leads.
pub(super) fn leading<T: Clone + Ord>(
    names: impl IntoIterator<Item = String>,
    mut look: impl FnMut(&str) -> Found<T>,
) -> BTreeMap<String, T> {
    let mut known = Known::default();
    for name in names {
        known.number(name);
    }
    let mut found = Vec::new();
    while let Some((number, name)) = known.open.pop() {
        match look(&name) {
            Found::Itself(it) => found.push((it, number)),
            Found::Inside(inside) => {
                for inner in inside {
                    let inner = known.number(inner);
                    known.led_to[inner].push(number);
                }
            }
        }
    }
    // The least is taken back to all that lead to it before the next one is, so that each name gets its least.
    found.sort();
    let Known { numbers, mut led_to, .. } = known;
    let mut leading: Vec<Option<T>> = vec![None; led_to.len()];
    for (it, number) in found {
        let mut open = vec![number];
        while let Some(number) = open.pop() {
            open.append(&mut led_to[number as usize]);
            leading[number as usize].get_or_insert_with(|| it.clone());
        }
    }
    let leads = |(name, number): (String, u32)| Some((name, leading[number as usize].take()?));
    numbers.into_iter().filter_map(leads).collect()
}

/// The names that were come to.
#[derive(Default)]
struct Known {
    /// By folded name.
    numbers: BTreeMap<String, u32>,
    /// Those that are still to be looked at, as they are written where they were first met.
    open: Vec<(u32, String)>,
    /// For each number, those that lead to it.
    led_to: Vec<Vec<u32>>,
}

impl Known {
    /// The number of a name; one that is met for the first time is open.
    fn number(&mut self, name: String) -> usize {
        let folded = fold(&name);
        if let Some(number) = self.numbers.get(&folded) {
            return *number as usize;
        }
        let at = self.led_to.len();
        let number =
            u32::try_from(at).expect("a release has fewer names than bytes, and those are a few MiB");
        self.numbers.insert(folded, number);
        self.open.push((number, name));
        self.led_to.push(Vec::new());
        at
    }
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
            Err(_) => Found::Inside(Vec::new()),
        };
        let thread = std::thread::Builder::new().stack_size(128 << 10);
        let found =
            thread.spawn(move || leading(["0".to_owned()], look)).expect("there is room for a thread");
        assert_eq!(found.join().expect("it did not end the process").len(), LENGTH + 1);
    }
}
