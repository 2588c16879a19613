//! A sink that remembers, and the one way in which all tests read an upload.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};

use windlass_archives::{ArchiveError, Contents, Limits, Sink, read};
use windlass_protocol::Digest;

/// Keeps what it is given.
#[derive(Default)]
pub struct Memory {
    /// Each content by its digest.
    pub stored: BTreeMap<Digest, Vec<u8>>,
    /// How often it was called.
    pub calls: usize,
}

impl Sink for Memory {
    fn store(&mut self, content: &mut dyn Read) -> io::Result<(Digest, u64)> {
        self.calls += 1;
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        let digest = Digest::of(&bytes);
        let size = bytes.len() as u64;
        self.stored.insert(digest, bytes);
        Ok((digest, size))
    }
}

/// Reads an upload under the default limits.
pub fn read_bytes(bytes: &[u8], name: &str) -> (Result<Contents, ArchiveError>, Memory) {
    read_under(bytes, name, &Limits::default())
}

/// Reads an upload under limits.
pub fn read_under(bytes: &[u8], name: &str, limits: &Limits) -> (Result<Contents, ArchiveError>, Memory) {
    let mut sink = Memory::default();
    let result = read(&mut Cursor::new(bytes), name, limits, &mut sink);
    (result, sink)
}

/// The sentence with which an upload is refused as a bad package, and how often the sink was called before.
pub fn refusal(bytes: &[u8], name: &str, limits: &Limits) -> (String, usize) {
    match read_under(bytes, name, limits) {
        (Err(ArchiveError::Package(bad)), sink) => (bad.to_string(), sink.calls),
        (other, _) => panic!("expected a refusal of `{name}`, got {other:?}"),
    }
}

/// An upload that must be refused before the sink sees anything, and the sentence that says why.
pub struct Case {
    /// The archive.
    pub bytes: Vec<u8>,
    /// The whole sentence.
    pub sentence: &'static str,
}

/// Checks a table of refusals of the first pass.
pub fn check_refused(name: &str, cases: Vec<Case>) {
    for (index, case) in cases.iter().enumerate() {
        let found = refusal(&case.bytes, name, &Limits::default());
        assert_eq!(found, (case.sentence.to_owned(), 0), "case {index}");
    }
}

/// The manifest's text of an upload that has to be accepted.
pub fn manifest_text(bytes: &[u8], name: &str) -> String {
    let (result, _) = read_bytes(bytes, name);
    let contents = result.unwrap_or_else(|error| panic!("`{name}` was refused: {error}"));
    String::from_utf8(contents.manifest.to_text()).expect("a manifest is text")
}

/// The paths and kinds of an accepted upload, without sizes and digests.
pub fn listing(bytes: &[u8], name: &str) -> Vec<String> {
    let short = |line: &str| match line.split(' ').collect::<Vec<_>>().as_slice() {
        [kind @ ("f" | "x"), _, _, path @ ..] => format!("{kind} {}", path.join(" ")),
        _ => line.replace('\0', " -> "),
    };
    manifest_text(bytes, name).lines().map(short).collect()
}
