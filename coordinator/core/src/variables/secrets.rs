//! Sensitive values that would come into a text in clear (SEMANTICS 6).

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use windlass_protocol::ids::{EnvironmentId, StepId};
use windlass_protocol::names::fold;
use windlass_templates::Reference;

use super::leads::{Found, leading};
use super::needs::{names_with_prefix, references};
use super::reach::Chosen;
use super::{is_systems, is_tenants_name};
use crate::model::{Snapshot, Step};
use crate::query::Query;

/// A sensitive value that a text reads.
#[derive(Debug, PartialEq, Eq)]
pub struct Secret<'n> {
    /// The name by which the text reads it; all that begin so, where it ends with `[`.
    pub read: &'n str,
    /// The variable or template that is sensitive.
    pub name: String,
    /// Where no value leads to it, why it is read all the same.
    pub undefined: Option<Undefined>,
}

/// A name that is looked for in the JSON of something shorter, since in some place where the step runs nothing defines it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Undefined {
    pub name: String,
    /// What it is looked for in.
    pub holder: String,
}

impl Secret<'_> {
    /// Whether it comes through the value of something else.
    pub fn is_through_another(&self) -> bool {
        let (read, name) = (fold(self.read), fold(&self.name));
        if read.ends_with('[') { !name.starts_with(&read) } else { name != read }
    }
}

/// What is looked at for one release at most: bytes of values, scopes and what they name, and those once more for each value
/// that they are compared with. Everybody else waits for it: as much of any of these alone took 0.4 to 1.2 s.
const MOST_LOOKED_AT: usize = 1 << 27;

/// How much looking for a name is beside that.
const NAME: usize = 1 << 9;

/// And how much a byte that is looked through.
const BYTE: usize = 1 << 4;

/// That hooks lead to more than is looked at.
#[derive(Debug)]
pub struct TooMuch;

/// The sensitive values of a release that texts of its steps read.
pub struct Secrets<'s> {
    snapshot: &'s Snapshot,
    /// The steps that a value is for: no other step is like one of them.
    chosen: BTreeSet<StepId>,
    /// What was found to read nothing sensitive.
    harmless: BTreeSet<Reader<'s>>,
    left: Cell<usize>,
}

/// What makes a difference between two steps, and the names that they read.
type Reader<'s> =
    (Option<StepId>, [&'s BTreeSet<EnvironmentId>; 2], &'s BTreeSet<String>, &'s Query, &'s BTreeSet<String>);

impl<'s> Secrets<'s> {
    pub fn of(snapshot: &'s Snapshot) -> Self {
        let of_sets = snapshot.library_sets.iter().flat_map(|set| &set.variables);
        let values = snapshot.variables.iter().chain(of_sets).flat_map(|variable| &variable.values);
        let chosen = values.flat_map(|value| value.scope.steps.iter().copied()).collect();
        Self { snapshot, chosen, harmless: BTreeSet::new(), left: Cell::new(MOST_LOOKED_AT) }
    }

    /// What of these names reads something sensitive in a step, itself or through what a value of it refers to: a variable
    /// with a sensitive value that the step can choose in any place where it may run, or a template that tenants fill with
    /// one. What tenants fill in is not followed, here as everywhere.
    ///
    /// What only a condition reads counts as well: what it says stands in the text, and comparisons spell a value out.
    pub fn read_by(
        &mut self,
        step: &'s Step,
        names: &'s BTreeSet<String>,
    ) -> Result<Option<Secret<'s>>, TooMuch> {
        let own = self.chosen.contains(&step.id).then_some(step.id);
        let environments = [&step.environments, &step.excluded_environments];
        let reader = (own, environments, &step.roles, &step.tenants, names);
        if self.harmless.contains(&reader) {
            return Ok(None);
        }
        let found = Look { snapshot: self.snapshot, step, left: &self.left }.secret_in(names);
        if self.left.get() == 0 {
            return Err(TooMuch);
        }
        if found.is_none() {
            self.harmless.insert(reader);
        }
        Ok(found)
    }
}

struct Look<'a> {
    snapshot: &'a Snapshot,
    step: &'a Step,
    /// What may still be looked at: of the rest nothing is seen.
    left: &'a Cell<usize>,
}

