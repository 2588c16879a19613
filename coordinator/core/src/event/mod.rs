//! Events: the only things that change state, and the record that carries those of one command (SEMANTICS 11).
//!
//! A published event never changes its meaning. What has to mean something else gets another name.

mod definition;
mod happened;
mod record;

pub use definition::{Definition, DefinitionId};
pub use happened::{Event, StrangerReason};
pub use record::{Actor, Record, Stream};
