//! The rules of a well-formed tree, checked over all entries together.

use std::collections::BTreeMap;

use super::{BadPath, EntryPath};
use crate::digest::Digest;
use crate::limits;

/// One entry of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it lies, below the package's root.
    pub path: EntryPath,
    pub kind: EntryKind,
}

/// What an entry is. Devices, sockets and pipes cannot be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// An empty directory. Others exist through what they contain.
    Directory,
    /// A regular file.
    File {
        /// Whether it may be executed: mode 0755 or 0644, and nothing else of a mode travels.
        executable: bool,
        size: u64,
        /// SHA-256 of the content.
        digest: Digest,
    },
    /// A symbolic link to a file or directory of the same package.
    Link {
        /// The text of the link, relative to the folder that the link lies in.
        target: String,
    },
}

/// A package's entries in the order of their paths, known to be a well-formed tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    entries: Vec<Entry>,
}

/// Why entries are no well-formed tree: what, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTree {
    #[error("the package has no entries")]
    Empty,
    #[error("the package has more than {} entries", limits::MANIFEST_ENTRIES)]
    TooManyEntries,
    #[error("the package unpacks to more than {} bytes", limits::PACKAGE_BYTES)]
    TooLarge,
    #[error("the names in the package are longer than {} bytes together", limits::MANIFEST_BYTES)]
    TextTooLong,
    #[error("`{0}` appears twice")]
    Duplicate(EntryPath),
    #[error("`{0}` and `{1}` differ in upper and lower case only")]
    CaseDuplicate(EntryPath, EntryPath),
    #[error("`{below}` lies below `{above}`, which is not a directory")]
    NotADirectory { above: String, below: EntryPath },
    #[error("the link `{0}` has a target that is not a relative path of the package: {1}")]
    LinkTarget(EntryPath, BadPath),
    #[error("the link `{link}` points to `{target}`, which is no file or directory of the package")]
    LinkNowhere { link: EntryPath, target: String },
    #[error("the link `{link}` points out of the package with `{target}`")]
    LinkOutside { link: EntryPath, target: String },
}

impl Manifest {
    /// Checks `entries` (in any order) and puts them in order.
    pub fn new(mut entries: Vec<Entry>) -> Result<Self, BadTree> {
        if entries.is_empty() {
            return Err(BadTree::Empty);
        }
        if entries.len() > limits::MANIFEST_ENTRIES {
            return Err(BadTree::TooManyEntries);
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        if let Some(pair) = entries.windows(2).find(|pair| pair[0].path == pair[1].path) {
            return Err(BadTree::Duplicate(pair[0].path.clone()));
        }
        check_size(&entries)?;
        if text_bytes(&entries) > limits::MANIFEST_BYTES {
            return Err(BadTree::TextTooLong);
        }
        let places = PathKinds::of(&entries)?;
        for entry in &entries {
            if let EntryKind::Link { target } = &entry.kind {
                places.check_link(&entry.path, target)?;
            }
        }
        Ok(Self { entries })
    }

    /// The entries, in the order of their paths' bytes.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The digest and size of each regular file, in manifest order; one content may appear several times.
    pub fn files(&self) -> impl Iterator<Item = (&EntryPath, Digest, u64)> {
        self.entries.iter().filter_map(|entry| match entry.kind {
            EntryKind::File { size, digest, .. } => Some((&entry.path, digest, size)),
            _ => None,
        })
    }

    /// Bytes of all files together.
    pub fn size(&self) -> u64 {
        self.files().map(|(_, _, size)| size).sum()
    }

    /// The package's identity: the SHA-256 of its canonical text.
    pub fn digest(&self) -> Digest {
        Digest::of(self.to_text())
    }
}

/// An upper bound of the bytes of the manifest's text, known before it is written.
fn text_bytes(entries: &[Entry]) -> usize {
    // The letter, the size (20 digits at most), the digest, three spaces and the line's end.
    const BESIDE_THE_PATH: usize = 1 + 20 + 64 + 4;
    let target = |entry: &Entry| match &entry.kind {
        EntryKind::Link { target } => target.len(),
        _ => 0,
    };
    entries.iter().map(|entry| entry.path.as_str().len() + target(entry) + BESIDE_THE_PATH).sum()
}

fn check_size(entries: &[Entry]) -> Result<(), BadTree> {
    let mut total = 0u64;
    for entry in entries {
        if let EntryKind::File { size, .. } = entry.kind {
            total = total
                .checked_add(size)
                .filter(|sum| *sum <= limits::PACKAGE_BYTES)
                .ok_or(BadTree::TooLarge)?;
        }
    }
    Ok(())
}

/// Every path that exists in the tree, said or implied, and whether it can have something below it.
struct PathKinds<'a> {
    kinds: BTreeMap<&'a str, PathKind>,
}

#[derive(Clone, Copy, PartialEq)]
enum PathKind {
    Directory,
    File,
    Link,
}

