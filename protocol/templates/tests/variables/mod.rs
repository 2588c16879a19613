//! Variables in memory, for tests.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use windlass_templates::{Kind, Lookup, Value};

struct Held {
    name: String,
    text: String,
    kind: Kind,
    sensitive: bool,
}

/// What a test renders with. It remembers what it was asked for.
#[derive(Default)]
pub struct Variables {
    by_folded: BTreeMap<String, Held>,
    /// Names looked up, and prefixes.
    pub asked: RefCell<BTreeSet<String>>,
}

impl Variables {
    /// Variables that are code.
    #[allow(dead_code, reason = "not every test has code")]
    pub fn code(pairs: &[(&str, &str)]) -> Self {
        pairs.iter().fold(Self::default(), |variables, (name, text)| variables.with(name, text, Kind::Code))
    }

    /// And one more.
    pub fn with(self, name: &str, text: &str, kind: Kind) -> Self {
        self.insert(name, text, kind, false)
    }

    /// And a tenant's secret.
    #[allow(dead_code, reason = "not every test has secrets")]
    pub fn with_secret(self, name: &str, text: &str) -> Self {
        self.insert(name, text, Kind::Data, true)
    }

    /// And a secret of the people who write the process.
    #[allow(dead_code, reason = "not every test has secrets")]
    pub fn with_secret_code(self, name: &str, text: &str) -> Self {
        self.insert(name, text, Kind::Code, true)
    }

    fn insert(mut self, name: &str, text: &str, kind: Kind, sensitive: bool) -> Self {
        let held = Held { name: name.to_owned(), text: text.to_owned(), kind, sensitive };
        self.by_folded.insert(name.to_lowercase(), held);
        self
    }

    fn find(&self, name: &str) -> Option<&Held> {
        self.asked.borrow_mut().insert(name.to_owned());
        self.by_folded.get(&name.to_lowercase())
    }
}

impl Lookup for Variables {
    fn get(&self, name: &str) -> Option<Value<'_>> {
        self.find(name).map(|held| Value {
            text: Cow::Borrowed(&held.text),
            kind: held.kind,
            sensitive: held.sensitive,
        })
    }

    fn get_for_data(&self, name: &str) -> Option<Cow<'_, str>> {
        let own = self.find(name).filter(|held| held.kind == Kind::Data && !held.sensitive)?;
        Some(Cow::Borrowed(&own.text))
    }

    fn names_with_prefix(&self, prefix: &str) -> Vec<String> {
        self.asked.borrow_mut().insert(prefix.to_owned());
        let folded = prefix.to_lowercase();
        let found = self.by_folded.iter().filter(|(name, _)| name.starts_with(&folded));
        found.map(|(_, held)| held.name.clone()).collect()
    }
}
