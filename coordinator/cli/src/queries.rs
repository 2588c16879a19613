//! Tenants and tags on the command line. One that begins with `!` is taken away.

use clap::Args;
use windlass_api::query::QueryText;

/// A tenant query as options.
#[derive(Debug, Clone, Default, Args)]
pub struct QueryOptions {
    /// A tenant, by name, slug or id; `!NAME` leaves one out. Repeatable
    #[arg(long = "tenant", value_name = "TENANT")]
    pub tenants: Vec<String>,
    /// Tenants with this tag, as `Set/Tag`; `!Set/Tag` leaves them out. Repeatable
    #[arg(long = "tenant-tag", value_name = "SET/TAG")]
    pub tags: Vec<String>,
}

impl QueryOptions {
    /// Whether nobody said anything.
    pub const fn is_empty(&self) -> bool {
        self.tenants.is_empty() && self.tags.is_empty()
    }

    /// The query.
    pub fn to_query(&self) -> QueryText {
        let mut query = QueryText::default();
        (query.exclude.tenants, query.tenants) = split(&self.tenants);
        (query.exclude.tags, query.tags) = split(&self.tags);
        query
    }
}

fn split(names: &[String]) -> (Vec<String>, Vec<String>) {
    let (excluded, included): (Vec<_>, Vec<_>) = names.iter().partition(|name| name.starts_with('!'));
    let excluded = excluded.into_iter().map(|name| name.trim_start_matches('!').to_owned());
    (excluded.collect(), included.into_iter().cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_with_an_exclamation_mark_is_taken_away() {
        let options = QueryOptions {
            tenants: vec!["A".to_owned(), "!B".to_owned()],
            tags: vec!["!Ring/Pinned".to_owned(), "Ring/Early".to_owned()],
        };
        let query = options.to_query();
        assert_eq!((query.tenants, query.exclude.tenants), (vec!["A".to_owned()], vec!["B".to_owned()]));
        assert_eq!(
            (query.tags, query.exclude.tags),
            (vec!["Ring/Early".to_owned()], vec!["Ring/Pinned".to_owned()])
        );
    }
}
