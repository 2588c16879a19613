//! The path of an entry: relative, below the package's root, and nothing else.

use std::fmt;

use crate::limits;

/// A relative path of 1 to 1,024 bytes: components joined by `/`, none of them empty, `.` or `..`, without control
/// characters, backslashes or a drive letter.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryPath(String);

/// What is wrong with a path, to be read after the path itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// No characters at all.
    #[error("an entry's name is empty")]
    Empty,
    /// More bytes than a path, or one of its components, may have.
    #[error("the name is longer than 1024 bytes, or a part of it longer than 255")]
    TooLong,
    /// Deeper than any sensible tree.
    #[error("the name is more than 64 folders deep")]
    TooDeep,
    /// Bytes that are no UTF-8.
    #[error("the name is not UTF-8")]
    NotUtf8,
    /// A NUL byte or another control character.
    #[error("the name contains a control character")]
    Control,
    /// A leading `/` or a drive letter.
    #[error("the name is absolute; names in a package are relative")]
    Absolute,
    /// A backslash, which is a separator to some tools and a letter to others.
    #[error("the name contains a backslash; folders are separated by `/`")]
    Backslash,
    /// A `..` component.
    #[error("the name climbs out of the package with `..`")]
    Climbs,
    /// A `.` component, or two slashes in a row.
    #[error("the name has an empty or `.` part")]
    EmptyPart,
}

impl EntryPath {
    /// Checks the bytes of a name as an archive or a peer gave it. One trailing `/`, as archives write it for
    /// directories, has to be taken off before.
    pub fn new(bytes: &[u8]) -> Result<Self, BadPath> {
        let text = std::str::from_utf8(bytes).map_err(|_| BadPath::NotUtf8)?;
        if text.is_empty() {
            return Err(BadPath::Empty);
        }
        if text.len() > limits::PATH_BYTES {
            return Err(BadPath::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(BadPath::Control);
        }
        if text.contains('\\') {
            return Err(BadPath::Backslash);
        }
        let drive = text.len() >= 2 && text.as_bytes()[1] == b':' && text.as_bytes()[0].is_ascii_alphabetic();
        if text.starts_with('/') || drive {
            return Err(BadPath::Absolute);
        }
        for (depth, component) in text.split('/').enumerate() {
            match component {
                _ if depth >= limits::PATH_DEPTH => return Err(BadPath::TooDeep),
                ".." => return Err(BadPath::Climbs),
                "" | "." => return Err(BadPath::EmptyPart),
                _ if component.len() > limits::PATH_COMPONENT_BYTES => return Err(BadPath::TooLong),
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The components, outermost first; never empty.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The directories above, outermost first; none for a path at the root.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(at, _)| &self.0[..at])
    }

    /// The path as file systems that ignore case see it.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl fmt::Display for EntryPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for EntryPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_refused_and_named() {
        let cases: &[(&[u8], BadPath)] = &[
            (b"", BadPath::Empty),
            (b"../etc/passwd", BadPath::Climbs),
            (b"a/../../b", BadPath::Climbs),
            (b"/etc/passwd", BadPath::Absolute),
            (b"C:/Windows", BadPath::Absolute),
            (b"..\\evil", BadPath::Backslash),
            (b"a\0b", BadPath::Control),
            (b"a\nb", BadPath::Control),
            (b"a//b", BadPath::EmptyPart),
            (b"./a", BadPath::EmptyPart),
            (b"a/", BadPath::EmptyPart),
            (b"\xff", BadPath::NotUtf8),
            (&[b'a'; 1025], BadPath::TooLong),
            (&[b'a'; 256], BadPath::TooLong),
        ];
        for (bytes, expected) in cases {
            assert_eq!(EntryPath::new(bytes), Err(*expected), "{:?}", String::from_utf8_lossy(bytes));
        }
        assert_eq!(EntryPath::new("a/".repeat(64).trim_end_matches('/').as_bytes()).map(|_| ()), Ok(()));
        assert_eq!(EntryPath::new("a/".repeat(65).trim_end_matches('/').as_bytes()), Err(BadPath::TooDeep));
    }

    #[test]
    fn the_ancestors_of_a_path_are_its_folders() {
        let path = EntryPath::new(b"a/b/c").expect("well-formed");
        assert_eq!(path.ancestors().collect::<Vec<_>>(), ["a", "a/b"]);
        assert_eq!(path.components().collect::<Vec<_>>(), ["a", "b", "c"]);
    }
}
