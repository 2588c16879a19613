//! How fast the messages of a control stream are taken: who says more waits, and keeps neither a thread nor others busy.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Messages in a second: how far each pull has come is told twice in that time, and a heart beats every ten.
const MOST: u32 = 200;
const SECOND: Duration = Duration::from_secs(1);

/// What was taken in the present second.
pub(super) struct Throttle {
    until: Instant,
    taken: u32,
}

impl Throttle {
    pub(super) fn new() -> Self {
        Self { until: Instant::now(), taken: 0 }
    }

    /// Counts one more message.
    pub(super) fn take(&mut self) {
        let now = Instant::now();
        if now >= self.until {
            (self.until, self.taken) = (now + SECOND, 0);
        }
        self.taken += 1;
    }

    /// Waits until one more may be taken.
    pub(super) async fn next(&self) {
        if self.taken >= MOST && Instant::now() < self.until {
            sleep_until(self.until).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn so_many_are_taken_at_once_and_the_next_one_waits_for_the_next_second() {
        let mut throttle = Throttle::new();
        for number in 0..MOST {
            assert!(throttle.next().now_or_never().is_some(), "{number}");
            throttle.take();
        }
        assert!(throttle.next().now_or_never().is_none());
        throttle.until = Instant::now();
        assert!(throttle.next().now_or_never().is_some(), "another second");
        throttle.take();
        assert_eq!(throttle.taken, 1);
    }
}
