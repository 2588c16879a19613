//! Something that begins and is over: each is one line of the log, and what happens in between is none, or whoever brings
//! it about fills the disk.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether there is the trouble.
#[derive(Debug)]
pub struct Trouble(AtomicBool);

impl Trouble {
    /// None.
    pub const fn none() -> Self {
        Self(AtomicBool::new(false))
    }

    /// There is: whether it has just begun.
    pub fn begins(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }

    /// There is none: whether it has just ended.
    pub fn ends(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}
