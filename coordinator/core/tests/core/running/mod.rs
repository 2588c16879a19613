//! While deployments run: what is frozen, who is waited for, and what is looked at again in parts (SEMANTICS 3).

mod again;
mod failures;
mod frozen;
mod mistakes;
mod presence;
mod rechecks;
mod sweeps;
mod words;
