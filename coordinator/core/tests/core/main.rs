//! The rules of SEMANTICS, as tables, models and golden files, against the core as the daemon uses it.

mod assignments;
mod authorisation;
mod chance;
mod decide;
mod golden;
mod graph;
mod history;
mod kinds;
mod matching;
mod promotion;
mod queue;
mod records;
mod remembered;
mod replay;
mod running;
mod seen_records;
mod sight;
mod variables;
mod world;
