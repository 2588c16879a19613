//! When to try again: slower after each failure, with jitter, so that a thousand agents do not come back at once
//! (THREATS G2).

/// Milliseconds before the first retry.
const FIRST: u64 = 500;
/// Milliseconds between retries at most.
const LONGEST: u64 = 60_000;

/// How often it failed in a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Milliseconds to wait after one more failure; `random` is any random number. Between half and the whole of
    /// what doubles with each failure.
    pub fn failed(&mut self, random: u64) -> u64 {
        let whole = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        whole / 2 + random % (whole / 2 + 1)
    }

    /// It worked: the next failure is the first again.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_start_anew_after_a_success() {
        let mut backoff = Backoff::default();
        let longest: Vec<_> = (0..9).map(|_| backoff.failed(u64::MAX - 1)).collect();
        assert!(longest.windows(2).all(|pair| pair[0] <= pair[1] + LONGEST / 2), "{longest:?}");
        for _ in 0..100 {
            assert!((LONGEST / 2..=LONGEST).contains(&backoff.failed(12_345)));
        }
        backoff.succeeded();
        assert!((FIRST / 2..=FIRST).contains(&backoff.failed(7)));
    }
}
