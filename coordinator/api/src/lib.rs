//! What people and the coordinator say to each other: the documents that `apply` reads, the requests and answers of
//! the HTTP API, and its errors. The daemon and the `windlass` command share these types, so neither can drift.
//!
//! Pure data: nothing here decides, and nothing reads a file or a socket.

#![warn(missing_docs)]

#[macro_use]
mod words;

pub mod answers;
pub mod documents;
pub mod durations;
pub mod error;
pub mod json;
pub mod plan;
pub mod query;
pub mod requests;
pub mod sealed;
pub mod sizes;
