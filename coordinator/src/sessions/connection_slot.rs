//! What a connection counts as, from its first packet until it is out of memory: QUIC keeps one that was closed for three
//! times what the peer says that its acknowledgements may take (RFC 9000, 10.2 and 18.2), up to 49 seconds.

use std::sync::Weak;
use std::time::Duration;

use quinn::TransportConfig;
use tokio::runtime::Handle;

use crate::registry::Counted;
use crate::slots::{Origin, Slot};

/// Longer than any connection stays in memory after it was closed.
pub(super) const DRAINING: Duration = Duration::from_secs(55);
/// Connections of strangers that are open or still in memory, as a multiple of those that may be open.
pub(super) const DRAINED: usize = 4;
/// How often it is looked whether one that is over is out of memory.
const LOOK: Duration = Duration::from_millis(250);

/// What a connection holds of what is shared by all.
pub(super) struct ConnectionSlot {
    /// As long as it is a stranger's that is open.
    open: Option<Slot<Origin>>,
    counts: Option<Counts>,
    /// Nobody but the connection holds it: quinn does not tell in another way that it has let a connection go.
    memory: Weak<TransportConfig>,
}

/// Among what a connection counts.
enum Counts {
    Strangers { _drained: Slot<Origin> },
    Machine { _counted: Counted },
}

impl ConnectionSlot {
    /// A stranger's: with a slot for the time that it is open, and one until that is out of memory which `memory` is of.
    pub(super) const fn new(
        open: Slot<Origin>,
        drained: Slot<Origin>,
        memory: Weak<TransportConfig>,
    ) -> Self {
        Self { open: Some(open), counts: Some(Counts::Strangers { _drained: drained }), memory }
    }

    /// It is no stranger's any more, but that of a machine.
    pub(super) fn admitted(&mut self, counted: Counted) {
        self.open = None;
        self.counts = Some(Counts::Machine { _counted: counted });
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let (counts, memory) = (self.counts.take(), std::mem::take(&mut self.memory));
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                while memory.strong_count() > 0 {
                    tokio::time::sleep(LOOK).await;
                }
                drop(counts);
            });
        }
    }
}
