//! How fast: what is recorded each time that it is looked at is looked at no faster than the record may grow.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use windlass_protocol::ids::TokenId;

use super::refusal::Refusal;

/// A pace for each token: some at once, then one at a time.
pub(super) struct Pace {
    at_once: u32,
    every: Duration,
    longest_wait: Duration,
    /// When all that each token has asked for will have had its time.
    due: Mutex<HashMap<TokenId, Instant>>,
}

impl Pace {
    /// Plans. Five a second of one token are about 150 MB of the record a day.
    pub(super) fn of_plans() -> Self {
        Self::new(100, Duration::from_millis(200), Duration::from_secs(30))
    }

    fn new(at_once: u32, every: Duration, longest_wait: Duration) -> Self {
        Self { at_once, every, longest_wait, due: Mutex::default() }
    }

    /// Waits until it is time for this token's next one; refused where that is too far off.
    pub(super) async fn keep(&self, token: TokenId) -> Result<(), Refusal> {
        let begins = self.begins(token, Instant::now()).ok_or_else(Refusal::too_much_at_once)?;
        tokio::time::sleep_until(begins).await;
        Ok(())
    }

    fn begins(&self, token: TokenId, now: Instant) -> Option<Instant> {
        let mut all = self.due.lock();
        all.retain(|_, due| *due > now);
        let due = all.get(&token).copied().unwrap_or(now) + self.every;
        let begins = due.checked_sub(self.every * self.at_once).unwrap_or(now).max(now);
        if begins > now + self.longest_wait {
            return None;
        }
        all.insert(token, due);
        Some(begins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_go_at_once_then_one_at_a_time_and_who_asks_for_more_is_sent_away_while_others_go() {
        let second = Duration::from_secs(1);
        let pace = Pace::new(3, second, 2 * second);
        let (one, other) = (TokenId::from_bytes([1; 16]), TokenId::from_bytes([2; 16]));
        let now = Instant::now() + 100 * second;
        let asked: Vec<_> = (0..7).map(|_| pace.begins(one, now).map(|begins| begins - now)).collect();
        let some = |seconds| Some(seconds * second);
        assert_eq!(asked, [some(0), some(0), some(0), some(1), some(2), None, None]);
        assert_eq!(pace.begins(other, now), Some(now));
        // What was refused is not held against it.
        assert_eq!(pace.begins(one, now + 5 * second), Some(now + 5 * second));
        assert_eq!(pace.due.lock().len(), 1, "who is in time again is not remembered");
    }
}
