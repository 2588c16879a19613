//! Room for packages: the cache is kept within its limit, and gives way where a pull lacks room.
//!
//! What the ledger says is needed stays, however little room there is.

use std::sync::Arc;

use windlass_agent_packages::Evicted;

use crate::shared::Agent;

/// Removes what is over the configuration's limit and not needed, the least recently used first. Nobody waits for it,
/// and a failure is no task's: it is tried again after the next one.
pub(crate) fn keep_within_limit(agent: &Arc<Agent>) {
    let agent = Arc::clone(agent);
    tokio::task::spawn_blocking(move || match evict(&agent) {
        Ok(Evicted { freed: 0, .. }) => {}
        Ok(Evicted { freed, left }) => tracing::info!(freed, left, "packages left the cache"),
        Err(why) => {
            tracing::warn!(why = format!("{why:#}"), "the package cache cannot be kept within its limit");
        }
    });
}

fn evict(agent: &Agent) -> anyhow::Result<Evicted> {
    let still = agent.cache.pause_pulls();
    let needed = agent.ledger().needed_packages()?;
    Ok(still.evict(agent.configuration.cache_bytes, &needed)?)
}

/// Removes what is not needed until so many bytes more are free; whether anything was.
pub(super) async fn make(agent: &Arc<Agent>, bytes: u64) -> anyhow::Result<bool> {
    let freeing = Arc::clone(agent);
    let evicted = tokio::task::spawn_blocking(move || {
        let still = freeing.cache.pause_pulls();
        let needed = freeing.ledger().needed_packages()?;
        anyhow::Ok(still.free(bytes, &needed)?)
    });
    let Evicted { freed, left } = evicted.await??;
    if freed > 0 {
        tracing::info!(freed, left, "packages left the cache, because another one needs the room");
    }
    Ok(freed > 0)
}
