//! The canonical text of a manifest: one line an entry, in the order of the paths.
//!
//! ```text
//! d logs
//! f 5 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 notes.txt
//! x 5 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 run.sh
//! l current lib
//! ```
//!
//! `d` is a directory, `f` a file, `x` an executable file with size and digest before the path. A link's line is the
//! path, a NUL byte and its target, so that spaces in either stay unambiguous. A text is accepted only if it is
//! exactly what its own entries would be written as: one tree, one text, one digest.

use super::{BadPath, BadTree, Entry, EntryKind, EntryPath, Manifest};
use crate::digest::Digest;
use crate::limits;

/// Why bytes are no canonical manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadText {
    /// More bytes than a manifest may have.
    #[error("a manifest has at most {} bytes", limits::MANIFEST_BYTES)]
    TooLong,
    /// A line that cannot be read.
    #[error("line {0} of the manifest is no folder, file or link as they are written")]
    Line(usize),
    /// A line with a name that no entry may have.
    #[error("the name in line {0} of the manifest cannot be in a package: {1}")]
    Name(usize, BadPath),
    /// The lines are fine, but together no well-formed tree.
    #[error(transparent)]
    Tree(#[from] BadTree),
    /// Readable, but not written the one canonical way.
    #[error("the manifest is not in its canonical form")]
    NotCanonical,
}

impl Manifest {
    /// The canonical text.
    pub fn to_text(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.entries().len() * 120);
        for entry in self.entries() {
            let path = entry.path.as_str();
            let line = match &entry.kind {
                EntryKind::Directory => format!("d {path}\n"),
                EntryKind::File { executable, size, digest } => {
                    format!("{} {size} {digest} {path}\n", if *executable { 'x' } else { 'f' })
                }
                EntryKind::Link { target } => format!("l {path}\0{target}\n"),
            };
            text.extend_from_slice(line.as_bytes());
        }
        text
    }

    /// Reads a canonical text that a peer or a disk gave, and checks the tree.
    pub fn from_text(text: &[u8]) -> Result<Self, BadText> {
        if text.len() > limits::MANIFEST_BYTES {
            return Err(BadText::TooLong);
        }
        let mut entries = Vec::new();
        for (index, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
            if entries.len() == limits::MANIFEST_ENTRIES {
                return Err(BadTree::TooManyEntries.into());
            }
            let entry = parse_line(line).map_err(|why| match why {
                BadLine::Malformed => BadText::Line(index + 1),
                BadLine::Name(why) => BadText::Name(index + 1, why),
            });
            entries.push(entry?);
        }
        let manifest = Self::new(entries)?;
        if manifest.to_text() == text { Ok(manifest) } else { Err(BadText::NotCanonical) }
    }
}

/// What is wrong with a line.
enum BadLine {
    Malformed,
    Name(BadPath),
}

impl From<BadPath> for BadLine {
    fn from(why: BadPath) -> Self {
        Self::Name(why)
    }
}

fn parse_line(line: &[u8]) -> Result<Entry, BadLine> {
    use BadLine::Malformed;
    let line = line.strip_suffix(b"\n").ok_or(Malformed)?;
    let (Some(kind), Some(rest)) = (line.first(), line.get(2..)) else { return Err(Malformed) };
    match kind {
        b'd' => Ok(Entry { path: EntryPath::new(rest)?, kind: EntryKind::Directory }),
        b'f' | b'x' => {
            let mut parts = rest.splitn(3, |byte| *byte == b' ');
            let mut text = || std::str::from_utf8(parts.next()?).ok();
            let size = text().and_then(|size| size.parse().ok()).ok_or(Malformed)?;
            let digest: Digest = text().and_then(|digest| digest.parse().ok()).ok_or(Malformed)?;
            let path = EntryPath::new(parts.next().ok_or(Malformed)?)?;
            Ok(Entry { path, kind: EntryKind::File { executable: *kind == b'x', size, digest } })
        }
        b'l' => {
            let at = rest.iter().position(|byte| *byte == 0).ok_or(Malformed)?;
            let path = EntryPath::new(&rest[..at])?;
            let target = std::str::from_utf8(&rest[at + 1..]).map_err(|_| Malformed)?;
            let harmless = target.len() <= limits::PATH_BYTES && !target.chars().any(char::is_control);
            if !harmless {
                return Err(Malformed);
            }
            Ok(Entry { path, kind: EntryKind::Link { target: target.to_owned() } })
        }
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "l current\0lib\n\
        f 5 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 lib/notes and more.txt\n\
        x 5 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 lib/run.sh\n\
        d logs\n";

    #[test]
    fn a_canonical_text_round_trips() {
        let manifest = Manifest::from_text(EXAMPLE.as_bytes()).expect("canonical");
        assert_eq!(manifest.to_text(), EXAMPLE.as_bytes());
        assert_eq!(manifest.size(), 10);
        assert_eq!(manifest.digest(), Digest::of(EXAMPLE));
    }

    #[test]
    fn any_other_spelling_of_the_same_tree_is_refused() {
        let reordered = EXAMPLE.lines().rev().map(|line| format!("{line}\n")).collect::<String>();
        assert_eq!(Manifest::from_text(reordered.as_bytes()), Err(BadText::NotCanonical));
        let zero = EXAMPLE.replacen("f 5", "f 05", 1);
        assert_eq!(Manifest::from_text(zero.as_bytes()), Err(BadText::NotCanonical));
        let cut = EXAMPLE.trim_end();
        assert_eq!(Manifest::from_text(cut.as_bytes()), Err(BadText::Line(4)));
        let climbing = EXAMPLE.replacen("d logs", "d ../logs", 1);
        assert_eq!(Manifest::from_text(climbing.as_bytes()), Err(BadText::Name(4, BadPath::Climbs)));
        let unknown = EXAMPLE.replacen("d logs", "c logs", 1);
        assert_eq!(Manifest::from_text(unknown.as_bytes()), Err(BadText::Line(4)));
    }
}
