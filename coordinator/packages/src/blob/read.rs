//! A stored blob, opened to be sent or to be read.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use windlass_protocol::Digest;
use windlass_protocol::digest::Hasher;

use super::format::{BadFooter, Encoding, Footer};
use super::plain_length;
use crate::objects::Objects;
use crate::{Kind, StoreError};

pub(crate) struct Blob {
    digest: Digest,
    file: File,
    footer: Footer,
}

/// Where a stored segment lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoredSegment {
    pub(crate) offset: u64,
    pub(crate) length: u32,
}

impl Blob {
    pub(crate) fn open(objects: &Objects, digest: Digest) -> Result<Self, StoreError> {
        let file = objects.open_object(Kind::Blob, digest)?;
        let file = file.ok_or(StoreError::Missing { kind: Kind::Blob, digest })?;
        let footer = Footer::read(&file).map_err(|bad| match bad {
            BadFooter::Read(source) => objects.unreadable(Kind::Blob, digest, source),
            BadFooter::Damaged(fault) => StoreError::Damaged { kind: Kind::Blob, digest, fault },
        })?;
        Ok(Self { digest, file, footer })
    }

    pub(crate) fn encoding(&self) -> Encoding {
        self.footer.encoding
    }

    /// Bytes of content.
    pub(crate) fn size(&self) -> u64 {
        self.footer.size
    }

    /// All segments, first to last.
    pub(crate) fn segments(&self) -> impl Iterator<Item = StoredSegment> {
        self.footer.lengths.iter().scan(0, |next, length| {
            let offset = *next;
            *next += u64::from(*length);
            Some(StoredSegment { offset, length: *length })
        })
    }

    /// Fills `bytes` with what is stored from `offset` on.
    pub(crate) fn read_stored(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(bytes, offset)
    }

    /// The whole content, which the caller knows to be small, verified.
    pub(crate) fn read_content(&self, objects: &Objects) -> Result<Vec<u8>, StoreError> {
        let mut content = Vec::new();
        self.read(objects, |plain| content.extend_from_slice(plain))?;
        Ok(content)
    }

    /// Reads all of it, and says whether it is what its name says.
    pub(crate) fn verify(&self, objects: &Objects) -> Result<(), StoreError> {
        self.read(objects, |_| ())
    }

    /// Hands out one segment's plain bytes after the other; that they are right is known when this returns.
    fn read(&self, objects: &Objects, mut taken: impl FnMut(&[u8])) -> Result<(), StoreError> {
        let damaged = |fault| StoreError::Damaged { kind: Kind::Blob, digest: self.digest, fault };
        let mut hasher = Hasher::new();
        for (index, segment) in self.segments().enumerate() {
            let mut stored = vec![0; segment.length as usize];
            self.read_stored(&mut stored, segment.offset)
                .map_err(|source| objects.unreadable(Kind::Blob, self.digest, source))?;
            let plain = decode(self.encoding(), stored, plain_length(self.size(), index as u64))
                .ok_or_else(|| damaged("a segment cannot be decompressed"))?;
            hasher.update(&plain);
            taken(&plain);
        }
        if hasher.finish() != self.digest {
            return Err(damaged("its content has another digest"));
        }
        Ok(())
    }
}

/// The plain bytes of a stored segment, if there are exactly `plain` of them.
pub(super) fn decode(encoding: Encoding, stored: Vec<u8>, plain: usize) -> Option<Vec<u8>> {
    let content = match encoding {
        Encoding::Plain => stored,
        Encoding::Zstd => zstd::bulk::decompress(&stored, plain).ok()?,
    };
    (content.len() == plain).then_some(content)
}
