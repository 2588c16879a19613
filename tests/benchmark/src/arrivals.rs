//! When the last of many had read what was sent to all of them, counted so that the counting costs the many nothing:
//! who waits is woken once.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::Notify;

/// How long they may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Acknowledgements are delayed by 25 ms at most.
const SETTLING: Duration = Duration::from_millis(300);

/// Waits until everybody waits, and the acknowledgements of what was sent before are through: they would be counted to
/// what comes next.
pub async fn settle() {
    tokio::time::sleep(SETTLING).await;
}

/// Counts arrivals.
pub struct Arrivals {
    state: Mutex<State>,
    all: Notify,
}

struct State {
    awaited: usize,
    last: Instant,
}

impl Arrivals {
    /// Awaits nobody yet.
    pub fn new() -> Self {
        Self { state: Mutex::new(State { awaited: 0, last: Instant::now() }), all: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on `count` are awaited.
    pub fn expect(&self, count: usize) {
        *self.state() = State { awaited: count, last: Instant::now() };
    }

    /// One has arrived, now.
    pub fn arrived(&self) {
        let mut state = self.state();
        state.last = Instant::now();
        state.awaited = state.awaited.saturating_sub(1);
        if state.awaited == 0 {
            self.all.notify_one();
        }
    }

    /// When the last of those awaited arrived.
    pub async fn all(&self) -> anyhow::Result<Instant> {
        let all = tokio::time::timeout(PATIENCE, self.all.notified()).await;
        all.with_context(|| format!("{} did not arrive", self.state().awaited))?;
        Ok(self.state().last)
    }
}
