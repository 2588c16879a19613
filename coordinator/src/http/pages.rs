//! Lists in parts: `?after=&limit=&filter=`.

use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use windlass_api::answers::Page;
use windlass_api::error::Problem;
use windlass_api::json;
use windlass_coordinator_core::catalogue::{Catalogue, Named};
use windlass_protocol::names::fold;

/// Items of a part where nobody says.
const USUAL: usize = 100;
/// Items of a part at most.
const MOST: usize = 1000;

/// Bytes of the items of a part, as JSON, but for a single one: an answer lies in memory until who asked has taken it.
pub(super) const PART_BYTES: usize = 1 << 20;

/// A part of a list while it is filled.
pub(super) struct Part<T> {
    items: Vec<T>,
    bytes: usize,
    limit: usize,
}

impl<T: Serialize> Part<T> {
    /// One without items, for at most so many.
    pub(super) const fn of(limit: usize) -> Self {
        Self { items: Vec::new(), bytes: 0, limit }
    }

    /// Takes an item if there is room for it; the first one always has room.
    pub(super) fn take(&mut self, item: T) -> bool {
        self.bytes += json::bytes(&item);
        let fits = self.items.is_empty() || self.items.len() < self.limit && self.bytes <= PART_BYTES;
        if fits {
            self.items.push(item);
        }
        fits
    }

    /// The part, and where the following one begins.
    pub(super) fn followed_by(self, next: Option<String>) -> Page<T> {
        Page { items: self.items, next }
    }
}

/// Which part of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// The part begins after this item; `next` of the part before.
    pub after: Option<String>,
    /// Items at most, up to 1000; 100 where it is left out.
    pub limit: Option<usize>,
    /// Only items with this text in a name, ignoring case.
    pub filter: Option<String>,
}

impl Paging {
    /// How many items the part has at most.
    pub fn limit(&self) -> usize {
        self.limit.unwrap_or(USUAL).clamp(1, MOST)
    }

    /// Whether the filter admits something with these names.
    pub fn admits<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> bool {
        let Some(filter) = self.filter.as_deref().map(fold) else { return true };
        names.into_iter().any(|name| fold(name).contains(&filter))
    }

    /// The part of `items`. Each key is unique and what `after` names. What is shown of an item is built of those in the
    /// part alone, until there is enough: large items make a part shorter.
    pub fn page<T, V: Serialize>(
        &self,
        items: impl Iterator<Item = (String, T)>,
        show: impl FnMut(T) -> V,
    ) -> Result<Page<V>, Problem> {
        let mut items = items;
        if let Some(after) = &self.after
            && !items.any(|(key, _)| key == *after)
        {
            return Err(no_place(after));
        }
        Ok(self.fill(items, show))
    }

    /// The part of the things of one kind, in the order of their names.
    pub fn page_by_name<T: Named, V: Serialize>(
        &self,
        things: &Catalogue<T>,
        show: impl FnMut(&T) -> V,
    ) -> Result<Page<V>, Problem> {
        let after = self.after.as_deref();
        let found = things.by_name_after(after).ok_or_else(|| no_place(after.unwrap_or_default()))?;
        let named =
            |found: &&T| self.admits([found.name().as_str(), found.slug().as_str(), &found.id().to_string()]);
        Ok(self.fill(found.filter(named).map(|found| (found.name().folded(), found)), show))
    }

    /// The part of the items that begin where it does.
    pub fn fill<T, V: Serialize>(
        &self,
        items: impl Iterator<Item = (String, T)>,
        mut show: impl FnMut(T) -> V,
    ) -> Page<V> {
        let mut part = Part::of(self.limit());
        let mut last = None;
        for (key, item) in items {
            if !part.take(show(item)) {
                return part.followed_by(last);
            }
            last = Some(key);
        }
        part.followed_by(None)
    }
}

/// An empty part would say that the list is at its end.
pub fn no_place(after: &str) -> Problem {
    Problem::usage(format!(
        "`{after}` is no place in this list; `after` is `next` of the part before, and where that item is gone \
         meanwhile, the list is read from its beginning again"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(paging: &Paging) -> (Vec<char>, Option<String>) {
        let page =
            paging.page(('a'..='e').map(|letter| (letter.to_string(), letter)), |letter| letter).unwrap();
        (page.items, page.next)
    }

    #[test]
    fn the_parts_of_a_list_come_to_the_whole_list() {
        let mut paging = Paging { limit: Some(2), ..Paging::default() };
        let mut all = Vec::new();
        loop {
            let (items, next) = names(&paging);
            all.extend(items);
            let Some(next) = next else { break };
            paging.after = Some(next);
        }
        assert_eq!(all, ['a', 'b', 'c', 'd', 'e']);
    }

    #[test]
    fn the_last_part_has_no_next_one() {
        let paging = Paging { limit: Some(5), ..Paging::default() };
        assert_eq!(names(&paging), (vec!['a', 'b', 'c', 'd', 'e'], None));
    }

    #[test]
    fn large_items_make_a_part_shorter_and_none_is_too_large_to_be_read() {
        let sizes = [PART_BYTES / 2, PART_BYTES / 3, PART_BYTES / 3, 4 * PART_BYTES, 1];
        let mut paging = Paging { limit: Some(10), ..Paging::default() };
        let mut parts = Vec::new();
        loop {
            let items = sizes.iter().enumerate().map(|(index, size)| (index.to_string(), *size));
            let page = paging.page(items, |size| "x".repeat(size)).unwrap();
            parts.push(page.items.iter().map(String::len).collect::<Vec<_>>());
            let Some(next) = page.next else { break };
            paging.after = Some(next);
        }
        assert_eq!(parts.concat(), sizes);
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 1, 1]);
    }

    #[test]
    fn what_is_no_place_in_the_list_is_no_end_of_it() {
        let paging = Paging { after: Some("bb".to_owned()), ..Paging::default() };
        let problem = paging.page([("a".to_owned(), 'a')].into_iter(), |letter| letter).unwrap_err();
        assert!(problem.message.starts_with("`bb` is no place in this list"), "{problem}");
    }
}
