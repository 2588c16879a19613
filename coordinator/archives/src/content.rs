//! The bytes of one file on their way to the sink, counted against what its header declares.

use std::io::{self, ErrorKind, Read};

use windlass_protocol::Digest;

use crate::source::Faults;
use crate::{ArchiveError, BadPackage, Shown, Sink};

/// A reader of exactly the bytes that a header declares. More or fewer are the package's fault, not an end of file.
pub(crate) struct Content<'a> {
    inner: &'a mut dyn Read,
    name: &'a str,
    declared: u64,
    remaining: u64,
    ended: bool,
    faults: &'a Faults,
}

impl<'a> Content<'a> {
    pub(crate) fn new(inner: &'a mut dyn Read, name: &'a str, declared: u64, faults: &'a Faults) -> Self {
        Self { inner, name, declared, remaining: declared, ended: false, faults }
    }

    /// Reads what is left and throws it away, so that it has been counted and its checksum compared.
    pub(crate) fn drain(&mut self) -> Result<(), ArchiveError> {
        // Often nothing is left, and a buffer for nothing should cost nothing.
        let most = usize::try_from(self.remaining).unwrap_or(usize::MAX).clamp(1, DRAIN_BYTES);
        let mut buffer = vec![0; most];
        loop {
            match self.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.faults.or(self.unreadable(&error))),
            }
        }
    }

    fn unreadable(&self, error: &io::Error) -> BadPackage {
        BadPackage::Entry { name: Shown::new(self.name), detail: Shown::new(error.to_string()) }
    }

    /// Asks for one byte after the last one: there must be none, and decoders compare checksums only when asked.
    fn check_end(&mut self) -> io::Result<()> {
        match self.inner.read(&mut [0]) {
            Ok(0) => {
                self.ended = true;
                Ok(())
            }
            Ok(_) => {
                let name = Shown::new(self.name);
                Err(self.faults.raise(BadPackage::TooLong { name, declared: self.declared }))
            }
            Err(error) => Err(self.explain(error)),
        }
    }

    fn explain(&self, error: io::Error) -> io::Error {
        match error.kind() {
            ErrorKind::Interrupted => error,
            _ => self.faults.raise(self.unreadable(&error)),
        }
    }
}

/// Bytes thrown away at once.
const DRAIN_BYTES: usize = 64 << 10;

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.ended {
            return Ok(0);
        }
        if self.remaining == 0 {
            return self.check_end().map(|()| 0);
        }
        let most = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.inner.read(&mut buffer[..most]).map_err(|error| self.explain(error))?;
        if count == 0 {
            let (name, declared) = (Shown::new(self.name), self.declared);
            let found = declared - self.remaining;
            return Err(self.faults.raise(BadPackage::TooShort { name, declared, found }));
        }
        self.remaining -= count as u64;
        Ok(count)
    }
}

/// Hands one file to the sink and holds both to the size: the archive to what it declared, the sink to all of it.
pub(crate) fn store(
    sink: &mut dyn Sink,
    inner: &mut dyn Read,
    name: &str,
    declared: u64,
    faults: &Faults,
) -> Result<Digest, ArchiveError> {
    let mut content = Content::new(inner, name, declared, faults);
    let answer = sink.store(&mut content);
    // A fault of the archive comes back as the sink's error, or not at all if the sink swallowed it.
    faults.check()?;
    let (digest, size) = answer.map_err(ArchiveError::Sink)?;
    if content.remaining > 0 || size != declared {
        let message = format!("the store took {size} of the {declared} bytes of `{}`", Shown::new(name));
        return Err(ArchiveError::Sink(io::Error::other(message)));
    }
    content.drain()?;
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Takes(u64);

    impl Sink for Takes {
        fn store(&mut self, content: &mut dyn Read) -> io::Result<(Digest, u64)> {
            let mut bytes = Vec::new();
            content.take(self.0).read_to_end(&mut bytes)?;
            Ok((Digest::of(&bytes), bytes.len() as u64))
        }
    }

    struct Swallows;

    impl Sink for Swallows {
        fn store(&mut self, content: &mut dyn Read) -> io::Result<(Digest, u64)> {
            let _ = io::copy(content, &mut io::sink());
            Ok((Digest::of("made up"), 5))
        }
    }

    fn sentence(sink: &mut dyn Sink, bytes: &[u8], declared: u64) -> Result<Digest, String> {
        store(sink, &mut &bytes[..], "a", declared, &Faults::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_store_that_takes_only_a_part_is_not_believed() {
        assert_eq!(
            sentence(&mut Takes(3), b"hello", 5),
            Err("a file of the package cannot be stored: the store took 3 of the 5 bytes of `a`".to_owned())
        );
        assert_eq!(sentence(&mut Takes(5), b"hello", 5), Ok(Digest::of("hello")));
    }

    #[test]
    fn a_store_that_swallows_an_error_does_not_hide_it() {
        assert_eq!(
            sentence(&mut Swallows, b"hell", 5),
            Err("`a` has 4 bytes where its header declares 5; the archive may be cut off".to_owned())
        );
    }

    #[test]
    fn bytes_after_the_declared_end_are_found_even_if_nobody_asks_for_them() {
        assert_eq!(
            sentence(&mut Takes(5), b"hello, world", 5),
            Err("`a` has more than the 5 bytes that its header declares".to_owned())
        );
    }
}
