//! A writer of zip archives that lets every field lie.

use flate2::Crc;

/// One entry; both headers are written from it, with what is set in the `local_` fields in the local one.
#[derive(Clone)]
pub struct Item {
    pub name: Vec<u8>,
    pub local_name: Option<Vec<u8>>,
    pub content: Vec<u8>,
    pub method: u16,
    pub flags: u16,
    pub mode: u32,
    pub size: u32,
    pub local_size: Option<u32>,
    pub crc: u32,
    pub extra: Vec<u8>,
    pub local_extra: Option<Vec<u8>>,
    /// Bytes between this entry and the next.
    pub gap: Vec<u8>,
    /// Has its bytes inside those of an earlier entry, this far from that entry's start, instead of own ones.
    pub inside: Option<(usize, usize)>,
    /// Whether the directory lists it.
    pub listed: bool,
}

impl Item {
    /// A stored file.
    pub fn file(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref().to_vec();
        let mut crc = Crc::new();
        crc.update(&content);
        Self {
            name: name.as_ref().to_vec(),
            local_name: None,
            size: u32::try_from(content.len()).expect("small"),
            local_size: None,
            crc: crc.sum(),
            content,
            method: 0,
            flags: 0,
            mode: 0o100_644,
            extra: Vec::new(),
            local_extra: None,
            gap: Vec::new(),
            inside: None,
            listed: true,
        }
    }

    /// A symbolic link.
    pub fn link(name: &str, target: impl AsRef<[u8]>) -> Self {
        Self { mode: 0o120_777, ..Self::file(name, target) }
    }

    /// The same with another mode.
    pub fn mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    /// The same, compressed.
    pub fn deflated(mut self) -> Self {
        use std::io::Write;
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&self.content).expect("memory takes it");
        self.content = encoder.finish().expect("memory takes it");
        self.method = 8;
        self
    }
}

/// A whole archive.
#[derive(Default)]
pub struct Zip {
    pub items: Vec<Item>,
    pub comment: Vec<u8>,
    /// Added to the counts in the end record.
    pub count_error: i16,
    /// Bytes between the entries and the directory.
    pub before_directory: Vec<u8>,
    /// Bytes between the directory and the end record.
    pub after_directory: Vec<u8>,
    /// Writes a 64-bit end record, and only markers in the other.
    pub wide: bool,
}

/// The bytes of an archive of `items`.
pub fn zip(items: impl IntoIterator<Item = Item>) -> Vec<u8> {
    Zip { items: items.into_iter().collect(), ..Zip::default() }.write()
}

impl Zip {
    /// The archive's bytes.
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut starts: Vec<usize> = Vec::new();
        for item in &self.items {
            starts.push(match item.inside {
                Some((other, offset)) => starts[other] + offset,
                None => local(&mut bytes, item),
            });
        }
        bytes.extend(&self.before_directory);
        let directory = bytes.len();
        let listed = || self.items.iter().zip(&starts).filter(|(item, _)| item.listed);
        for (item, start) in listed() {
            central(&mut bytes, item, *start);
        }
        let size = bytes.len() - directory;
        bytes.extend(&self.after_directory);
        let count = listed().count().checked_add_signed(self.count_error.into()).expect("not negative");
        if self.wide {
            wide_end(&mut bytes, count as u64, size as u64, directory as u64);
        }
        let marked = |value: usize| if self.wide { u32::MAX } else { narrow(value) };
        let count = if self.wide { u16::MAX } else { short(count) };
        bytes.extend(b"PK\x05\x06\0\0\0\0");
        bytes.extend([count.to_le_bytes(), count.to_le_bytes()].as_flattened());
        bytes.extend([marked(size).to_le_bytes(), marked(directory).to_le_bytes()].as_flattened());
        bytes.extend(short(self.comment.len()).to_le_bytes());
        bytes.extend(&self.comment);
        bytes
    }
}

fn short(value: usize) -> u16 {
    u16::try_from(value).expect("fits")
}

fn narrow(value: usize) -> u32 {
    u32::try_from(value).expect("fits")
}

/// Adds an entry's local header and content, and says where they begin.
pub fn local(bytes: &mut Vec<u8>, item: &Item) -> usize {
    let start = bytes.len();
    let name = item.local_name.as_ref().unwrap_or(&item.name);
    bytes.extend(b"PK\x03\x04\x14\0");
    common(bytes, item, item.local_size.unwrap_or(item.size));
    bytes.extend(short(name.len()).to_le_bytes());
    let extra = item.local_extra.as_ref().unwrap_or(&item.extra);
    bytes.extend(short(extra.len()).to_le_bytes());
    bytes.extend(name.iter().chain(extra).chain(&item.content).chain(&item.gap));
    start
}

fn central(bytes: &mut Vec<u8>, item: &Item, start: usize) {
    bytes.extend(b"PK\x01\x02\x14\x03\x14\0");
    common(bytes, item, item.size);
    bytes.extend(short(item.name.len()).to_le_bytes());
    bytes.extend(short(item.extra.len()).to_le_bytes());
    bytes.extend([0; 6]);
    bytes.extend((item.mode << 16).to_le_bytes());
    bytes.extend(narrow(start).to_le_bytes());
    bytes.extend(item.name.iter().chain(&item.extra));
}

/// The fields from the flags to the sizes, which both headers have in the same order.
fn common(bytes: &mut Vec<u8>, item: &Item, size: u32) {
    bytes.extend([item.flags.to_le_bytes(), item.method.to_le_bytes(), [0, 0], [0x21, 0x52]].as_flattened());
    bytes.extend(item.crc.to_le_bytes());
    bytes.extend(narrow(item.content.len()).to_le_bytes());
    bytes.extend(size.to_le_bytes());
}

fn wide_end(bytes: &mut Vec<u8>, count: u64, size: u64, directory: u64) {
    let start = bytes.len() as u64;
    bytes.extend(b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0\0\0");
    for value in [count, count, size, directory] {
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend(b"PK\x06\x07\0\0\0\0");
    bytes.extend(start.to_le_bytes());
    bytes.extend(1u32.to_le_bytes());
}
