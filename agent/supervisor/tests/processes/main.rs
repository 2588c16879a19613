//! Whole supervisors with real processes, driven as the agent drives them.

mod accounts;
mod crashes;
mod ending;
mod output;
mod runs;
mod support;
