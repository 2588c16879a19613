//! Packages from a real store into the cache, and from there into releases.
#![allow(clippy::unwrap_used, reason = "a test panics where something is not as it has to be")]
#![allow(clippy::print_stdout, reason = "a test that runs itself as a child tells its parent how it went")]

mod dropped;
mod eviction;
mod full;
mod hostile;
mod interrupted;
mod pulls;
mod releases;
mod workshop;
