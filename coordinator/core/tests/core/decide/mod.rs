//! Sequences of commands: what is recorded, what is answered, and the sentence where nothing is done.

mod ahead;
mod costs;
mod deletion;
mod deployments;
mod differences;
mod documents;
mod enrolment;
mod errors;
mod identity;
mod lanes;
mod news;
mod readings;
mod references;
mod releases;
mod shrinking;
mod tenants;
