//! x
#![allow(dead_code, missing_docs)]
mod client; mod documents; mod durations; mod failure; mod output; mod queries;
pub fn run() -> std::process::ExitCode { std::process::ExitCode::SUCCESS }
