//! What an agent still has to tell of an assignment, and what the coordinator's answers make of that.
//!
//! A report is told until it is acknowledged. So nothing is told that can never be taken: it is put in other words
//! before it is kept ([`fitting`]), and given up where even those are not understood.

use windlass_protocol::limits;
use windlass_protocol::message::{Answer, Denied, Outcome, Report, ReportKind};

/// What to do after an answer, or after there was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Tell what there is now, at once.
    GoOn,
    /// Tell the same again, after a pause.
    Again,
    /// Nothing more is told: everything was taken, or can never be.
    Over,
}

/// The report as the coordinator takes it: sentences cut to their length, and a step that set more than may be told
/// without what it set. If it went well, that is its failure: what comes after it would miss what it set.
pub fn fitting(mut report: Report) -> Report {
    if let ReportKind::FetchFailed(reason) | ReportKind::Ended { outcome: Outcome::Failed { reason }, .. } =
        &mut report.kind
    {
        cut(reason);
    }
    report.taken()
}

/// A sentence, cut to the length that a reason may have.
pub fn cut(sentence: &mut String) {
    sentence.truncate(sentence.floor_char_boundary(limits::REASON_BYTES));
}

/// A report on its way.
pub struct Outgoing {
    report: Report,
    /// Whether it is in the plainest words that there are.
    plain: bool,
}

impl Outgoing {
    /// A report that nobody was told yet.
    pub fn new(report: &Report) -> Self {
        Self { report: fitting(report.clone()), plain: false }
    }

    /// What to tell now.
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// The coordinator's answer, if there was one. What it does not understand it will not understand later either, so
    /// that it is told once more in the plainest words, and then no more.
    pub fn heard(&mut self, answer: Option<&Answer>) -> Next {
        match answer {
            Some(Answer::Reported) => Next::Over,
            Some(Answer::Denied(Denied::Malformed)) if self.plain => Next::Over,
            Some(Answer::Denied(Denied::Malformed)) => {
                self.plain = true;
                let reason =
                    || "the coordinator does not understand what this target's agent reports".to_owned();
                match &mut self.report.kind {
                    ReportKind::FetchFailed(told) => *told = reason(),
                    ReportKind::Ended { outcome, variables, .. } => {
                        variables.clear();
                        *outcome = Outcome::Failed { reason: reason() };
                    }
                    // There are no plainer words for these.
                    ReportKind::Refused(_) | ReportKind::Fetched { .. } | ReportKind::Started => {
                        return Next::Over;
                    }
                }
                Next::GoOn
            }
            _ => Next::Again,
        }
    }
}

/// How far the lines of a step's output are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lines {
    next: u64,
    last: Option<u64>,
    unwanted: bool,
}

impl Default for Lines {
    fn default() -> Self {
        Self { next: 1, last: None, unwanted: false }
    }
}

impl Lines {
    /// The number of the line to tell next, from 1.
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// The step is over, and this is the number of its last line; 0 where it has none.
    pub const fn end_with(&mut self, last: u64) {
        self.last = Some(last);
    }

    /// Whether nothing is left to tell and nothing will come.
    pub fn is_over(&self) -> bool {
        self.unwanted || self.last.is_some_and(|last| self.next > last)
    }

    /// How many lines may be told at once now.
    pub fn at_once(&self) -> usize {
        let left = self.last.map_or(u64::MAX, |last| (last + 1).saturating_sub(self.next));
        usize::try_from(left).unwrap_or(usize::MAX).min(limits::OUTPUT_LINES)
    }

    /// The coordinator's answer to some lines, if there was one. It says which line it expects next: a later one where it
    /// had some already, an earlier one where its disk has lost some that it had.
    pub fn heard(&mut self, answer: Option<&Answer>) -> Next {
        match answer {
            Some(Answer::Output { next }) if *next != self.next => {
                self.next = *next;
                Next::GoOn
            }
            // The step is nobody's any more, and so are its lines; or nobody understands them.
            Some(Answer::Denied(Denied::NotFound | Denied::Malformed)) => {
                self.unwanted = true;
                Next::Over
            }
            _ => Next::Again,
        }
    }
}

#[cfg(test)]
mod tests {
    use windlass_protocol::ids::AssignmentId;
    use windlass_protocol::message::{OutputVariable, OutputVariableValue};

    use super::*;

    fn report(kind: ReportKind) -> Report {
        Report { assignment: AssignmentId::from_bytes([1; 16]), kind }
    }

    fn ended(outcome: Outcome, variables: Vec<OutputVariable>) -> Report {
        report(ReportKind::Ended { outcome, variables, lines: 7 })
    }

    fn failed(reason: &str) -> Outcome {
        Outcome::Failed { reason: reason.to_owned() }
    }

    fn variables(count: usize, name: usize, value: OutputVariableValue) -> Vec<OutputVariable> {
        let variable = |number| OutputVariable { name: format!("{number:0name$}"), value: value.clone() };
        (0..count).map(variable).collect()
    }

    fn plain(bytes: usize) -> OutputVariableValue {
        OutputVariableValue::Plain("x".repeat(bytes))
    }

    fn sealed(bytes: usize) -> OutputVariableValue {
        OutputVariableValue::Sealed(vec![7; bytes])
    }