/// What is seen of a name.
#[derive(Default)]
struct Seen {
    /// Its own spelling, where it is sensitive.
    sensitive: Option<String>,
    /// What its values refer to, or all that begin so.
    refers: Vec<String>,
    /// Where nothing may define it, the longest part of it that something does: it would lie in the JSON of that.
    holder: Option<String>,
}

impl Look<'_> {
    fn secret_in<'n>(&self, names: &'n BTreeSet<String>) -> Option<Secret<'n>> {
        let secrets = leading(names.iter().cloned(), |name| match self.at(name) {
            Seen { sensitive: Some(name), .. } => Found::Itself(name),
            Seen { refers, holder, .. } => Found::Inside(refers.into_iter().chain(holder).collect()),
        });
        let read = names.iter().find(|name| secrets.contains_key(&fold(name)))?;
        let by_holder = || self.by_holder(read, &secrets).map(|(undefined, name)| (name, Some(undefined)));
        let (name, undefined) = self
            .by_values(read)
            .map(|name| (name, None))
            .or_else(by_holder)
            .unwrap_or_else(|| (secrets[&fold(read)].clone(), None));
        Some(Secret { read, name, undefined })
    }

    /// What is sensitive that values of `name` lead to.
    fn by_values(&self, name: &str) -> Option<String> {
        let mut leads = leading([name.to_owned()], |name| match self.at(name) {
            Seen { sensitive: Some(name), .. } => Found::Itself(name),
            Seen { refers, .. } => Found::Inside(refers),
        });
        leads.remove(&fold(name))
    }

    /// The same of what holders lead to, with the name that nothing may define. `secrets` is what all lead to.
    fn by_holder(&self, name: &str, secrets: &BTreeMap<String, String>) -> Option<(Undefined, String)> {
        let mut leads = leading([name.to_owned()], |name| {
            let Seen { refers, holder, .. } = self.at(name);
            let found = holder.and_then(|holder| Some((secrets.get(&fold(&holder))?.clone(), holder)));
            match found {
                Some((secret, holder)) => {
                    let name = name.trim_end_matches('[').to_owned();
                    Found::Itself((Undefined { name, holder }, secret))
                }
                None => Found::Inside(refers),
            }
        });
        leads.remove(&fold(name))
    }

    fn at(&self, name: &str) -> Seen {
        if self.is_given(name) || self.left.get() == 0 {
            return Seen::default();
        }
        let mut refers = Self::in_our_words(name);
        let reference = Reference::Name(name.to_owned());
        let known = |holder: &&str| self.is_given(holder) || !self.snapshot.called(holder).is_empty();
        let holder = || reference.holders().into_iter().find(known).map(str::to_owned);
        if let Some(list) = name.strip_suffix('[') {
            refers.extend(names_with_prefix(self.snapshot, name));
            // The elements of a list are in its own value where it has one, and nobody would call them undefined.
            let (own, holder) = holder().map_or((None, None), |holder| {
                if holder == list { (Some(holder), None) } else { (None, Some(holder)) }
            });
            refers.extend(own);
            self.count(refers.len());
            return Seen { sensitive: None, refers, holder };
        }
        let chosen = Chosen::of(name, self.step, self.snapshot);
        let texts: usize = chosen.values.iter().map(|value| value.most_bytes() * BYTE).sum();
        self.count(chosen.looked_at + texts);
        let is_sensitive = chosen.filled_sensitive || chosen.values.iter().any(|value| value.is_sensitive());
        let spelled = || self.snapshot.called(name).first().map(|found| found.name().to_owned());
        refers.extend(chosen.values.into_iter().flat_map(references));
        let holder = if chosen.everywhere { None } else { holder() };
        Seen { sensitive: is_sensitive.then(spelled).flatten(), refers, holder }
    }

    /// Counts what was looked at for one name.
    fn count(&self, things: usize) {
        self.left.set(self.left.get().saturating_sub(NAME + things));
    }

    /// Whether the system gives it to the step wherever that runs: then nothing shadows it, and it is not sensitive. A
    /// step that is for some tenants only runs for no untenanted deployment.
    fn is_given(&self, name: &str) -> bool {
        is_systems(name) && (!is_tenants_name(name) || !self.step.tenants.is_empty())
    }

    /// What begins in Octopus's word is answered with what begins in ours.
    fn in_our_words(name: &str) -> Vec<String> {
        fold(name).strip_prefix("octopus.").map(|rest| format!("windlass.{rest}")).into_iter().collect()
    }
}
