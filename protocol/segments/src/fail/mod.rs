//! Named points at which a crash test can kill the process.
//!
//! Without the cargo feature `fail-points`, [`point`] is an empty function that the compiler removes. With it, two
//! variables of the environment, read once, decide what happens:
//!
//! - `WINDLASS_FAIL_POINT=name` or `name:3` kills the process with SIGKILL when the point is reached, or reached for
//!   the third time.
//! - `WINDLASS_FAIL_LOG=FILE` appends a line with the name of each point as it is reached, and `killed NAME` before
//!   the kill, so that a harness learns which points exist and which of them fired.
//!
//! A variable that cannot be understood aborts the process: a crash test that never crashes proves nothing.

#[cfg(feature = "fail-points")]
mod armed;
#[cfg(any(test, feature = "fail-points"))]
mod specification;

/// Marks a place where a crash would be interesting. `name` is unique in its program, made of words and hyphens.
#[inline(always)]
pub fn point(name: &str) {
    #[cfg(feature = "fail-points")]
    armed::reached(name);
    #[cfg(not(feature = "fail-points"))]
    let _ = name;
}

/// A point of this crate, whose name begins with what the writer's options say.
#[inline(always)]
pub(crate) fn step(prefix: &'static str, step: &'static str) {
    #[cfg(feature = "fail-points")]
    point(&format!("{prefix}-{step}"));
    #[cfg(not(feature = "fail-points"))]
    let _ = (prefix, step);
}
