//! Which targets a deployment reaches (SEMANTICS 2 and 3), against models that are written from the text.

mod advertised;
mod candidates;
mod certificates;
mod delivery;
mod every;
mod participation;
mod queries;
