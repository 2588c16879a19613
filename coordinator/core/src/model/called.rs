//! What a snapshot defines, by name.

use windlass_protocol::names::{fold, folds_to};

use super::index::Place;
use super::release::Snapshot;
use super::value::{Template, Variable};

/// What has a name.
#[derive(Clone, Copy)]
pub enum Named<'a> {
    Variable(&'a Variable),
    Template(&'a Template),
}

/// What a snapshot defines, and whose it is.
#[derive(Clone, Copy)]
pub struct Defined<'a> {
    /// 0 for the project, and then the library sets in their order, from 1.
    pub owner: usize,
    pub named: Named<'a>,
}

impl Snapshot {
    /// What is called so, in any case: variables before templates, the project's before those of its sets.
    pub fn called<'a>(&'a self, name: &str) -> Vec<Defined<'a>> {
        let name = fold(name);
        self.from(&name, |known| folds_to(known, &name))
    }

    /// What has a name that begins so, in any case, in the same order.
    pub fn beginning<'a>(&'a self, prefix: &str) -> Vec<Defined<'a>> {
        let prefix = fold(prefix);
        self.from(&prefix, |known| fold(known).starts_with(&prefix))
    }

    /// Those from a folded name on for as long as `belongs` holds for their names.
    fn from(&self, name: &str, belongs: impl Fn(&str) -> bool) -> Vec<Defined<'_>> {
        let places = self.index.places(|| self.places());
        let first = places.partition_point(|place| is_before(self.at(*place).name(), name));
        let belonging = places[first..].iter().take_while(|place| belongs(self.at(**place).name()));
        let mut found: Vec<_> = belonging.copied().collect();
        found.sort_unstable();
        found.into_iter().map(|place| self.at(place)).collect()
    }

    /// All places, by folded name.
    fn places(&self) -> Box<[Place]> {
        let owners = 0..=self.library_sets.len();
        let all = owners.flat_map(|owner| {
            let (variables, templates) = self.owned(owner);
            let variables = (0..variables.len()).map(move |at| Place { template: false, owner, at });
            variables.chain((0..templates.len()).map(move |at| Place { template: true, owner, at }))
        });
        let mut places: Vec<_> = all.collect();
        places.sort_by_cached_key(|place| fold(self.at(*place).name()));
        places.into()
    }

    fn owned(&self, owner: usize) -> (&[Variable], &[Template]) {
        match owner.checked_sub(1) {
            None => (&self.variables, &self.templates),
            Some(set) => (&self.library_sets[set].variables, &self.library_sets[set].templates),
        }
    }

    fn at(&self, Place { template, owner, at }: Place) -> Defined<'_> {
        let (variables, templates) = self.owned(owner);
        let named = if template { Named::Template(&templates[at]) } else { Named::Variable(&variables[at]) };
        Defined { owner, named }
    }
}

impl<'a> Defined<'a> {
    /// Its name, as it is spelled where it is defined.
    pub fn name(&self) -> &'a str {
        match self.named {
            Named::Variable(variable) => &variable.name,
            Named::Template(template) => &template.name,
        }
    }
}

/// Whether a name comes before a folded one. What is ASCII, as nearly all is, takes no memory.
fn is_before(name: &str, folded: &str) -> bool {
    match name.is_ascii() {
        true => name.bytes().map(|byte| byte.to_ascii_lowercase()).lt(folded.bytes()),
        false => fold(name).as_str() < folded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Index, SnapshotSet};

    fn variables(names: &[&str]) -> Vec<Variable> {
        names.iter().map(|name| Variable { name: (*name).to_owned(), values: Vec::new() }).collect()
    }

    #[test]
    fn a_name_is_found_in_any_case_and_wherever_it_is_defined() {
        let id = windlass_protocol::ids::LibrarySetId::from_bytes([1; 16]);
        let set =
            SnapshotSet { id, templates: Vec::new(), variables: variables(&["port", "List[b]", "STRASSE"]) };
        let snapshot = Snapshot {
            steps: Vec::new(),
            variables: variables(&["Port", "list[c]", "Zone", "List", "Straße", "List[a]"]),
            templates: Vec::new(),
            library_sets: vec![set],
            index: Index::default(),
        };
        let shown = |found: Vec<Defined<'_>>| {
            found.iter().map(|one| format!("{} {}", one.owner, one.name())).collect::<Vec<_>>()
        };
        assert_eq!(shown(snapshot.called("PORT")), ["0 Port", "1 port"]);
        assert_eq!(shown(snapshot.called("strasse")), ["0 Straße", "1 STRASSE"]);
        assert_eq!(shown(snapshot.called("Por")), [""; 0]);
        assert_eq!(shown(snapshot.beginning("LIST[")), ["0 list[c]", "0 List[a]", "1 List[b]"]);
        assert_eq!(snapshot.beginning("").len(), 9);
        // A copy that is changed is asked anew, and that one was asked makes it no other.
        let mut copy = snapshot.clone();
        assert_eq!(copy, snapshot);
        copy.variables.truncate(1);
        assert_eq!(shown(copy.beginning("zone")), [""; 0]);
        assert_eq!(shown(copy.called("port")), ["0 Port", "1 port"]);
    }
}