impl<'a> PathKinds<'a> {
    fn of(entries: &'a [Entry]) -> Result<Self, BadTree> {
        let mut kinds: BTreeMap<&str, PathKind> = BTreeMap::new();
        for entry in entries {
            let place = match entry.kind {
                EntryKind::Directory => PathKind::Directory,
                EntryKind::File { .. } => PathKind::File,
                EntryKind::Link { .. } => PathKind::Link,
            };
            kinds.insert(entry.path.as_str(), place);
        }
        // Keyed by a digest, not by the folded text: deep trees would hold each prefix of each path in memory.
        let mut folded: BTreeMap<[u8; 16], &EntryPath> = BTreeMap::new();
        for entry in entries {
            for above in entry.path.ancestors() {
                if *kinds.entry(above).or_insert(PathKind::Directory) != PathKind::Directory {
                    return Err(BadTree::NotADirectory {
                        above: above.to_owned(),
                        below: entry.path.clone(),
                    });
                }
            }
            // Directories count as well: `Lib/a` and `lib/b` would be one folder where case is ignored.
            for prefix in entry.path.ancestors().chain([entry.path.as_str()]) {
                if let Some(other) = folded.insert(short_digest(&prefix.to_lowercase()), &entry.path)
                    && !same_prefix(other, prefix)
                {
                    return Err(BadTree::CaseDuplicate(other.clone(), entry.path.clone()));
                }
            }
        }
        Ok(Self { kinds })
    }

    /// A link may point to a file or directory of the package, straight: neither at nor through another link, so
    /// that where it leads can be read off its text.
    fn check_link(&self, link: &EntryPath, target: &str) -> Result<(), BadTree> {
        let outside = || BadTree::LinkOutside { link: link.clone(), target: target.to_owned() };
        let nowhere = || BadTree::LinkNowhere { link: link.clone(), target: target.to_owned() };
        if target.starts_with('/') {
            return Err(outside());
        }
        if target.len() > limits::PATH_BYTES {
            return Err(BadTree::LinkTarget(link.clone(), BadPath::TooLong));
        }
        if target.chars().any(char::is_control) {
            return Err(BadTree::LinkTarget(link.clone(), BadPath::Control));
        }
        let mut place: Vec<&str> = link.components().collect();
        place.pop();
        for component in target.split('/') {
            match component {
                "" | "." => {}
                ".." => {
                    let here = place.join("/");
                    if !here.is_empty() && self.kinds.get(here.as_str()) != Some(&PathKind::Directory) {
                        return Err(nowhere());
                    }
                    place.pop().ok_or_else(outside)?;
                }
                name => {
                    place.push(name);
                    // A kernel goes through what exists only, and through a link to where that leads.
                    if !matches!(
                        self.kinds.get(place.join("/").as_str()),
                        Some(PathKind::Directory | PathKind::File)
                    ) {
                        return Err(nowhere());
                    }
                }
            }
        }
        // What the link leads to must be a well-formed path too, so that its text is as harmless as a name's.
        let resolved = place.join("/");
        let resolved =
            EntryPath::new(resolved.as_bytes()).map_err(|bad| BadTree::LinkTarget(link.clone(), bad))?;
        let within = link.ancestors().any(|above| above == resolved.as_str());
        match self.kinds.get(resolved.as_str()) {
            Some(PathKind::Directory) if within => Err(nowhere()),
            Some(PathKind::Directory | PathKind::File) => Ok(()),
            Some(PathKind::Link) | None => Err(nowhere()),
        }
    }
}

fn short_digest(text: &str) -> [u8; 16] {
    let digest = Digest::of(text);
    let (first, _) = digest.as_bytes().split_at(16);
    first.try_into().expect("a digest has 32 bytes")
}

/// Whether `path` begins with exactly the components of `prefix`, case included.
fn same_prefix(path: &EntryPath, prefix: &str) -> bool {
    let text = path.as_str();
    text == prefix || (text.starts_with(prefix) && text.as_bytes().get(prefix.len()) == Some(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> EntryPath {
        EntryPath::new(text.as_bytes()).expect("well-formed")
    }

    fn file(text: &str) -> Entry {
        Entry {
            path: path(text),
            kind: EntryKind::File { executable: false, size: 1, digest: Digest::of("x") },
        }
    }

    fn link(from: &str, target: &str) -> Entry {
        Entry { path: path(from), kind: EntryKind::Link { target: target.to_owned() } }
    }

    #[test]
    fn entries_are_put_in_order() {
        let manifest = Manifest::new(vec![file("b"), file("a/c"), file("a/b")]).expect("well-formed");
        let paths: Vec<_> = manifest.entries().iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(paths, ["a/b", "a/c", "b"]);
    }

    #[test]
    fn hostile_trees_are_refused() {
        let cases = [
            vec![],
            vec![file("a"), file("a")],
            vec![file("a"), file("A")],
            vec![file("lib/a"), file("Lib/b")],
            vec![file("a"), file("a/b")],
            vec![link("a", "b"), file("b/c"), file("a/d")],
            vec![link("a", "/etc/passwd")],
            vec![link("a", "../b")],
            vec![link("d/a", "../../b"), file("b")],
            vec![link("a", "missing")],
            vec![link("a", "b"), link("b", "c"), file("c")],
            vec![link("a", "d/../c"), link("d", "e"), file("e/f"), file("c")],
            vec![link("a", ".")],
            vec![link("a", "missing/../b"), file("b")],
            vec![link("a", "b/../b"), file("b")],
            vec![link("a", "c\n/../b"), file("b")],
            vec![link("d/a", "../d"), file("d/x")],
        ];
        for entries in cases {
            assert!(Manifest::new(entries.clone()).is_err(), "{entries:?}");
        }
    }

    #[test]
    fn links_inside_are_allowed() {
        let entries = vec![file("lib/a.so.1"), link("lib/a.so", "a.so.1"), link("current", "lib")];
        assert!(Manifest::new(entries).is_ok());
        assert!(Manifest::new(vec![file("b"), link("d/a", "../b")]).is_ok());
    }
}
