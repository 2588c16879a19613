//! The rules of SEMANTICS, as tables, models and golden files, against the core as the daemon uses it.

mod chance;
mod promotion;
mod world;
