//! File descriptors: as many as the system gives, and what is kept of them for what is no connection (THREATS G6).
//!
//! A shell gives a program 1,024, and a stranger can open as many connections: a place is taken from who holds most only
//! when somebody comes, and nobody comes where there is no descriptor left.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors that are for no operator's connection: the journal, packages, output, the socket of agents.
const OTHERS: u64 = 128;

/// Takes as many as the system gives. What it does not give is no reason not to start.
pub fn raise() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < hard { setrlimit(Resource::RLIMIT_NOFILE, hard, hard) } else { Ok(()) }
    });
    if let Err(why) = raised {
        tracing::warn!(%why, "the limit of open files cannot be raised");
    }
}

/// How many connections there are descriptors for; where the system does not tell, it has no limit.
pub fn for_connections() -> usize {
    let open = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
    // With hardly any, half of them.
    usize::try_from(open.saturating_sub(OTHERS).max(open / 2)).unwrap_or(usize::MAX)
}
