//! What a stranger's connection holds of what strangers share: until it is admitted, or out of memory.

use std::time::Duration;

use tokio::runtime::Handle;

use crate::slots::{Origin, Slot};

/// How long a connection that was closed stays in memory at most: three times what a peer says that its
/// acknowledgements may take (RFC 9000, 10.2 and 18.2), and a little.
pub(super) const DRAINING: Duration = Duration::from_secs(55);
/// Connections of strangers that are open or may still be in memory, as a multiple of those that may be open.
pub(super) const DRAINED: usize = 4;

/// What a stranger's connection holds.
pub(super) struct StrangersSlot {
    _open: Slot<Origin>,
    /// Given back when the connection can no longer be in memory, or is no stranger's any more.
    drained: Option<Slot<Origin>>,
}

impl StrangersSlot {
    /// With a slot for the time that it is open, and one until it cannot be in memory any more.
    pub(super) const fn new(open: Slot<Origin>, drained: Slot<Origin>) -> Self {
        Self { _open: open, drained: Some(drained) }
    }

    /// It is no stranger any more.
    pub(super) fn admitted(mut self) {
        self.drained = None;
    }
}

impl Drop for StrangersSlot {
    fn drop(&mut self) {
        let Some(drained) = self.drained.take() else { return };
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                tokio::time::sleep(DRAINING).await;
                drop(drained);
            });
        }
    }
}
