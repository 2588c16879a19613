//! The rules of SEMANTICS, as tables, models and golden files, against the core as the daemon uses it.

mod assignments;
mod authorisation;
mod chance;
mod decide;
mod golden;
mod matching;
mod promotion;
mod replay;
mod variables;
mod world;
