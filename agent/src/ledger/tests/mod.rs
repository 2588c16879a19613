//! What the agent still knows after a crash.

#[cfg(feature = "fail-points")]
mod power;
