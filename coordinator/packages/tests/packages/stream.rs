//! The bytes of an answer taken apart by the book.

use windlass_protocol::Digest;
use windlass_protocol::codec::{self, LENGTH_BYTES, Message};
use windlass_protocol::limits::SEGMENT_BYTES;
use windlass_protocol::message::{Answer, FileEncoding, PullFile, PullHeader};

/// An answer in its parts.
pub struct Parts {
    pub header: PullHeader,
    pub text: Vec<u8>,
    pub files: Vec<(PullFile, Vec<u8>)>,
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn take(&mut self, count: usize) -> &[u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn length(&mut self) -> usize {
        u32::from_be_bytes(self.take(LENGTH_BYTES).try_into().unwrap()) as usize
    }

    fn message<M: Message>(&mut self) -> M {
        let length = self.length();
        codec::decode(self.take(length)).unwrap()
    }
}

/// Reads a whole answer; nothing may be left over.
pub fn parse(bytes: &[u8]) -> Parts {
    let mut cursor = Cursor(bytes);
    let Answer::Pull(header) = cursor.message() else { panic!("not the answer to a pull") };
    let text = cursor.take(header.manifest_bytes as usize).to_vec();
    let mut files = Vec::new();
    while !cursor.0.is_empty() {
        let file: PullFile = cursor.message();
        let mut content = Vec::new();
        for _ in 0..file.segments {
            let length = cursor.length();
            let stored = cursor.take(length);
            match file.encoding {
                FileEncoding::Plain => content.extend_from_slice(stored),
                FileEncoding::Zstd => {
                    content.extend_from_slice(&zstd::bulk::decompress(stored, SEGMENT_BYTES).unwrap());
                }
                FileEncoding::Patch { .. } => panic!("no patches are made"),
            }
        }
        files.push((file, content));
    }
    Parts { header, text, files }
}

impl Parts {
    /// The contents that came, each as its frame names it.
    pub fn digests(&self) -> Vec<Digest> {
        self.files.iter().map(|(file, _)| file.digest).collect()
    }
}
