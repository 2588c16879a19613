//! Nobody records: what is done is done, and the compiler removes the rest.

use std::io;
use std::path::Path;

use super::{Change, FileChange};

#[derive(Debug)]
pub(super) struct Watch;

impl Watch {
    #[inline(always)]
    pub(super) fn of(_: &Path) -> Self {
        Self
    }

    #[inline(always)]
    pub(super) fn around<'a, T>(
        &self,
        _: impl FnOnce(T) -> FileChange<'a>,
        act: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        act()
    }
}

#[inline(always)]
pub(super) fn around<T>(_: &Change<'_>, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    act()
}
