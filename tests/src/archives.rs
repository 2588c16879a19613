//! Archives that honest tools would not write: every name, kind and size is as the test says.

use std::io::Write;

use flate2::{Compression, Crc};

/// A tar archive, entry by entry.
#[derive(Default)]
pub struct Tar(Vec<u8>);

impl Tar {
    /// Adds a file.
    pub fn file(self, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        let mut tar = self.header(b'0', name.as_ref(), b"", content.len());
        tar.0.extend_from_slice(content);
        tar.0.resize(tar.0.len().next_multiple_of(512), 0);
        tar
    }

    /// Adds a symbolic link.
    pub fn link(self, name: &str, target: &str) -> Self {
        self.header(b'2', name.as_bytes(), target.as_bytes(), 0)
    }

    /// Adds an entry of any kind without content: `1` is a hard link, `3` a character device, `6` a pipe.
    pub fn entry(self, kind: u8, name: &str, target: &str) -> Self {
        self.header(kind, name.as_bytes(), target.as_bytes(), 0)
    }

    /// Adds a file whose header claims that it has so many bytes, of which none follow.
    pub fn claiming(mut self, name: &str, size: u64) -> Self {
        self = self.header(b'0', name.as_bytes(), b"", 0);
        let header = self.0.len() - 512;
        let mut field = [0; 12];
        field[4..].copy_from_slice(&size.to_be_bytes());
        // More than the octal digits can say is written as a number of 95 bits.
        field[0] = 0x80;
        self.0[header + 124..header + 136].copy_from_slice(&field);
        self.0[header + 148..header + 156].fill(b' ');
        let sum: u32 = self.0[header..].iter().map(|byte| u32::from(*byte)).sum();
        self.0[header + 148..header + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self
    }

    fn header(mut self, kind: u8, name: &[u8], target: &[u8], size: usize) -> Self {
        let mut header = [0; 512];
        header[..name.len()].copy_from_slice(name);
        header[100..108].copy_from_slice(b"0000644\0");
        for owner in [108..116, 116..124] {
            header[owner].copy_from_slice(b"0000000\0");
        }
        header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
        header[136..148].copy_from_slice(b"00000000000\0");
        header[148..156].fill(b' ');
        header[156] = kind;
        header[157..157 + target.len()].copy_from_slice(target);
        header[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend_from_slice(&header);
        self
    }

    /// The whole archive.
    pub fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }
}

/// Bytes in gzip, from level 0 (stored) to 9 (small).
pub fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// A zip archive, entry by entry.
#[derive(Default)]
pub struct Zip {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    count: u16,
}

impl Zip {
    /// Adds a file as it is.
    pub fn file(self, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        self.entry(name.as_ref(), content.as_ref(), 0o100_644, false, None)
    }

    /// Adds a file, compressed.
    pub fn deflated(self, name: &str, content: &[u8]) -> Self {
        self.entry(name.as_bytes(), content, 0o100_644, true, None)
    }

    /// Adds a compressed file whose headers claim that it is of another size.
    pub fn lying(self, name: &str, content: &[u8], claimed: u32) -> Self {
        self.entry(name.as_bytes(), content, 0o100_644, true, Some(claimed))
    }

    /// Adds a symbolic link.
    pub fn link(self, name: &str, target: &str) -> Self {
        self.entry(name.as_bytes(), target.as_bytes(), 0o120_777, false, None)
    }

    /// Adds an entry with any mode: 0o020666 is a character device.
    pub fn special(self, name: &str, mode: u32) -> Self {
        self.entry(name.as_bytes(), b"", mode, false, None)
    }

    fn entry(mut self, name: &[u8], content: &[u8], mode: u32, deflated: bool, claimed: Option<u32>) -> Self {
        let mut crc = Crc::new();
        crc.update(content);
        let stored = if deflated { deflate(content) } else { content.to_vec() };
        let number = |value: usize| u32::try_from(value).expect("small archives");
        let mut common = Vec::new();
        common.extend([0, 0, if deflated { 8 } else { 0 }, 0, 0, 0, 0x21, 0x52]);
        for value in [crc.sum(), number(stored.len()), claimed.unwrap_or(number(content.len()))] {
            common.extend(value.to_le_bytes());
        }
        common.extend(u16::try_from(name.len()).expect("a short name").to_le_bytes());
        common.extend([0, 0]);
        let start = number(self.bytes.len());
        self.bytes.extend(b"PK\x03\x04\x14\0");
        self.bytes.extend([&common, name, &stored].concat());
        self.directory.extend(b"PK\x01\x02\x14\x03\x14\0");
        self.directory.extend(&common);
        self.directory.extend([0; 6]);
        self.directory.extend((mode << 16).to_le_bytes());
        self.directory.extend(start.to_le_bytes());
        self.directory.extend(name);
        self.count += 1;
        self
    }

    /// The whole archive.
    pub fn end(mut self) -> Vec<u8> {
        let number = |value: usize| u32::try_from(value).expect("small archives").to_le_bytes();
        let (start, size) = (number(self.bytes.len()), number(self.directory.len()));
        self.bytes.extend(&self.directory);
        self.bytes.extend(b"PK\x05\x06\0\0\0\0");
        self.bytes.extend([self.count.to_le_bytes(), self.count.to_le_bytes()].concat());
        self.bytes.extend([size, start].concat());
        self.bytes.extend([0, 0]);
        self.bytes
    }
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}
