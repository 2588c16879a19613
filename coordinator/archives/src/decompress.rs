//! Compression around a tar archive: one stream out, however many members or frames it has, under limits.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};

use crate::source::Faults;
use crate::{BadPackage, Limits};

/// What a tar archive is compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
    Xz,
}

/// Bytes read from the file at once.
const BUFFER_BYTES: usize = 64 << 10;
/// Binary logarithm of the largest zstd window, so of the memory to decode it: what `zstd --ultra -22` uses.
const ZSTD_WINDOW_LOG: u32 = 27;
/// Memory that an xz stream may ask for: `xz -9` needs 65 MiB.
const XZ_MEMORY_BYTES: u64 = 128 << 20;

impl Compression {
    /// The name of the compression alone, for errors.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
        }
    }

    /// The decompressed bytes of `source`, all members of it: pigz, pzstd and `cat` write several.
    pub(crate) fn open<'a>(self, source: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        let source = BufReader::with_capacity(BUFFER_BYTES, source);
        Ok(match self {
            Self::None => Box::new(source),
            Self::Gzip => Box::new(MultiGzDecoder::new(source)),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(source)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Box::new(decoder)
            }
            Self::Xz => {
                let stream = Stream::new_stream_decoder(XZ_MEMORY_BYTES, CONCATENATED)?;
                Box::new(XzDecoder::new_stream(source, stream))
            }
        })
    }
}

/// Headers and padding that an entry may add to the decompressed stream beside its content, on average.
const OVERHEAD_BYTES: u64 = 8 << 10;

/// A decompressed stream that fails as soon as it has given more bytes than a package may have.
pub(crate) struct Expanded<'a, R> {
    inner: R,
    given: u64,
    most: u64,
    archive: u64,
    limits: &'a Limits,
    faults: Faults,
}

impl<'a, R: Read> Expanded<'a, R> {
    /// Counts what `inner` makes out of a file of `archive` bytes.
    pub(crate) fn new(inner: R, archive: u64, limits: &'a Limits, faults: Faults) -> Self {
        let overhead = (limits.entries as u64).saturating_mul(OVERHEAD_BYTES);
        let most = limits.unpacked_bytes.saturating_add(overhead);
        Self { inner, given: 0, most, archive, limits, faults }
    }
}

impl<R: Read> Read for Expanded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.given = self.given.saturating_add(count as u64);
        if self.limits.is_bomb(self.archive, self.given) {
            return Err(self.faults.raise(BadPackage::Bomb { ratio: self.limits.expansion_ratio }));
        }
        if self.given > self.most {
            return Err(self.faults.raise(BadPackage::TooLarge { limit: self.limits.unpacked_bytes }));
        }
        Ok(count)
    }
}
