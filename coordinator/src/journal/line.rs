//! A record as a line, and the chain over the lines.
//!
//! ```text
//! {"hash":"…","salt":"…","record":{…}}
//! digest = SHA-256(salt ‖ record's bytes as they stand)      hash = SHA-256(hash of the line before ‖ digest)
//! ```
//!
//! Because the chain runs over salted digests, an export may give the digest instead of a record's bytes and still
//! verify, without letting anybody guess what is withheld.

use serde::Deserialize;
use serde_json::value::RawValue;
use windlass_coordinator_core::event::Record;
use windlass_protocol::Digest;
use windlass_protocol::digest::Hasher;

/// What stands before the first line.
pub const GENESIS: Digest = Digest::from_bytes([0; 32]);

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// It cannot be read.
    #[error("the line is not a record: {0}")]
    Malformed(String),
    /// It can be read, but its hash is not the one that its bytes and the line before give.
    #[error("the record or one before it was changed: its hash does not match")]
    Hash,
}

#[derive(Deserialize)]
struct Raw<'a> {
    hash: Digest,
    salt: &'a str,
    #[serde(borrow)]
    record: &'a RawValue,
}

/// A line that was read and whose hash is right.
pub struct Line<'a> {
    /// The hash of the chain at this line.
    pub hash: Digest,
    /// The salted digest of the record.
    pub digest: Digest,
    /// The record's bytes as they stand.
    pub record: &'a str,
}

impl<'a> Line<'a> {
    /// Reads a line whose predecessor has the hash `previous`.
    pub fn read(line: &'a [u8], previous: Digest) -> Result<Self, BadLine> {
        let malformed = |why: String| BadLine::Malformed(why);
        let raw: Raw<'a> = serde_json::from_slice(line).map_err(|why| malformed(why.to_string()))?;
        let salt =
            data_encoding::HEXLOWER.decode(raw.salt.as_bytes()).map_err(|why| malformed(why.to_string()))?;
        let digest = digest(&salt, raw.record.get().as_bytes());
        if chain(previous, digest) != raw.hash {
            return Err(BadLine::Hash);
        }
        // One content, one line: what JSON leaves open (white space, order, other keys) is refused.
        if layout(raw.hash, raw.salt, raw.record.get()).as_bytes() != line {
            return Err(malformed("it is not written the way the coordinator writes".to_owned()));
        }
        Ok(Self { hash: raw.hash, digest, record: raw.record.get() })
    }

    /// The record itself.
    pub fn parse(&self) -> Result<Record, BadLine> {
        serde_json::from_str(self.record).map_err(|why| BadLine::Malformed(why.to_string()))
    }
}

/// The line of a record, and the hash of the chain at it.
pub(super) fn encode(record: &Record, salt: [u8; 16], previous: Digest) -> (Vec<u8>, Digest) {
    let body = serde_json::to_string(record).expect("a record has nothing that JSON cannot hold");
    let hash = chain(previous, digest(&salt, body.as_bytes()));
    (layout(hash, &data_encoding::HEXLOWER.encode(&salt), &body).into_bytes(), hash)
}

fn layout(hash: Digest, salt: &str, record: &str) -> String {
    format!(r#"{{"hash":"{hash}","salt":"{salt}","record":{record}}}"#)
}

fn digest(salt: &[u8], record: &[u8]) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(salt);
    hasher.update(record);
    hasher.finish()
}

fn chain(previous: Digest, digest: Digest) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(previous.as_bytes());
    hasher.update(digest.as_bytes());
    hasher.finish()
}
