//! Sequences of commands: what is recorded, what is answered, and the sentence where nothing is done.

mod deletion;
mod deployments;
mod documents;
mod enrolment;
mod errors;
mod lanes;
mod releases;
mod shrinking;