    /// Each bound of what a coordinator takes, and one over.
    #[test]
    fn what_is_kept_to_be_told_is_what_the_coordinator_takes() {
        let name = limits::NAME_CHARACTERS * 4;
        let too_long = |what| Some(format!("the {what} of an output variable is longer than it may be"));
        let large = variables(32, 3, plain(limits::VARIABLE_BYTES));
        let too_large = ended(Outcome::Succeeded, large.clone()).check().unwrap_err().to_string();
        assert!(too_large.contains("put what is large in files"), "{too_large}");
        for (variables, reason) in [
            (variables(200, 3, plain(1)), None),
            (
                variables(201, 3, plain(1)),
                Some("the step set 201 output variables, and it may set 200".to_owned()),
            ),
            (variables(1, name, plain(1)), None),
            (variables(1, name + 1, plain(1)), too_long("name")),
            (variables(1, 3, plain(limits::VARIABLE_BYTES)), None),
            (variables(1, 3, plain(limits::VARIABLE_BYTES + 1)), too_long("value")),
            (variables(1, 3, sealed(limits::VARIABLE_BYTES + 128)), None),
            (variables(1, 3, sealed(limits::VARIABLE_BYTES + 129)), too_long("value")),
            (variables(31, 3, plain(limits::VARIABLE_BYTES)), None),
            (large, Some(too_large)),
        ] {
            let told = fitting(ended(Outcome::Succeeded, variables.clone()));
            let expected = match &reason {
                None => ended(Outcome::Succeeded, variables.clone()),
                Some(reason) => ended(failed(reason), Vec::new()),
            };
            assert!(told == expected, "{:?}", reason);
            let other = fitting(ended(failed("exit code 1"), variables.clone()));
            let kept = if reason.is_none() { variables } else { Vec::new() };
            assert!(other == ended(failed("exit code 1"), kept), "its own reason says more than {reason:?}");
        }
    }

    #[test]
    fn a_sentence_is_cut_between_two_characters() {
        let (most, sentence) = (limits::REASON_BYTES, "é".repeat(limits::REASON_BYTES));
        let (even, odd) = (sentence[..most].to_owned(), "x".to_owned() + &sentence[..most]);
        for (long, short) in [(&sentence, &even), (&odd, &odd[..most - 1].to_owned())] {
            let told = fitting(report(ReportKind::FetchFailed(long.clone())));
            assert!(told == report(ReportKind::FetchFailed(short.clone())));
            assert!(fitting(ended(failed(long), Vec::new())) == ended(failed(short), Vec::new()));
        }
    }

    #[test]
    fn a_report_is_told_until_it_is_taken_and_what_is_not_understood_once_more_in_plain_words() {
        use Denied::{Busy, Malformed, NotFound};
        let never = "the coordinator does not understand what this target's agent reports";
        let well = ended(Outcome::Succeeded, variables(2, 3, plain(1)));
        let fetch = report(ReportKind::FetchFailed("no room".to_owned()));
        let started = report(ReportKind::Started);
        let (again, denied) = (Next::Again, |why| Some(Answer::Denied(why)));
        for (first, answers, told) in [
            (&well, vec![(None, again), (denied(Busy), again), (denied(NotFound), again)], &well),
            (&well, vec![(denied(Busy), again), (Some(Answer::Reported), Next::Over)], &well),
            (&well, vec![(denied(Malformed), Next::GoOn)], &ended(failed(never), Vec::new())),
            (
                &well,
                vec![(denied(Malformed), Next::GoOn), (None, again), (denied(Malformed), Next::Over)],
                &ended(failed(never), Vec::new()),
            ),
            (
                &fetch,
                vec![(denied(Malformed), Next::GoOn)],
                &report(ReportKind::FetchFailed(never.to_owned())),
            ),
            (&started, vec![(denied(Malformed), Next::Over)], &started),
        ] {
            let mut outgoing = Outgoing::new(first);
            for (number, (answer, next)) in answers.into_iter().enumerate() {
                assert_eq!(outgoing.heard(answer.as_ref()), next, "answer {number}");
            }
            assert!(outgoing.report() == told);
        }
    }

    #[test]
    fn lines_are_told_up_to_the_last_from_where_the_coordinator_says() {
        let at = |next| Some(Answer::Output { next });
        let denied = |why| Some(Answer::Denied(why));
        // The last line, if it is known; answers with what follows from each; the line that is next; whether it is over.
        for (last, answers, next, over) in [
            (None, vec![], 1, false),
            (Some(0), vec![], 1, true),
            (Some(9), vec![(None, Next::Again), (denied(Denied::Busy), Next::Again)], 1, false),
            (Some(9), vec![(at(5), Next::GoOn), (at(5), Next::Again)], 5, false),
            (Some(9), vec![(at(8), Next::GoOn), (at(3), Next::GoOn)], 3, false),
            (Some(9), vec![(at(10), Next::GoOn)], 10, true),
            (None, vec![(at(10), Next::GoOn)], 10, false),
            (None, vec![(denied(Denied::NotFound), Next::Over)], 1, true),
            (Some(9), vec![(denied(Denied::Malformed), Next::Over)], 1, true),
        ] {
            let mut lines = Lines::default();
            if let Some(last) = last {
                lines.end_with(last);
            }
            for (answer, next) in &answers {
                assert_eq!(lines.heard(answer.as_ref()), *next);
            }
            assert_eq!((lines.next(), lines.is_over()), (next, over), "{last:?}");
            let left =
                last.map_or(limits::OUTPUT_LINES, |last| (last as usize + 1).saturating_sub(next as usize));
            assert_eq!(lines.at_once(), left);
        }
    }
}
