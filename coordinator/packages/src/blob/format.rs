//! The bytes of a blob: its segments, then a table of their lengths, then a tail of fixed size.
//!
//! ```text
//! segment 0 … segment n-1     each SEGMENT_BYTES of content (the last one the rest), plain or a zstd frame of its own
//! n × u32                     the stored length of each segment
//! "wlblob" 1                  magic and version
//! u8                          0: plain, 1: zstd
//! u64                         bytes of content
//! ```
//!
//! Numbers have their most significant byte first. The description stands at the end because the lengths are known
//! only when the content has passed, and it passes once.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use windlass_protocol::limits;

use super::{most_stored, plain_length, segments};

/// How the segments of a blob are stored, and travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Plain,
    /// Each a zstd frame.
    Zstd,
}

/// What follows the segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) encoding: Encoding,
    /// Bytes of content.
    pub(crate) size: u64,
    /// The stored length of each segment.
    pub(crate) lengths: Vec<u32>,
}

/// Why a footer cannot be read.
#[derive(Debug)]
pub(crate) enum BadFooter {
    Read(io::Error),
    Damaged(&'static str),
}

const MAGIC: &[u8; 6] = b"wlblob";
const VERSION: u8 = 1;
const TAIL_BYTES: usize = 16;
/// Read at once from the end: the whole footer of a content of up to 4 GiB, the whole blob of a small one.
const LOOK_BYTES: u64 = 4096;

impl Footer {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.lengths.len() * 4 + TAIL_BYTES);
        for length in &self.lengths {
            bytes.extend_from_slice(&length.to_be_bytes());
        }
        bytes.extend_from_slice(MAGIC);
        bytes.push(VERSION);
        bytes.push(match self.encoding {
            Encoding::Plain => 0,
            Encoding::Zstd => 1,
        });
        bytes.extend_from_slice(&self.size.to_be_bytes());
        bytes
    }

    /// Reads the end of `file` and checks that it describes all of the file.
    pub(crate) fn read(file: &File) -> Result<Self, BadFooter> {
        let length = file.metadata().map_err(BadFooter::Read)?.len();
        let end = read_end(file, length, LOOK_BYTES.min(length))?;
        let (encoding, size) = read_tail(&end)?;
        // At most 16,384 segments, so this cannot overflow.
        let bytes = segments(size) * 4 + TAIL_BYTES as u64;
        let end = if bytes <= end.len() as u64 { end } else { read_end(file, length, bytes)? };
        let table = &end[end.len() - bytes as usize..end.len() - TAIL_BYTES];
        let lengths: Vec<u32> = table.as_chunks().0.iter().copied().map(u32::from_be_bytes).collect();
        let footer = Self { encoding, size, lengths };
        footer.check(length - bytes)?;
        Ok(footer)
    }

    /// Checks the table against the content's size and the `stored` bytes before it.
    fn check(&self, stored: u64) -> Result<(), BadFooter> {
        for (index, length) in self.lengths.iter().enumerate() {
            let plain = plain_length(self.size, index as u64);
            let possible = match self.encoding {
                Encoding::Plain => *length as usize == plain,
                Encoding::Zstd => (1..=most_stored(plain)).contains(&(*length as usize)),
            };
            if !possible {
                return Err(BadFooter::Damaged("a segment has a length that it cannot have"));
            }
        }
        if self.lengths.iter().map(|length| u64::from(*length)).sum::<u64>() != stored {
            return Err(BadFooter::Damaged("its segments are not as long as its table says"));
        }
        Ok(())
    }
}

fn read_tail(end: &[u8]) -> Result<(Encoding, u64), BadFooter> {
    let tail: &[u8; TAIL_BYTES] = end.last_chunk().ok_or(BadFooter::Damaged("it is too short"))?;
    if !tail.starts_with(MAGIC) {
        return Err(BadFooter::Damaged("it does not end as a blob does"));
    }
    let encoding = match tail[6..8] {
        [VERSION, 0] => Encoding::Plain,
        [VERSION, 1] => Encoding::Zstd,
        _ => return Err(BadFooter::Damaged("its version or encoding is unknown")),
    };
    let size = u64::from_be_bytes(*tail.last_chunk().expect("the tail has 16 bytes"));
    if size > limits::PACKAGE_BYTES {
        return Err(BadFooter::Damaged("it claims to be larger than any package"));
    }
    Ok((encoding, size))
}

