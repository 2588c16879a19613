//! A writer of tar archives that writes any header, and compression around it.

use std::io::Write;

use tar::{EntryType, Header};

/// Entries, one after the other.
#[derive(Default, Clone)]
pub struct Tar(Vec<u8>);

impl Tar {
    /// An archive without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a header of any kind, with content; its size is what the header then says.
    pub fn entry(self, kind: u8, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        self.header(kind, name.as_ref(), b"", content.len() as u64, 0o644).block(content)
    }

    /// Adds a file.
    pub fn file(self, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        self.entry(b'0', name, content)
    }

    /// Adds a folder.
    pub fn folder(self, name: &str) -> Self {
        self.header(b'5', name.as_bytes(), b"", 0, 0o755)
    }

    /// Adds a symbolic link.
    pub fn link(self, name: &str, target: impl AsRef<[u8]>) -> Self {
        self.header(b'2', name.as_bytes(), target.as_ref(), 0, 0o777)
    }

    /// Adds a header and nothing else.
    pub fn header(mut self, kind: u8, name: &[u8], target: &[u8], size: u64, mode: u32) -> Self {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::new(kind));
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target);
        header.set_size(size);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_cksum();
        self.0.extend(header.as_bytes());
        self
    }

    /// Adds bytes, padded to whole blocks.
    pub fn block(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// Adds an extended header with records, for the next entry (`x`) or for all (`g`).
    pub fn pax(self, kind: u8, records: &[(&str, &str)]) -> Self {
        let mut text = String::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let length = (rest + 1..).find(|length| length.to_string().len() + rest == *length);
            text += &format!("{} {key}={value}\n", length.expect("some length fits"));
        }
        self.entry(kind, "PaxHeaders", text)
    }

    /// The archive with its end marker.
    pub fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }

    /// The archive so far, without an end marker.
    pub fn cut(self) -> Vec<u8> {
        self.0
    }
}

/// Bytes in gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// Bytes in zstd.
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).expect("level 3 exists");
    encoder.include_checksum(true).expect("there is a checksum");
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// Bytes in xz.
pub fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 3);
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}
