//! Bytes that follow from a seed.

/// Bytes that do not compress, different for each seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Text that compresses well, different for each seed.
pub fn words(seed: u64, length: usize) -> Vec<u8> {
    let letters: Vec<_> = noise(seed, 2000).into_iter().map(|byte| b'a' + byte % 26).collect();
    letters.iter().copied().cycle().take(length).collect()
}
