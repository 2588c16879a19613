//! Sensitive values that would come into a text in clear (SEMANTICS 6).

use std::collections::{BTreeMap, BTreeSet};

use windlass_protocol::names::fold;
use windlass_templates::Reference;

use super::leads::{Found, leading};
use super::needs::{names_with_prefix, references};
use super::reach::Chosen;
use super::{is_systems, is_tenants_name};
use crate::model::{Snapshot, Step};

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

/// What of these names reads something sensitive in a step, itself or through what a value of it refers to: a variable
/// with a sensitive value that the step can choose in any place where it may run, or a template that tenants fill with
/// one. What tenants fill in is not followed, here as everywhere.
///
/// What only a condition reads counts as well: what it says stands in the text, and comparisons spell a value out.
pub fn secret_in<'n>(snapshot: &Snapshot, step: &Step, names: &'n BTreeSet<String>) -> Option<Secret<'n>> {
    let look = Look { snapshot, step };
    let secrets = leading(names.iter().cloned(), |name| match look.at(name) {
        Seen { sensitive: Some(name), .. } => Found::Itself(name),
        Seen { refers, holder, .. } => Found::Inside(refers.into_iter().chain(holder).collect()),
    });
    let read = names.iter().find(|name| secrets.contains_key(&fold(name)))?;
    let (name, undefined) = look.by_values(read).map(|name| (name, None)).unwrap_or_else(|| {
        let (undefined, name) = look.by_holder(read, &secrets).expect("else nothing led to it");
        (name, Some(undefined))
    });
    Some(Secret { read, name, undefined })
}

struct Look<'a> {
    snapshot: &'a Snapshot,
    step: &'a Step,
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
        if self.is_given(name) {
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
            return Seen { sensitive: None, refers, holder };
        }
        let chosen = Chosen::of(name, self.step, self.snapshot);
        let is_sensitive = chosen.filled_sensitive || chosen.values.iter().any(|value| value.is_sensitive());
        let spelled = || self.snapshot.called(name).first().map(|found| found.name().to_owned());
        refers.extend(chosen.values.into_iter().flat_map(references));
        let holder = if chosen.everywhere { None } else { holder() };
        Seen { sensitive: is_sensitive.then(spelled).flatten(), refers, holder }
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
