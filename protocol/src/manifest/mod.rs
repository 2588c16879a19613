//! Manifests: what a package is, as a tree of files (ARCHITECTURE, "Packages are trees of files").
//!
//! A manifest lists a package's files, links and empty directories in the order of their paths. Its canonical form is
//! a text of one line an entry, and the package's identity is that text's SHA-256. The rules of a well-formed tree are
//! checked in one place, [`Manifest::new`], which the coordinator calls at upload and the agent again at the pull: no
//! side takes the other's word for it.

mod path;
mod text;
mod tree;

pub use path::{BadPath, EntryPath};
pub use text::BadText;
pub use tree::{BadTree, Entry, EntryKind, Manifest};
