//! What the allocator gives back to the system: the only unsafe code of the coordinator.
//!
//! Left alone, the C library keeps more and more of what was freed once large buffers come and go, up to 64 MiB for each of
//! its arenas: after each of 3,000 agents had pulled a package, a fifth of the memory was nobody's.

/// Bytes that are kept at the end of an arena.
#[cfg(target_env = "gnu")]
const KEPT: i32 = 1 << 20;

/// Has it given back what is freed beyond [`KEPT`], always. To be called before threads are started.
#[allow(unsafe_code)]
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it sets a number of the allocator, which has no other user yet.
    let taken = unsafe { libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT) } == 1;
    #[cfg(target_env = "gnu")]
    if !taken {
        tracing::warn!("the C library takes no threshold; the coordinator needs more memory than it should");
    }
}
