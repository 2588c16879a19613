//! `windlass-agent`, built so that a test can see what it is given (the feature `recording`).

use std::process::ExitCode;

#[path = "../main.rs"]
mod program;

fn main() -> ExitCode {
    program::main()
}
