//! Where in a snapshot a name is defined: derived from it, and made when it is first asked for.

use std::fmt;
use std::sync::OnceLock;

/// The variables and templates of one snapshot by their names. It is no part of what the snapshot is: it is not written
/// down, all are equal, and a copy, which may be changed, makes its own.
#[derive(Default)]
pub struct Index(OnceLock<Box<[Place]>>);

/// Where a variable or a template stands. Variables come before templates, the project's before those of its sets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) template: bool,
    pub(super) owner: usize,
    pub(super) at: usize,
}

impl Index {
    /// The places by name, made by `make` where they are not yet.
    pub(super) fn places(&self, make: impl FnOnce() -> Box<[Place]>) -> &[Place] {
        self.0.get_or_init(make)
    }
}

impl Clone for Index {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Index {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Index {}

impl fmt::Debug for Index {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Index")
    }
}
