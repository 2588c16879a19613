//! A bound on what the tar library may read by itself: it takes long names and extended headers into memory whole,
//! at whatever size their headers declare.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use crate::source::Faults;
use crate::{BadPackage, Shown};

/// Bytes of all headers of one entry. Names have 1 KiB; the rest is for extended attributes that some writers add.
pub(super) const HEADER_BYTES: u64 = 1 << 20;

/// The shared end of the meter: sets the bound and reads the count.
#[derive(Clone)]
pub(super) struct Meter {
    left: Rc<Cell<u64>>,
    given: Rc<Cell<u64>>,
}

/// The reader that the meter stands on.
pub(super) struct Metered<R> {
    inner: R,
    meter: Meter,
    faults: Faults,
}

impl Meter {
    /// A meter on `inner`, set to headers.
    pub(super) fn on<R>(inner: R, faults: Faults) -> (Self, Metered<R>) {
        let meter = Self { left: Rc::new(Cell::new(HEADER_BYTES)), given: Rc::default() };
        (meter.clone(), Metered { inner, meter, faults })
    }

    /// From here on headers are read.
    pub(super) fn expect_headers(&self) {
        self.left.set(HEADER_BYTES);
    }

    /// From here on content is read, which others count.
    pub(super) fn expect_content(&self) {
        self.left.set(u64::MAX);
    }

    /// Bytes given so far.
    pub(super) fn position(&self) -> u64 {
        self.given.get()
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.meter.left.get();
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 && !buffer.is_empty() {
            let detail = Shown::new("an entry has more than 1 MiB of headers");
            return Err(self.faults.raise(BadPackage::Damaged { format: "tar", detail }));
        }
        let count = self.inner.read(&mut buffer[..most])?;
        self.meter.left.set(left - count as u64);
        self.meter.given.set(self.meter.given.get() + count as u64);
        Ok(count)
    }
}
