//! Things of one kind in one space, found by id, slug or name (SEMANTICS 1).

use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdMap;
use imbl::ordmap::DiffItem;
use serde::{Deserialize, Serialize};
use windlass_api::error::Problem;
use windlass_protocol::Slug;
use windlass_protocol::names::{DisplayName, fold, nearest};

pub trait Named: Clone {
    type Id: Copy + Ord + std::fmt::Display + std::str::FromStr;
    /// What people call the kind: "tenant".
    const KIND: &'static str;
    fn id(&self) -> Self::Id;
    fn slug(&self) -> &Slug;
    fn name(&self) -> &DisplayName;
}

/// All things of one kind. Copies share everything, so a state is cheap to copy.
#[derive(Clone, Serialize, Deserialize)]
#[serde(
    from = "Items<T>",
    into = "Items<T>",
    bound(
        serialize = "T: Named + Serialize, T::Id: Serialize",
        deserialize = "T: Named + Deserialize<'de>, T::Id: Deserialize<'de>"
    )
)]
pub struct Catalogue<T: Named> {
    items: OrdMap<T::Id, Arc<T>>,
    slugs: OrdMap<Slug, T::Id>,
    names: OrdMap<String, T::Id>,
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Items<T>(Vec<T>);

impl<T: Named> From<Items<T>> for Catalogue<T> {
    fn from(items: Items<T>) -> Self {
        let mut catalogue = Self::default();
        for item in items.0 {
            catalogue.put(item);
        }
        catalogue
    }
}

impl<T: Named> From<Catalogue<T>> for Items<T> {
    fn from(catalogue: Catalogue<T>) -> Self {
        Self(catalogue.iter().cloned().collect())
    }
}

impl<T: Named> Default for Catalogue<T> {
    fn default() -> Self {
        Self { items: OrdMap::new(), slugs: OrdMap::new(), names: OrdMap::new() }
    }
}

impl<T: Named> Catalogue<T> {
    pub fn get(&self, id: T::Id) -> Option<&T> {
        self.items.get(&id).map(Arc::as_ref)
    }

    /// The thing of this id, to be kept.
    pub fn share(&self, id: T::Id) -> Option<Arc<T>> {
        self.items.get(&id).cloned()
    }

    /// The things, in the order of their ids.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.items.values().map(Arc::as_ref)
    }

    /// The things, in the order of their names.
    pub fn by_name(&self) -> impl Iterator<Item = &T> {
        self.names.values().filter_map(|id| self.get(*id))
    }

    /// The things behind the one with this folded name, in the order of their names, or all; `None` where nothing is called
    /// so.
    pub fn by_name_after(&self, name: Option<&str>) -> Option<impl Iterator<Item = &T>> {
        if name.is_some_and(|name| !self.names.contains_key(name)) {
            return None;
        }
        let first = name.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.names.range::<_, str>((first, Bound::Unbounded));
        Some(behind.filter_map(|(_, id)| self.get(*id)))
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The thing that `text` names: its id, its slug, or its name in any case; nothing less than the whole of it.
    pub fn named(&self, text: &str) -> Option<&T> {
        if let Ok(id) = text.parse::<T::Id>()
            && let Some(item) = self.get(id)
        {
            return Some(item);
        }
        let by_name = self.names.get(&fold(text));
        let by_slug = || self.slugs.get(&text.parse::<Slug>().ok()?);
        self.get(*by_name.or_else(by_slug)?)
    }

    /// The thing whose display name this is, in any case: what a document defines anew. Another thing's slug or id
    /// does not count, or a document for something new would take over that thing and all that it has.
    pub fn called(&self, name: &str) -> Option<&T> {
        self.get(*self.names.get(&fold(name))?)
    }

    /// The thing that `text` names, or the sentence that says there is none and what is nearest.
    pub fn find(&self, text: &str) -> Result<&T, Problem> {
        self.named(text).ok_or_else(|| Problem::not_found(self.unknown(text)))
    }

    /// The sentence for a name that nothing has.
    pub fn unknown(&self, text: &str) -> String {
        let names = self.names.values().filter_map(|id| self.get(*id)).map(|item| item.name().as_str());
        unknown(T::KIND, text, names)
    }

    /// Whether another thing than `id` has this slug or this name.
    pub fn clash(&self, id: T::Id, slug: &Slug, name: &DisplayName) -> Option<&T> {
        let by_name = self.names.get(&name.folded());
        let by_slug = self.slugs.get(slug);
        [by_name, by_slug]
            .into_iter()
            .flatten()
            .find(|other| **other != id)
            .and_then(|other| self.get(*other))
    }

    /// Adds the ids of the things that differ between `self` and `after` to `changed`. Costs what differs.
    pub fn changed_into(&self, after: &Self, changed: &mut Vec<T::Id>)
    where
        T: PartialEq,
    {
        for difference in self.items.diff(&after.items) {
            changed.push(match difference {
                DiffItem::Add(id, _) | DiffItem::Remove(id, _) | DiffItem::Update { new: (id, _), .. } => *id,
            });
        }
    }

    /// Whether this is a copy of `other`, and neither has changed since. False says nothing.
    pub fn is_shared_with(&self, other: &Self) -> bool {
        self.items.ptr_eq(&other.items)
    }

    /// Puts a thing in the place of the one with its id, or adds it.
    pub fn put(&mut self, item: T) {
        self.remove(item.id());
        self.slugs.insert(item.slug().clone(), item.id());
        self.names.insert(item.name().folded(), item.id());
        self.items.insert(item.id(), Arc::new(item));
    }

    pub fn remove(&mut self, id: T::Id) -> Option<Arc<T>> {
        let item = self.items.remove(&id)?;
        self.slugs.remove(item.slug());
        self.names.remove(&item.name().folded());
        Some(item)
    }
}

/// The sentence for an unknown name, with the nearest known one.
pub fn unknown<'a>(kind: &str, text: &str, known: impl Iterator<Item = &'a str>) -> String {
    with_nearest(format!("there is no {kind} `{text}`"), text, known)
}

/// The same for a name that is known only within something: ``there is no tag `Late` in `Ring` ``. `place` says
/// within what.
pub fn unknown_within<'a>(
    kind: &str,
    text: &str,
    place: &str,
    known: impl Iterator<Item = &'a str>,
) -> String {
    with_nearest(format!("there is no {kind} `{text}` {place}"), text, known)
}

fn with_nearest<'a>(sentence: String, text: &str, known: impl Iterator<Item = &'a str>) -> String {
    match nearest(text, known) {
        Some(nearest) => format!("{sentence}; did you mean `{nearest}`?"),
        None => sentence,
    }
}

/// Implements [`Named`] for a type with the fields `id`, `slug` and `name`.
macro_rules! named {
    ($type:ty, $id:ty, $kind:literal) => {
        impl $crate::catalogue::Named for $type {
            type Id = $id;
            const KIND: &'static str = $kind;
            fn id(&self) -> $id {
                self.id
            }
            fn slug(&self) -> &windlass_protocol::Slug {
                &self.slug
            }
            fn name(&self) -> &windlass_protocol::DisplayName {
                &self.name
            }
        }
    };
}
pub(crate) use named;