/// The last `bytes` of a file of `length` bytes.
fn read_end(file: &File, length: u64, bytes: u64) -> Result<Vec<u8>, BadFooter> {
    let offset = length.checked_sub(bytes).ok_or(BadFooter::Damaged("it is cut off"))?;
    let mut end = vec![0; usize::try_from(bytes).expect("a footer fits the memory")];
    file.read_exact_at(&mut end, offset).map_err(BadFooter::Read)?;
    Ok(end)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;
    use windlass_protocol::limits::SEGMENT_BYTES;

    use super::*;

    fn file_of(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn reread(bytes: &[u8]) -> Result<Footer, &'static str> {
        Footer::read(&file_of(bytes)).map_err(|bad| match bad {
            BadFooter::Damaged(fault) => fault,
            BadFooter::Read(error) => panic!("{error}"),
        })
    }

    #[test]
    fn the_bytes_of_a_footer_are_these() {
        let size = SEGMENT_BYTES as u64 + 5;
        let plain = Footer { encoding: Encoding::Plain, size, lengths: vec![SEGMENT_BYTES as u32, 5] };
        assert_eq!(
            plain.encode(),
            b"\x00\x40\x00\x00\x00\x00\x00\x05wlblob\x01\x00\x00\x00\x00\x00\x00\x40\x00\x05"
        );
        let zstd = Footer { encoding: Encoding::Zstd, size: 258, lengths: vec![17] };
        assert_eq!(zstd.encode(), b"\x00\x00\x00\x11wlblob\x01\x01\x00\x00\x00\x00\x00\x00\x01\x02");
        let empty = Footer { encoding: Encoding::Plain, size: 0, lengths: vec![] };
        assert_eq!(empty.encode(), b"wlblob\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00");
    }

    #[test]
    fn a_table_longer_than_one_look_is_read_whole() {
        let size = 2000 * SEGMENT_BYTES as u64;
        let footer = Footer { encoding: Encoding::Zstd, size, lengths: vec![1; 2000] };
        let bytes = [vec![7; 2000], footer.encode()].concat();
        assert_eq!(reread(&bytes), Ok(footer));
    }

    #[test]
    fn a_footer_that_does_not_fit_its_file_is_damage() {
        let footer = Footer { encoding: Encoding::Plain, size: 5, lengths: vec![5] }.encode();
        let good = [b"hello".as_slice(), &footer].concat();
        assert!(reread(&good).is_ok());
        let mut version = good.clone();
        version[5 + 4 + 6] = 2;
        let mut huge = good.clone();
        huge[5 + 4 + 8] = 1;
        let mut longer = good.clone();
        longer[5 + 4 + 15] = 6;
        let cases: [(&[u8], &str); 7] = [
            (b"", "it is too short"),
            (&good[..good.len() - 1], "it does not end as a blob does"),
            (&good[1..], "its segments are not as long as its table says"),
            (&good[7..], "it is cut off"),
            (&version, "its version or encoding is unknown"),
            (&huge, "it claims to be larger than any package"),
            (&longer, "a segment has a length that it cannot have"),
        ];
        for (bytes, fault) in cases {
            assert_eq!(reread(bytes), Err(fault));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64), tail in any::<bool>()) {
            let mut bytes = bytes;
            if tail {
                bytes.extend_from_slice(b"wlblob\x01\x01\x00\x00\x00\x00\x00\x00\x01\x02");
            }
            if let Ok(footer) = reread(&bytes) {
                let encoded = footer.encode();
                prop_assert!(bytes.ends_with(&encoded));
            }
        }
    }
}
