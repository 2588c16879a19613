//! How the threads of a pull end.

use crate::{CacheError, PullError};

/// How a thread ended that did not fail.
pub(super) enum Ended {
    /// It did all that there was to do.
    Complete,
    /// Its neighbour went away first, which has the reason.
    Early,
}

/// Why a thread stops in the middle.
pub(super) enum Stop {
    /// Its neighbour went away.
    Early,
    Failed(PullError),
}

impl From<PullError> for Stop {
    fn from(error: PullError) -> Self {
        Self::Failed(error)
    }
}

impl From<CacheError> for Stop {
    fn from(error: CacheError) -> Self {
        Self::Failed(error.into())
    }
}
