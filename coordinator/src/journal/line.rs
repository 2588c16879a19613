//! A record as a line, and the chain over the lines.
//!
//! ```text
//! {"hash":"…","number":7,"stream":…,"sequence":3,"epoch":1,"format":1,"time":…,"header":PART,"events":[PART,…]}
//!
//! PART   = {"salt":"…","body":…}, or {"digest":"…"} where an export withholds it
//! digest = SHA-256(salt ‖ body's bytes as they stand)
//! record = SHA-256("number stream sequence epoch format time\n" ‖ digest of the header ‖ digest of each event)
//! hash   = SHA-256(hash of the line before ‖ record)
//! ```
//!
//! Each part has a salt of its own, so that an export may give digests instead of what concerns others and still verify,
//! without letting anybody guess what is withheld.

use serde::Deserialize;
use serde_json::value::RawValue;
use windlass_coordinator_core::event::{Event, FORMAT, Header, Record, Stream};
use windlass_protocol::digest::Hasher;
use windlass_protocol::{Digest, Timestamp};

/// What stands before the first line.
pub const GENESIS: Digest = Digest::from_bytes([0; 32]);

const SALT: usize = 16;

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// It cannot be read.
    #[error("the line is not a record: {0}")]
    Malformed(String),
    /// A newer program wrote it.
    #[error("it is of format {0}, and this program reads up to format {FORMAT}; start the newer program")]
    Newer(u32),
    /// It can be read, but its hash is not the one that its bytes and the line before give.
    #[error("the record or one before it was changed: its hash does not match")]
    Hash,
}

fn malformed(why: impl ToString) -> BadLine {
    BadLine::Malformed(why.to_string())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw<'a> {
    hash: Digest,
    number: u64,
    stream: Stream,
    sequence: u64,
    epoch: u64,
    format: u32,
    time: Timestamp,
    #[serde(borrow)]
    header: RawPart<'a>,
    #[serde(borrow)]
    events: Vec<RawPart<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPart<'a> {
    salt: Option<&'a str>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    digest: Option<Digest>,
}

impl<'a> Raw<'a> {
    /// What a line says, if it is of a format that this program knows.
    fn read(line: &'a [u8]) -> Result<Self, BadLine> {
        let raw: Self = serde_json::from_slice(line).map_err(malformed)?;
        if raw.format > FORMAT { Err(BadLine::Newer(raw.format)) } else { Ok(raw) }
    }
}

/// A part of a line.
struct Part<'a> {
    /// As it stands.
    text: String,
    digest: Digest,
    /// None where it is withheld.
    body: Option<&'a str>,
}

