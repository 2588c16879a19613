//! The operators' command. It speaks only the coordinator's HTTP API: what it can do, anybody with a token can.
//!
//! ```text
//! arguments ──> nouns/ (one file each) ──> client/ ──> the API
//!                  │                          └ trust: the CA's fingerprint, from the token
//!                  ├──> documents/: the files that `apply` reads and `export` writes
//!                  └──> output/, progress/: tables, JSON, YAML; what happens meanwhile
//! ```

mod arguments;
mod client;
mod dev;
mod documents;
mod failure;
mod nouns;
mod options;
mod output;
mod progress;
mod queries;
mod session;

use std::io::Write;
use std::process::ExitCode;

use arguments::{Arguments, Noun};
use failure::Failure;

/// Reads the command line, does what it says, and tells how it went: on standard error in one sentence, and as the
/// exit code (SEMANTICS 12).
pub fn run() -> ExitCode {
    windlass_trust::install_provider();
    let arguments: Arguments = match windlass_sentences::parse() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    if let Noun::Dev(dev) = &arguments.noun {
        return crate::dev::dev(dev).unwrap_or_else(|why| windlass_sentences::end(&why));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(why) => return tell(&Failure::failed(format!("cannot start: {why}"))),
    };
    let result = runtime.block_on(arguments.run());
    // What a pipe's reader did not want to hear any more, nobody waits for.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => tell(&failure),
    }
}

fn tell(failure: &Failure) -> ExitCode {
    if !failure.is_silent() {
        let _ = writeln!(std::io::stderr(), "error: {}", windlass_sentences::printable(&failure.to_string()));
    }
    ExitCode::from(failure.exit_code())
}
