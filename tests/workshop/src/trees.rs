//! Trees of files, and honest archives of them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::path::Path;

/// Files by path. A path that ends with `*` is executable, one that ends with `/` a folder; a content that begins with
/// `->` is the target of a link.
pub type Tree = BTreeMap<String, Vec<u8>>;

/// A tree of these files.
pub fn tree(files: &[(&str, &[u8])]) -> Tree {
    files.iter().map(|(path, content)| ((*path).to_owned(), content.to_vec())).collect()
}

/// A tar archive of the files, in a file without a name, from its beginning.
pub fn tar(tree: &Tree) -> File {
    let mut archive = tempfile::tempfile().expect("a temporary file can be made");
    for (path, content) in tree {
        let written = archive.write_all(&header(path, content)).and_then(|()| {
            let content: &[u8] = if content.starts_with(b"->") { &[] } else { content };
            archive.write_all(content)?;
            archive.write_all(&vec![0; content.len().next_multiple_of(512) - content.len()])
        });
        written.expect("there is room for the archive");
    }
    archive.write_all(&[0; 1024]).expect("there is room for the archive");
    archive.rewind().expect("a file rewinds");
    archive
}

fn header(path: &str, content: &[u8]) -> [u8; 512] {
    let (name, mode) = match path.strip_suffix('*') {
        Some(name) => (name, b"0000755\0"),
        None => (path, b"0000644\0"),
    };
    let link = content.strip_prefix(b"->");
    let size = if link.is_some() { 0 } else { content.len() };
    let mut header = [0u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(mode);
    header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    header[156] = match (name.ends_with('/'), link) {
        (true, _) => b'5',
        (false, Some(_)) => b'2',
        (false, None) => b'0',
    };
    let target = link.unwrap_or_default();
    header[157..157 + target.len()].copy_from_slice(target);
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder can be listed");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("the folder can be listed").file_name().into_string().expect("a name of a test is text")
    };
    let mut names: Vec<_> = entries.map(name).collect();
    names.sort();
    names
}
