//! Fresh ids, made from the randomness that came with the command.

use windlass_protocol::digest::Hasher;

/// Makes ids that nobody can guess from a seed that nobody knows.
pub(super) struct Fresh {
    seed: [u8; 32],
    made: u64,
}

impl Fresh {
    pub(super) const fn new(seed: [u8; 32]) -> Self {
        Self { seed, made: 0 }
    }

    /// 16 fresh bytes, for the `from_bytes` of an id.
    pub(super) fn bytes(&mut self) -> [u8; 16] {
        let mut hasher = Hasher::new();
        hasher.update(self.seed);
        hasher.update(self.made.to_be_bytes());
        self.made += 1;
        let digest = hasher.finish();
        let (first, _) = digest.as_bytes().split_at(16);
        first.try_into().expect("a digest has 32 bytes")
    }
}