impl<'a> Part<'a> {
    fn read(raw: &RawPart<'a>) -> Result<Self, BadLine> {
        match (raw.salt, raw.body, raw.digest) {
            (Some(salt), Some(body), None) => {
                let bytes = data_encoding::HEXLOWER.decode(salt.as_bytes()).map_err(malformed)?;
                let (text, digest) = part(salt, &bytes, body.get());
                Ok(Self { text, digest, body: Some(body.get()) })
            }
            (None, None, Some(digest)) => {
                Ok(Self { text: format!(r#"{{"digest":"{digest}"}}"#), digest, body: None })
            }
            _ => Err(malformed("a part is a salt and a body, or a digest")),
        }
    }
}

/// A part as it is written, and its digest.
fn part(salt: &str, bytes: &[u8], body: &str) -> (String, Digest) {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher.update(body.as_bytes());
    (format!(r#"{{"salt":"{salt}","body":{body}}}"#), hasher.finish())
}

/// What every reader of a line sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    pub number: u64,
    pub stream: Stream,
    /// Its number there.
    pub sequence: u64,
    /// Restorations from a backup so far.
    pub epoch: u64,
    /// The format that it is written in.
    pub format: u32,
    pub time: Timestamp,
}

impl Open {
    fn of(record: &Record) -> Self {
        let Record { number, stream, sequence, epoch, format, time, .. } = *record;
        Self { number, stream, sequence, epoch, format, time }
    }
}

/// A line that was read and whose hash is right.
pub struct Line<'a> {
    /// The hash of the chain at this line.
    pub hash: Digest,
    /// What every reader sees.
    pub open: Open,
    header: Option<&'a str>,
    events: Vec<Option<&'a str>>,
}

impl<'a> Line<'a> {
    /// Reads a line whose predecessor has the hash `previous`.
    pub fn read(line: &'a [u8], previous: Digest) -> Result<Self, BadLine> {
        let raw = Raw::read(line)?;
        let Raw { hash, number, stream, sequence, epoch, format, time, .. } = raw;
        let open = Open { number, stream, sequence, epoch, format, time };
        let header = Part::read(&raw.header)?;
        let events = raw.events.iter().map(Part::read).collect::<Result<Vec<_>, _>>()?;
        if chain(previous, &open, header.digest, events.iter().map(|event| event.digest)) != hash {
            return Err(BadLine::Hash);
        }
        // One content, one line: what JSON leaves open (white space, order, other keys) is refused.
        if layout(hash, &open, &header.text, events.iter().map(|event| event.text.as_str())).as_bytes()
            != line
        {
            return Err(malformed("it is not written the way the coordinator writes"));
        }
        Ok(Self {
            hash,
            open,
            header: header.body,
            events: events.into_iter().map(|event| event.body).collect(),
        })
    }

    /// Reads a line that is known to be whole: the chain is not looked at.
    pub fn stored(line: &'a [u8]) -> Result<Self, BadLine> {
        let raw = Raw::read(line)?;
        let Raw { hash, number, stream, sequence, epoch, format, time, .. } = raw;
        let body = |part: &RawPart<'a>| part.body.map(RawValue::get);
        Ok(Self {
            hash,
            open: Open { number, stream, sequence, epoch, format, time },
            header: body(&raw.header),
            events: raw.events.iter().map(body).collect(),
        })
    }

    /// The record itself. Of a line of which something is withheld there is none.
    pub fn parse(&self) -> Result<Record, BadLine> {
        let withheld = || malformed("a part of it is withheld");
        let header: Header = serde_json::from_str(self.header.ok_or_else(withheld)?).map_err(malformed)?;
        let event = |body: &Option<&str>| -> Result<Event, BadLine> {
            serde_json::from_str(body.ok_or_else(withheld)?).map_err(malformed)
        };
        let events = self.events.iter().map(event).collect::<Result<_, _>>()?;
        let Open { number, stream, sequence, epoch, format, time } = self.open;
        Ok(Record { number, stream, sequence, epoch, format, time, header, events })
    }

    /// The text of what it tells, as it stands: for a search that need not read it.
    pub fn texts(&self) -> impl Iterator<Item = &'a str> {
        self.header.into_iter().chain(self.events.iter().flatten().copied())
    }
}

/// The line of a record, and the hash of the chain at it. `salts` gives as many random bytes as it is asked for.
pub(crate) fn encode(
    record: &Record,
    previous: Digest,
    salts: impl FnOnce(usize) -> Vec<u8>,
) -> (Vec<u8>, Digest) {
    let json = "a record has nothing that JSON cannot hold";
    let salts = salts(SALT * (1 + record.events.len()));
    let mut salts = salts.chunks(SALT);
    let mut part = |body: String| {
        let salt = salts.next().unwrap_or_default();
        part(&data_encoding::HEXLOWER.encode(salt), salt, &body)
    };
    let (header, header_digest) = part(serde_json::to_string(&record.header).expect(json));
    let mut texts = Vec::with_capacity(record.events.len());
    let mut digests = Vec::with_capacity(record.events.len());
    for event in &record.events {
        let (text, digest) = part(serde_json::to_string(event).expect(json));
        texts.push(text);
        digests.push(digest);
    }
    let open = Open::of(record);
    let hash = chain(previous, &open, header_digest, digests.into_iter());
    (layout(hash, &open, &header, texts.iter().map(String::as_str)).into_bytes(), hash)
}

fn layout<'a>(hash: Digest, open: &Open, header: &str, events: impl Iterator<Item = &'a str>) -> String {
    let Open { number, sequence, epoch, format, .. } = open;
    let stream = serde_json::to_string(&open.stream).expect("a stream is JSON");
    let time = serde_json::to_string(&open.time).expect("a time is JSON");
    let mut line = format!(
        r#"{{"hash":"{hash}","number":{number},"stream":{stream},"sequence":{sequence},"epoch":{epoch},"format":{format},"time":{time},"header":{header},"events":["#
    );
    for (place, event) in events.enumerate() {
        if place > 0 {
            line.push(',');
        }
        line.push_str(event);
    }
    line.push_str("]}");
    line
}

fn chain(previous: Digest, open: &Open, header: Digest, events: impl Iterator<Item = Digest>) -> Digest {
    let Open { number, stream, sequence, epoch, format, time } = open;
    let mut record = Hasher::new();
    record.update(
        format!("{number} {stream} {sequence} {epoch} {format} {}\n", time.milliseconds()).as_bytes(),
    );
    record.update(header.as_bytes());
    for event in events {
        record.update(event.as_bytes());
    }
    let mut hasher = Hasher::new();
    hasher.update(previous.as_bytes());
    hasher.update(record.finish().as_bytes());
    hasher.finish()
}
