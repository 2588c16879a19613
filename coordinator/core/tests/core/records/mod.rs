//! Records (SEMANTICS 11): how large they are, what they rest on, when they are of, and what asks for one twice.

mod bounds;
mod golden;
mod moment;
mod repeated;
mod story;
mod streams;
