//! Honest trees, written by the libraries as each format, read back as the same manifest.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use proptest::prelude::*;
use windlass_protocol::Digest;
use windlass_protocol::manifest::{Entry, EntryKind, EntryPath, Manifest};
use zip::write::SimpleFileOptions;

use crate::tar_writer::{gzip, xz, zstd};
use crate::workshop::read_bytes;

/// What a generated tree has at a path.
#[derive(Debug, Clone)]
enum Node {
    Directory,
    File { executable: bool, content: Vec<u8> },
    Link { target: String },
}

type Nodes = BTreeMap<String, Node>;

fn file() -> impl Strategy<Value = Node> {
    let content = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..600),
        (any::<u8>(), 0..5000usize).prop_map(|(byte, count)| vec![byte; count]),
    ];
    (any::<bool>(), content).prop_map(|(executable, content)| Node::File { executable, content })
}

/// Files in a few folders; names are made unlike each other by their number, so that no two fold to one.
fn nodes() -> impl Strategy<Value = Nodes> {
    let place = prop::sample::select(vec!["", "lib/", "lib/deep/", "etc. and more/", "ü/"]);
    let name = prop_oneof![Just("f".to_owned()), Just("ö ß".to_owned()), "[a-z]{100,110}", "[A-Z._-]{1,9}"];
    let files = prop::collection::vec((place, name, file()), 1..12);
    (files, any::<bool>(), any::<bool>()).prop_map(|(files, link, empty)| {
        let mut nodes = Nodes::new();
        for (number, (place, name, node)) in files.into_iter().enumerate() {
            nodes.insert(format!("{place}{number}{name}"), node);
        }
        let first = nodes.keys().next().expect("at least one").clone();
        if link {
            nodes.insert("links/to-a-file".to_owned(), Node::Link { target: format!("../{first}") });
        }
        if empty {
            nodes.insert("empty/folder".to_owned(), Node::Directory);
        }
        nodes
    })
}

fn manifest(nodes: &Nodes) -> Manifest {
    let entry = |(path, node): (&String, &Node)| {
        let kind = match node {
            Node::Directory => EntryKind::Directory,
            Node::File { executable, content } => EntryKind::File {
                executable: *executable,
                size: content.len() as u64,
                digest: Digest::of(content),
            },
            Node::Link { target } => EntryKind::Link { target: target.clone() },
        };
        Entry { path: EntryPath::new(path.as_bytes()).expect("well-formed"), kind }
    };
    Manifest::new(nodes.iter().map(entry).collect()).expect("well-formed")
}

fn zip_of(nodes: &Nodes, method: zip::CompressionMethod) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    // Folders with something in them are said by some writers and left out by others; that must not matter.
    for folder in ["lib", "etc. and more"] {
        if nodes.keys().any(|path| path.starts_with(&format!("{folder}/"))) {
            writer.add_directory(folder, options).expect("written");
        }
    }
    for (path, node) in nodes {
        match node {
            Node::Directory => writer.add_directory(path, options).expect("written"),
            Node::File { executable, content } => {
                let mode = if *executable { 0o755 } else { 0o644 };
                writer.start_file(path, options.unix_permissions(mode)).expect("written");
                writer.write_all(content).expect("written");
            }
            Node::Link { target } => writer.add_symlink(path, target, options).expect("written"),
        }
    }
    writer.finish().expect("written").into_inner()
}

fn tar_of(nodes: &Nodes) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, node) in nodes {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(0);
        match node {
            Node::Directory => {
                header.set_entry_type(tar::EntryType::Directory);
                builder.append_data(&mut header, path, std::io::empty()).expect("written");
            }
            Node::File { executable, content } => {
                header.set_mode(if *executable { 0o755 } else { 0o644 });
                header.set_size(content.len() as u64);
                builder.append_data(&mut header, path, content.as_slice()).expect("written");
            }
            Node::Link { target } => {
                header.set_entry_type(tar::EntryType::Symlink);
                builder.append_link(&mut header, path, target).expect("written");
            }
        }
    }
    builder.into_inner().expect("written")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_tree_is_the_same_in_every_format(nodes in nodes()) {
        let tar = tar_of(&nodes);
        let zips = [
            zip::CompressionMethod::Stored,
            zip::CompressionMethod::Deflated,
            zip::CompressionMethod::Bzip2,
            zip::CompressionMethod::Zstd,
        ];
        let mut uploads = vec![
            (gzip(&tar), "a.tar.gz"),
            (zstd(&tar), "a.tar.zst"),
            (xz(&tar), "a.tar.xz"),
            (tar, "a.tar"),
        ];
        uploads.extend(zips.map(|method| (zip_of(&nodes, method), "a.zip")));
        let expected = manifest(&nodes);
        for (bytes, name) in uploads {
            let (result, sink) = read_bytes(&bytes, name);
            let found = result.expect("an honest archive").manifest;
            prop_assert_eq!(found.digest(), expected.digest(), "{}", name);
            prop_assert_eq!(sink.calls, expected.files().count(), "{}", name);
            for (path, digest, size) in expected.files() {
                let stored = sink.stored.get(&digest).map(Vec::len);
                prop_assert_eq!(stored, usize::try_from(size).ok(), "{}", path);
            }
        }
    }
}
