//! A copy of what this process is given, in clear, for a test that looks for what it must not be given.
//!
//! Without the cargo feature `recording`, a [`Tape`] is nothing and the compiler removes it. With it, each tape that
//! is written to is a file of its own in the folder that `WINDLASS_RECORDING` names, so that no text is torn apart by
//! what another stream brings at the same moment. A folder that cannot be written to aborts the process: a recording
//! with gaps proves nothing.

#[cfg(feature = "recording")]
mod running;

/// What one stream, one content or one opened secret brought, from its first byte to its last.
pub struct Tape {
    #[cfg(feature = "recording")]
    running: running::Running,
}

impl Tape {
    /// A tape for something of this kind, which becomes the beginning of its file's name.
    #[inline(always)]
    pub fn new(kind: &'static str) -> Self {
        #[cfg(not(feature = "recording"))]
        let _ = kind;
        Self {
            #[cfg(feature = "recording")]
            running: running::Running::new(kind),
        }
    }

    /// Adds bytes in clear.
    #[inline(always)]
    pub fn write(&mut self, bytes: &[u8]) {
        #[cfg(feature = "recording")]
        self.running.write(bytes);
        #[cfg(not(feature = "recording"))]
        let _ = bytes;
    }
}
