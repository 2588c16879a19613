//! Tests of the API: the whole router on a real engine, whose journal is in a temporary folder because the record is read
//! from there; keys, packages and output are in memory.

mod access;
mod api;
mod audit;
mod clock;
mod described;
mod door;
mod endings;
mod errors;
mod flow;
mod grants;
mod heavy;
mod keys;
mod limits;
mod repeated;
mod round_trip;
mod sight;
mod templates;
mod tenants;
mod unread;
mod waits;
mod withdrawn;
