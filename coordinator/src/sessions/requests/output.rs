//! Lines of a step's output, acknowledged when durable.

use windlass_coordinator_core::authorise::OutputPermit;
use windlass_protocol::Timestamp;
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::message::{Answer, Denied, OutputLine};

use super::answering::Asker;
use crate::output::OutputError;

pub(super) async fn answer(
    asker: &Asker,
    permit: &OutputPermit,
    assignment: AssignmentId,
    first: u64,
    lines: &[OutputLine],
) -> Result<Answer, Denied> {
    // A step that has ended printed what its machine said then, and no more.
    let after = first.saturating_add(lines.len() as u64);
    if permit.lines().is_some_and(|lines| after > lines.saturating_add(1)) {
        return Err(Denied::Malformed);
    }
    let lines = lines.iter().map(readable).collect();
    match asker.sessions.services.output.append(permit.target(), assignment, first, lines).await {
        Ok(next) => Ok(Answer::Output { next }),
        // The store has said why, once; the agent keeps its lines and comes again.
        Err(OutputError::NotWorking) => Err(Denied::Busy),
        Err(OutputError::Numbers) => Err(Denied::Malformed),
        Err(why) => {
            if asker.takes_line() {
                tracing::error!(%assignment, %why, "output of a step could not be stored");
            }
            Err(Denied::Busy)
        }
    }
}

/// The first and the last moment that a line may be of, in milliseconds: what a machine's clock says is shown as a time,
/// whatever it says. The last one has a date of four digits in every zone, which is as far as dates are made.
const MOMENTS: (i64, i64) = (1, 253_402_207_199_999);

/// A line as people read it: one line, of a moment that has a date.
fn readable(line: &OutputLine) -> OutputLine {
    let time = line.time.milliseconds().clamp(MOMENTS.0, MOMENTS.1);
    OutputLine {
        time: Timestamp::from_milliseconds(time),
        stream: line.stream,
        text: line.text.replace('\n', "\\n"),
    }
}

#[cfg(test)]
mod tests {
    use windlass_protocol::message::OutputStream;

    use super::*;

    #[test]
    fn a_line_is_read_as_one_line_of_a_moment_that_has_a_date() {
        for (said, text, time, shown) in [
            ("as it is", "as it is", 5, 5),
            ("two\nlines", "two\\nlines", 0, 1),
            ("", "", i64::MIN, 1),
            ("", "", i64::MAX, 253_402_207_199_999),
        ] {
            let (time, text_said) = (Timestamp::from_milliseconds(time), said.to_owned());
            let line = readable(&OutputLine { time, stream: OutputStream::Out, text: text_said });
            assert_eq!((line.text.as_str(), line.time.milliseconds()), (text, shown));
            assert!(jiff::Timestamp::from_millisecond(shown).is_ok(), "{shown} has a date");
        }
    }
}
