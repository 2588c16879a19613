//! Lists in parts: `?after=&limit=&filter=`.

use serde::Deserialize;
use utoipa::IntoParams;
use windlass_api::answers::Page;
use windlass_api::error::Problem;
use windlass_protocol::names::fold;

/// Items of a part where nobody says.
const USUAL: usize = 100;
/// Items of a part at most: an answer stays a few hundred kilobytes.
const MOST: usize = 1000;

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

    /// The part of `items`. Each key is unique and what `after` names. What is built of an item to be shown, is built
    /// of the part alone ([`Page::map`]).
    pub fn page<T>(&self, items: impl Iterator<Item = (String, T)>) -> Result<Page<T>, Problem> {
        let mut items = items;
        if let Some(after) = &self.after
            && !items.any(|(key, _)| key == *after)
        {
            return Err(no_place(after));
        }
        let mut part = Vec::new();
        let mut last = None;
        for (key, item) in items {
            if part.len() == self.limit() {
                return Ok(Page { items: part, next: last });
            }
            last = Some(key);
            part.push(item);
        }
        Ok(Page { items: part, next: None })
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
        let page = paging.page(('a'..='e').map(|letter| (letter.to_string(), letter))).unwrap();
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
    fn what_is_no_place_in_the_list_is_no_end_of_it() {
        let paging = Paging { after: Some("bb".to_owned()), ..Paging::default() };
        let problem = paging.page([("a".to_owned(), 'a')].into_iter()).unwrap_err();
        assert!(problem.message.starts_with("`bb` is no place in this list"), "{problem}");
    }
}
