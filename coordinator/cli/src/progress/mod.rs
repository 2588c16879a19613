//! What happens meanwhile: deployments until they are over, and output as it comes.

mod follow;
mod screen;
mod wait;

use windlass_api::answers::{LogLine, LogStream};
use windlass_protocol::names::is_unprintable;

pub use follow::follow;
pub use wait::wait;

/// A line of output as it is printed: where it comes from, then the text without what would move a terminal's cursor.
pub fn line_text(line: &LogLine) -> String {
    let clean: String = line
        .text
        .chars()
        .map(|found| if is_unprintable(found) && found != '\t' { '\u{fffd}' } else { found })
        .collect();
    let mark = match line.stream {
        LogStream::Err => "!",
        LogStream::Note => "#",
        LogStream::Out => "|",
    };
    format!("{} {} {} {mark} {clean}", line.time, line.target, line.step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_cannot_move_the_cursor_of_who_reads_it() {
        let line = LogLine {
            step: "Website".to_owned(),
            target: "web-1".to_owned(),
            number: 1,
            time: "2026-01-01T00:00:00Z".to_owned(),
            stream: LogStream::Err,
            text: "a\tb\u{1b}[2J\r".to_owned(),
            missing: None,
        };
        assert_eq!(line_text(&line), "2026-01-01T00:00:00Z web-1 Website ! a\tb\u{fffd}[2J\u{fffd}");
    }
}
