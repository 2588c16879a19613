//! Addresses that cannot be listened on, as a person is told of them.

use std::net::SocketAddr;

use windlass_sentences::{ExitKind, Fault};

/// Why an address cannot be listened on: another program has it, or it cannot be meant.
pub(crate) fn cannot_listen(address: SocketAddr, protocol: &str, why: &std::io::Error) -> Fault {
    let kind = if why.kind() == std::io::ErrorKind::AddrInUse { ExitKind::Conflict } else { ExitKind::Usage };
    Fault::new(kind, format!("cannot listen on {address} ({protocol}): {why}"))
}
