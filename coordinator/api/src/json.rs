//! How large something is as JSON, without its text.

use std::io;

use serde::Serialize;

/// Bytes of a value as JSON; of what is no JSON those up to there, and whoever writes it is told so then.
pub fn bytes(value: &impl Serialize) -> usize {
    let mut count = Count(0);
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
