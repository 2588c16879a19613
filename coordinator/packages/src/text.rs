//! Files of a stored package as text: hooks and named files, read to find which variables they need.

use windlass_protocol::Digest;
use windlass_protocol::manifest::EntryPath;

use crate::StoreError;
use crate::blob::Blob;
use crate::objects::Objects;

/// The selected files of a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    /// The texts, in manifest order.
    pub read: Vec<(EntryPath, String)>,
    /// The selected files that are not among them, and why: what they need is not known.
    pub left_out: Vec<(EntryPath, LeftOut)>,
}

/// Why a file was not read as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOut {
    /// With it the texts would be larger together than asked for.
    TooLarge,
    /// It is not UTF-8.
    NotText,
}

pub(crate) fn read(
    objects: &Objects,
    selected: &[(&EntryPath, Digest, u64)],
    most_bytes: u64,
) -> Result<Texts, StoreError> {
    let mut texts = Texts::default();
    let mut left = most_bytes;
    for (path, digest, size) in selected.iter().copied() {
        let path = path.clone();
        if size > left {
            texts.left_out.push((path, LeftOut::TooLarge));
            continue;
        }
        let content = Blob::open(objects, digest)?.read_content(objects)?;
        match String::from_utf8(content) {
            Ok(text) => {
                left -= size;
                texts.read.push((path, text));
            }
            Err(_) => texts.left_out.push((path, LeftOut::NotText)),
        }
    }
    Ok(texts)
}
