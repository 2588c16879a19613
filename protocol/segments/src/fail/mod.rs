//! Named points at which a crash test can kill the process.
//!
//! Without the cargo feature `fail-points`, [`point`] is an empty function that the compiler removes. With it,
//! variables of the environment, read once, decide what happens:
//!
//! - `WINDLASS_FAIL_POINT=name` or `name:3` kills the process with SIGKILL when the point is reached, or reached for
//!   the third time.
//! - `WINDLASS_FAIL_FOLDER=FOLDER` names a folder in which a file arms the point of its name, at any time and for
//!   whichever process passes there first: the file holds at which passing, counted over all processes. When it comes,
//!   the file is renamed to `NAME.killed` and the process is killed. One file is one kill.
//! - `WINDLASS_FAIL_LOG=FILE` appends a line with the name of each point as it is reached, and `killed NAME` before
//!   the kill, so that a harness learns which points exist and which of them fired.
//! - `WINDLASS_FAIL_NUMBER_NAME=N` replaces a number of the program ([`number`]), so that what is rare becomes
//!   frequent: a segment that is full, a certificate that has to be renewed.
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

/// A number of the program that a crash test may make smaller: `name` in capitals is the end of the variable's name.
#[inline(always)]
pub fn number(name: &str, usual: u64) -> u64 {
    #[cfg(feature = "fail-points")]
    return armed::number(name).unwrap_or(usual);
    #[cfg(not(feature = "fail-points"))]
    {
        let _ = name;
        usual
    }
}

/// A point whose name is put together: `prefix-step`, as in `journal-before-write`.
#[inline(always)]
pub fn step(prefix: &'static str, step: &'static str) {
    #[cfg(feature = "fail-points")]
    point(&format!("{prefix}-{step}"));
    #[cfg(not(feature = "fail-points"))]
    let _ = (prefix, step);
}
