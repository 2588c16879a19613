//! The coordinator's decisions: what exists, who may get it, what happens next, and why.
//!
//! Pure: no clock, no randomness, no files, no sockets, no async (a lint says so). `decide` and `apply` are the whole
//! of it: the same code decides, explains and, replayed to an earlier record, answers for any past moment.

// Its tables are macros, which have to stand before what is made from them.
#[macro_use]
pub mod kinds;

pub mod admission;
pub mod authorise;
pub mod catalogue;
pub mod decide;
pub mod event;
pub mod fair;
pub mod freeze;
pub mod graph;
mod map_as_list;
pub mod matching;
pub mod model;
pub mod names;
pub mod plan;
pub mod promotion;
pub mod query;
pub mod reasons;
pub mod scope;
pub mod sight;
pub mod state;
pub mod variables;
pub mod version;
