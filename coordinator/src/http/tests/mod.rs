//! Tests of the API: the whole router on a real engine in a temporary folder, with doors that are made up.

mod access;
mod audit;
mod described;
mod desk;
mod door;
mod endings;
mod errors;
mod flow;
mod heavy;
mod keys;
mod repeated;
mod round_trip;
