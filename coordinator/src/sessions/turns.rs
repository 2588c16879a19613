//! Turns to pull: how many pulls are served at once, over all agents and for each.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};
use windlass_protocol::ids::TargetId;

/// Pulls that are served at once, over all agents: more would only make each slower.
const PULLS: usize = 64;
/// Pulls of one target, waiting ones included, so that no machine takes the turns of the others.
const PULLS_OF_TARGET: usize = 4;

/// The turns.
pub(super) struct Turns {
    all: Semaphore,
    of_target: Mutex<HashMap<TargetId, usize>>,
}

/// A turn to pull. Dropped, it is another's.
pub(super) struct Turn<'a> {
    _own: Own<'a>,
    _place: SemaphorePermit<'a>,
}

/// One of the pulls of a target.
struct Own<'a> {
    turns: &'a Turns,
    target: TargetId,
}

impl Default for Turns {
    fn default() -> Self {
        Self { all: Semaphore::new(PULLS), of_target: Mutex::default() }
    }
}

impl Turns {
    /// Waits for a turn; none where the target has as many pulls under way as one may have.
    pub(super) async fn take(&self, target: TargetId) -> Option<Turn<'_>> {
        let own = self.count(target)?;
        let place = self.all.acquire().await.ok()?;
        Some(Turn { _own: own, _place: place })
    }

    fn count(&self, target: TargetId) -> Option<Own<'_>> {
        let mut counts = self.of_target.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(target).or_default();
        if *count >= PULLS_OF_TARGET {
            return None;
        }
        *count += 1;
        Some(Own { turns: self, target })
    }
}

impl Drop for Own<'_> {
    fn drop(&mut self) {
        let mut counts = self.turns.of_target.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.target) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.target);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_target_has_its_turns_and_no_more() {
        let (turns, one, other) =
            (Turns::default(), TargetId::from_bytes([1; 16]), TargetId::from_bytes([2; 16]));
        let mut taken = Vec::new();
        for _ in 0..PULLS_OF_TARGET {
            taken.push(turns.take(one).await.expect("a turn"));
        }
        assert!(turns.take(one).await.is_none());
        assert!(turns.take(other).await.is_some(), "what one target takes is not another's");
        taken.pop();
        assert!(turns.take(one).await.is_some(), "a turn that is over can be taken again");
        drop(taken);
        assert!(turns.of_target.lock().expect("no panic").is_empty(), "nothing is kept of who has gone");
    }
}
