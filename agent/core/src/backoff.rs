//! When to come back: slower after each failure, with jitter, so that a thousand agents do not come back at once
//! (THREATS G2).

/// Milliseconds before the first retry.
const FIRST: u64 = 500;
/// Milliseconds between retries at most.
const LONGEST: u64 = 60_000;

/// How often it failed in a row, and how often a renewed certificate was followed by nothing but another renewal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
    renewals: u32,
}

impl Backoff {
    /// Milliseconds to wait after one more failure; `random` is any random number.
    pub fn failed(&mut self, random: u64) -> u64 {
        let wait = pause(self.failures, random);
        self.failures = self.failures.saturating_add(1);
        wait
    }

    /// Milliseconds to wait after a session that ended because the certificate was renewed. None after the first:
    /// nothing is wrong. But a coordinator for which even the newest certificate is due (its clock may be wrong) would
    /// otherwise be asked for the next one as fast as it can answer.
    pub fn renewed(&mut self, random: u64) -> u64 {
        let wait = self.renewals.checked_sub(1).map_or(0, |before| pause(before, random));
        self.renewals = self.renewals.saturating_add(1);
        wait
    }

    /// The coordinator admits this agent: the next renewal is the first again, unless this session too begins with a
    /// certificate that is due for it.
    pub fn welcomed(&mut self, renewal_due: bool) {
        if !renewal_due {
            self.renewals = 0;
        }
    }

    /// A session has lasted: the next failure is the first again. A welcome alone does not count, or sessions that all
    /// end right after it would follow each other without a pause.
    pub fn lasted(&mut self) {
        self.failures = 0;
    }
}

/// Between half and the whole of what doubles with each time before.
fn pause(before: u32, random: u64) -> u64 {
    let whole = FIRST.saturating_mul(1 << before.min(16)).min(LONGEST);
    whole / 2 + random % (whole / 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_start_anew_after_a_session_that_lasted() {
        let mut backoff = Backoff::default();
        let longest: Vec<_> = (0..9).map(|_| backoff.failed(u64::MAX - 1)).collect();
        assert!(longest.windows(2).all(|pair| pair[0] <= pair[1] + LONGEST / 2), "{longest:?}");
        for _ in 0..100 {
            assert!((LONGEST / 2..=LONGEST).contains(&backoff.failed(12_345)));
        }
        backoff.welcomed(false);
        assert!((LONGEST / 2..=LONGEST).contains(&backoff.failed(7)), "a welcome alone is no session");
        backoff.lasted();
        assert!((FIRST / 2..=FIRST).contains(&backoff.failed(7)));
    }

    #[test]
    fn one_renewal_is_followed_at_once_and_renewals_without_end_are_paced() {
        let mut backoff = Backoff::default();
        for _ in 0..3 {
            assert_eq!(backoff.renewed(9), 0);
            backoff.welcomed(false);
        }
        let mut least = Vec::new();
        for _ in 0..10 {
            least.push(backoff.renewed(0));
            backoff.welcomed(true);
        }
        assert_eq!(least, [0, 250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        backoff.welcomed(false);
        assert_eq!(backoff.renewed(9), 0);
    }
}
