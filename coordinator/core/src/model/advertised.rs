//! What an agent says of its machine, kept as it said it, as text (SEMANTICS 3). What that comes to, [`crate::scope`]
//! finds out at every use: a name that means nothing yet counts from the moment on at which something has it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use windlass_protocol::message::{Advertised, Isolation, Participation};
use windlass_protocol::names::{fold, visible};

use crate::catalogue::{Catalogue, Named};

/// What an agent's configuration says. `None` narrows nothing, an empty list means none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advertisement {
    pub roles: Option<BTreeSet<String>>,
    pub environments: Option<SaidNames>,
    /// Tenants; one query with the tags.
    pub tenants: Option<SaidNames>,
    pub tenant_tags: Option<SaidTags>,
    pub participation: Option<Participation>,
    /// How the agent keeps tenants apart.
    pub isolation: Isolation,
    pub agent_version: String,
}

impl Advertisement {
    /// What an agent said. What is not printable in its words is escaped, because operators read them on their
    /// terminals: nothing has such a name, so that they mean nothing before or after.
    pub fn new(said: &Advertised, isolation: Isolation, agent_version: &str) -> Self {
        fn texts<T: FromIterator<String>>(said: Option<&Vec<String>>) -> Option<T> {
            said.map(|names| names.iter().map(|name| visible(name).into_owned()).collect())
        }
        Self {
            roles: texts(said.roles.as_ref()),
            environments: texts(said.environments.as_ref()),
            tenants: texts(said.tenants.as_ref()),
            tenant_tags: texts(said.tenant_tags.as_ref()),
            participation: said.participation,
            isolation,
            agent_version: visible(agent_version).into_owned(),
        }
    }
}

/// Names, each with how it is compared before it: whether something is among them takes a look-up, not a walk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeSet<String>", into = "BTreeSet<String>")]
pub struct SaidNames(BTreeSet<(String, String)>);

impl SaidNames {
    /// Keeps the names that `keep` says.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.0.retain(|(_, text)| keep(text));
    }

    /// The names as they were written.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, text)| text.as_str())
    }

    /// Whether one of the names is the name of `thing`, as [`Catalogue::named`] finds it now.
    pub fn name<T: Named>(&self, things: &Catalogue<T>, thing: &T) -> bool {
        let written = [fold(&thing.id().to_string()), thing.name().folded(), thing.slug().to_string()];
        let mut candidates = written.into_iter().flat_map(|folded| {
            let from = (folded.clone(), String::new());
            self.0.range(from..).take_while(move |(known, _)| *known == folded)
        });
        candidates.any(|(_, text)| things.named(text).is_some_and(|found| found.id() == thing.id()))
    }
}

impl FromIterator<String> for SaidNames {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Self {
        Self(names.into_iter().map(|name| (fold(&name), name)).collect())
    }
}

impl From<BTreeSet<String>> for SaidNames {
    fn from(names: BTreeSet<String>) -> Self {
        names.into_iter().collect()
    }
}

impl From<SaidNames> for BTreeSet<String> {
    fn from(names: SaidNames) -> Self {
        names.0.into_iter().map(|(_, text)| text).collect()
    }
}

/// Tags, as `Tag Set/Tag`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeSet<String>", into = "BTreeSet<String>")]
pub struct SaidTags {
    texts: BTreeSet<String>,
    by_set: Option<BTreeMap<String, BTreeSet<String>>>,
}

impl SaidTags {
    /// The tags as they were written.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(String::as_str)
    }

    /// The tags, as they are compared, by what their set is called; several names may be of one set. `None` where a text
    /// is no tag: a set of its own that matches nobody, so that no tenant has one of each.
    pub const fn by_set(&self) -> Option<&BTreeMap<String, BTreeSet<String>>> {
        self.by_set.as_ref()
    }
}

impl FromIterator<String> for SaidTags {
    fn from_iter<I: IntoIterator<Item = String>>(texts: I) -> Self {
        texts.into_iter().collect::<BTreeSet<_>>().into()
    }
}

impl From<BTreeSet<String>> for SaidTags {
    fn from(texts: BTreeSet<String>) -> Self {
        let mut by_set = Some(BTreeMap::<_, BTreeSet<_>>::new());
        for text in &texts {
            match (text.split_once('/'), &mut by_set) {
                (Some((set, tag)), Some(sets)) => {
                    sets.entry(set.trim().to_owned()).or_default().insert(fold(tag.trim()));
                }
                _ => by_set = None,
            }
        }
        Self { texts, by_set }
    }
}

impl From<SaidTags> for BTreeSet<String> {
    fn from(tags: SaidTags) -> Self {
        tags.texts
    }
}
