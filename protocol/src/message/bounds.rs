//! Bounds of the lists and texts in messages.

use crate::codec::Malformed;
use crate::limits;

/// A text of at most as many bytes as a display name can have.
pub(super) fn name(text: &str) -> Result<(), Malformed> {
    text_of(text, limits::NAME_CHARACTERS * 4)
}

/// A text of at most `bytes` bytes.
pub(super) fn text_of(text: &str, bytes: usize) -> Result<(), Malformed> {
    if text.len() > bytes { Err(Malformed::Bound) } else { Ok(()) }
}

/// A list of at most `most` elements.
pub(super) fn list<T>(list: &[T], most: usize) -> Result<(), Malformed> {
    if list.len() > most { Err(Malformed::Bound) } else { Ok(()) }
}

/// A list of at most `most` names.
pub(super) fn names(names: &[String], most: usize) -> Result<(), Malformed> {
    list(names, most)?;
    names.iter().try_for_each(|text| name(text))
}
