//! Standard output and standard error, which may be full, closed or a pipe that nobody reads any more.

use std::io::{ErrorKind, Write};

use windlass_protocol::exit::ExitKind;

use crate::fault::Fault;

/// Prints a text for whoever wants to read it. A reader that has gone is no fault; an output that cannot hold it is.
pub fn print(text: &str) -> Result<(), Fault> {
    printed(print_whole(text))
}

/// What became of a text that was printed.
pub(crate) fn printed(result: std::io::Result<()>) -> Result<(), Fault> {
    match result {
        Err(why) if why.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(why) => Err(Fault::new(ExitKind::Failed, format!("cannot write the output: {why}"))),
        Ok(()) => Ok(()),
    }
}

/// Prints a text that somebody has to get.
pub fn print_whole(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
