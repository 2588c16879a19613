//! What the environment says about a run, and the randomness that follows from its seed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How a run goes.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// `WINDLASS_TEST_SEED`: what random choices are made from.
    pub seed: u64,
    /// `WINDLASS_TEST_SECONDS`: how long random kills go on at least, after every point had its kill.
    pub seconds: Duration,
}

impl Settings {
    /// Reads the environment. Without a seed, one is made from the clock and printed by the caller.
    pub fn read() -> Self {
        let number = |name: &str| {
            let text = std::env::var(name).ok()?;
            Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name} is a number, not `{text}`")))
        };
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs());
        Self {
            seed: number("WINDLASS_TEST_SEED").unwrap_or_else(now),
            seconds: Duration::from_secs(number("WINDLASS_TEST_SECONDS").unwrap_or(0)),
        }
    }
}

/// A sequence of numbers that follows from a seed (splitmix64).
#[derive(Debug, Clone)]
pub struct Chances(u64);

impl Chances {
    /// The sequence of one thread of a run: each has its own, so that none disturbs another's.
    pub fn of(seed: u64, thread: &str) -> Self {
        let name = thread.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(seed ^ name)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// One of these.
    pub fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let index = usize::try_from(self.below(choices.len() as u64)).expect("an index");
        &choices[index]
    }

    /// A time below this.
    pub fn time(&mut self, most: Duration) -> Duration {
        Duration::from_millis(self.below(u64::try_from(most.as_millis()).expect("a short time").max(1)))
    }
}
