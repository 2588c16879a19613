//! A batch of one assignment's lines, as it lies in the files, and what it counts.

use serde::{Deserialize, Serialize};
use windlass_protocol::ids::{AssignmentId, TargetId};
use windlass_protocol::message::{OutputLine, json_text_bytes};

/// What a line counts beside its text: about its time and stream, and not more than the agent's own cap counts for
/// them, so that an honest agent never comes to the end of what it may.
const FRAME_BYTES: u64 = 40;

/// A batch of one assignment's lines.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Batch {
    pub(super) assignment: AssignmentId,
    /// Whose it is. Batches from before there were shares have none, and go with their segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) target: Option<TargetId>,
    /// The number of the first line.
    pub(super) first: u64,
    pub(super) lines: Vec<OutputLine>,
    /// With these lines the assignment has all that is kept of it; the ones that follow are left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) full: bool,
}

impl Batch {
    /// The number of the line that follows; none if there can be no such number.
    pub(super) fn end(&self) -> Option<u64> {
        self.first.checked_add(self.lines.len() as u64)
    }

    /// What its lines count against the limit of their assignment.
    pub(super) fn bytes(&self) -> u64 {
        self.lines.iter().map(line_bytes).sum()
    }

    /// Keeps the lines from the beginning that fit into `room`, and says so if these are not all.
    pub(super) fn cut_to(&mut self, room: u64) {
        let mut used = 0;
        let fits = |line: &&OutputLine| {
            used += line_bytes(line);
            used <= room
        };
        let kept = self.lines.iter().take_while(fits).count();
        self.full = kept < self.lines.len();
        self.lines.truncate(kept);
    }

    pub(super) fn to_line(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a batch has nothing that JSON cannot hold")
    }
}

/// As the disk bears it: a control character is six bytes there.
pub(super) fn line_bytes(line: &OutputLine) -> u64 {
    json_text_bytes(&line.text) as u64 + FRAME_BYTES
}

#[cfg(test)]
mod tests {
    use windlass_protocol::Timestamp;
    use windlass_protocol::message::OutputStream;

    use super::*;

    fn line(text: &str) -> OutputLine {
        let time = Timestamp::from_milliseconds(1_700_000_000_000);
        OutputLine { time, stream: OutputStream::Out, text: text.to_owned() }
    }

    #[test]
    fn a_line_counts_no_more_than_it_counts_on_the_machine_that_printed_it() {
        for text in ["", "plain", "\u{0}\u{1b}[2J", "\"quoted\"", "größer"] {
            let there = serde_json::to_vec(&line(text)).unwrap().len() as u64 + 1;
            assert!(line_bytes(&line(text)) <= there, "{text:?}: {} of {there}", line_bytes(&line(text)));
        }
    }

    #[test]
    fn a_batch_is_cut_where_the_room_ends_and_says_so() {
        let batch = |room| {
            let lines = ["1", "22", "333"].map(line).to_vec();
            let mut batch = Batch {
                assignment: AssignmentId::from_bytes([1; 16]),
                target: None,
                first: 7,
                lines,
                full: false,
            };
            batch.cut_to(room);
            (batch.lines.len(), batch.full, batch.end())
        };
        let all = ["1", "22", "333"].map(line).iter().map(line_bytes).sum::<u64>();
        assert_eq!(batch(all), (3, false, Some(10)));
        assert_eq!(batch(all - 1), (2, true, Some(9)));
        assert_eq!(batch(0), (0, true, Some(7)));
    }
}
