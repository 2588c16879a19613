//! Contents on their way into the store: hashed, compressed and staged, one segment at a time.

use std::collections::BTreeMap;
use std::io::{self, Read, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use windlass_archives::Sink;
use windlass_protocol::Digest;
use windlass_protocol::digest::Hasher;
use windlass_protocol::limits::SEGMENT_BYTES;
use windlass_segments::disk::{self, File};

use super::format::{Encoding, Footer};
use super::read::{Blob, decode};
use super::{most_stored, plain_length};
use crate::objects::Objects;
use crate::stage::Stage;

/// zstd's own default: 350 MB/s here, and higher levels gain little on what packages hold.
const LEVEL: i32 = 3;

/// Takes the contents of one upload. Memory: one segment and its compressed form.
pub(crate) struct BlobWriter<'a> {
    objects: &'a Objects,
    stage: &'a Stage,
    compressor: zstd::bulk::Compressor<'static>,
    plain: Vec<u8>,
    packed: Vec<u8>,
    staged: BTreeMap<Digest, PathBuf>,
}

/// A blob being written.
struct Draft {
    file: File,
    path: PathBuf,
    footer: Footer,
    /// Bytes that all segments would take, were they compressed.
    packed: u64,
}

impl<'a> BlobWriter<'a> {
    pub(crate) fn new(objects: &'a Objects, stage: &'a Stage) -> io::Result<Self> {
        Ok(Self {
            objects,
            stage,
            compressor: zstd::bulk::Compressor::new(LEVEL)?,
            plain: vec![0; SEGMENT_BYTES],
            packed: Vec::with_capacity(most_stored(SEGMENT_BYTES)),
            staged: BTreeMap::new(),
        })
    }

    /// The contents that the store did not have, and where they are staged.
    pub(crate) fn into_staged(self) -> BTreeMap<Digest, PathBuf> {
        self.staged
    }

    /// Whether the store has this content, whole. One that is damaged or cannot be read is stored anew, so that uploading a
    /// package again mends it.
    fn is_known(&self, digest: Digest) -> bool {
        let is_whole = || Blob::open(self.objects, digest)?.verify(self.objects);
        self.staged.contains_key(&digest) || is_whole().is_ok()
    }

    /// Adds the first `length` bytes of the buffer to the draft as its next segment.
    fn add(&mut self, draft: &mut Draft, length: usize) -> io::Result<()> {
        let plain = &self.plain[..length];
        self.packed.clear();
        self.compressor.compress_to_buffer(plain, &mut self.packed)?;
        draft.packed += self.packed.len() as u64;
        draft.footer.size += length as u64;
        if draft.footer.lengths.is_empty() {
            draft.footer.encoding = worthwhile(draft.footer.size, draft.packed);
        }
        match draft.footer.encoding {
            Encoding::Plain => draft.append(plain),
            Encoding::Zstd => draft.append(&self.packed),
        }
    }

    /// Ends the draft and keeps it for the store as the content with this digest.
    fn finish(&mut self, draft: Draft, digest: Digest) -> io::Result<()> {
        let right = worthwhile(draft.footer.size, draft.packed);
        let mut draft = if right == draft.footer.encoding { draft } else { self.convert(draft, right)? };
        draft.file.write_all(&draft.footer.encode())?;
        self.staged.insert(digest, draft.path);
        Ok(())
    }

    /// Writes the draft again in the other encoding: its first segment was not like the rest. What a content is
    /// stored as then depends on the content alone.
    fn convert(&mut self, draft: Draft, encoding: Encoding) -> io::Result<Draft> {
        let mut other = Draft::new(self.stage)?;
        other.footer.encoding = encoding;
        let mut offset = 0;
        for (index, length) in draft.footer.lengths.iter().enumerate() {
            let mut stored = vec![0; *length as usize];
            draft.file.read_exact_at(&mut stored, offset)?;
            offset += u64::from(*length);
            let plain = decode(draft.footer.encoding, stored, plain_length(draft.footer.size, index as u64))
                .ok_or_else(|| io::Error::other("a segment just written cannot be read back"))?;
            other.footer.size += plain.len() as u64;
            match encoding {
                Encoding::Plain => other.append(&plain)?,
                Encoding::Zstd => {
                    self.packed.clear();
                    self.compressor.compress_to_buffer(&plain, &mut self.packed)?;
                    other.append(&self.packed)?;
                }
            }
        }
        disk::remove(&draft.path)?;
        Ok(other)
    }
}

impl Sink for BlobWriter<'_> {
    fn store(&mut self, content: &mut dyn Read) -> io::Result<(Digest, u64)> {
        let mut length = fill(content, &mut self.plain)?;
        if length < SEGMENT_BYTES {
            // The whole content is here, so that nothing has to be written that the store has.
            let digest = Digest::of(&self.plain[..length]);
            if !self.is_known(digest) {
                let mut draft = Draft::new(self.stage)?;
                if length > 0 {
                    self.add(&mut draft, length)?;
                }
                self.finish(draft, digest)?;
            }
            return Ok((digest, length as u64));
        }
        let mut hasher = Hasher::new();
        let mut draft = Draft::new(self.stage)?;
        while length > 0 {
            hasher.update(&self.plain[..length]);
            self.add(&mut draft, length)?;
            length = fill(content, &mut self.plain)?;
        }
        let (digest, size) = (hasher.finish(), draft.footer.size);
        if self.is_known(digest) {
            disk::remove(&draft.path)?;
        } else {
            self.finish(draft, digest)?;
        }
        Ok((digest, size))
    }
}

impl Draft {
    fn new(stage: &Stage) -> io::Result<Self> {
        let (file, path) = stage.create()?;
        let footer = Footer { encoding: Encoding::Plain, size: 0, lengths: Vec::new() };
        Ok(Self { file, path, footer, packed: 0 })
    }

    fn append(&mut self, stored: &[u8]) -> io::Result<()> {
        self.file.write_all(stored)?;
        self.footer.lengths.push(u32::try_from(stored.len()).expect("a segment has about 4 MiB at most"));
        Ok(())
    }
}

/// Compression has to gain 3 % to be worth the agents' time.
fn worthwhile(plain: u64, packed: u64) -> Encoding {
    // Both are below 2^37, the size of the largest package.
    if packed * 100 < plain * 97 { Encoding::Zstd } else { Encoding::Plain }
}

/// Fills `buffer` as far as the content goes.
fn fill(content: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match content.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
