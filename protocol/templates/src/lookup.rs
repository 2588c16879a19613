//! The door through which rendering asks for values.

use std::borrow::Cow;

/// What a value may do when it is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Written by the people who write the process: `#{…}` in it resolves everything.
    Code,
    /// Written by or for a tenant: `#{…}` in it resolves through [`Lookup::get_for_data`] alone (SEMANTICS 6).
    Data,
}

/// A variable's value. It has no `Debug`, since it may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Value<'a> {
    /// The text as it was set, unrendered.
    pub text: Cow<'a, str>,
    /// Whether it is code or data.
    pub kind: Kind,
    /// Whether nobody may see it, nor what is written in it.
    pub sensitive: bool,
}

/// The variables that a text is rendered with.
///
/// Names come as written in templates, in canonical form: `Foo.Bar[key].Baz`, without white space around dots and
/// brackets. All three methods ignore case.
pub trait Lookup {
    /// The value of `name`, for a template that is code.
    fn get(&self, name: &str) -> Option<Value<'_>>;

    /// The value of `name`, for `#{…}` inside a value that is data: only that same tenant's own values that are not
    /// sensitive. Everything else is `None`, exactly as if it did not exist. What is returned is data again.
    fn get_for_data(&self, name: &str) -> Option<Cow<'_, str>>;

    /// All names that begin with `prefix`, which ends in `[`, in the order in which `#{each}` shall see them. Inside
    /// data, those which [`get_for_data`](Self::get_for_data) does not know are left out afterwards.
    fn names_with_prefix(&self, prefix: &str) -> Vec<String>;
}
