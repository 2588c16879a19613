//! What went wrong, as one sentence and an exit code (SEMANTICS 12).

use windlass_api::error::Problem;
use windlass_sentences::ExitKind;

/// The exit code of who was interrupted, as shells have it.
const INTERRUPTED: u8 = 130;

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The coordinator, or this command itself, says no.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// The coordinator cannot be reached, or is not the one that the token is for.
    #[error("{0}")]
    Unreachable(String),
    /// Somebody pressed Ctrl-C; what there is to say, was said.
    #[error("interrupted")]
    Interrupted,
    /// It failed, and what was printed says why.
    #[error("failed")]
    Told,
    /// Who reads the output has gone: that is no error of ours.
    #[error("the reader of the output has gone")]
    NobodyReads,
}

impl Failure {
    /// It was understood and failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Problem::failed(message).into()
    }

    /// It cannot be what was meant.
    pub fn usage(message: impl Into<String>) -> Self {
        Problem::usage(message).into()
    }

    /// What the process ends with.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Problem(problem) => problem.kind.exit().code(),
            Self::Unreachable(_) => ExitKind::Unreachable.code(),
            Self::Interrupted => INTERRUPTED,
            Self::Told => ExitKind::Failed.code(),
            Self::NobodyReads => 0,
        }
    }

    /// Whether everything has been said already.
    pub const fn is_silent(&self) -> bool {
        matches!(self, Self::Interrupted | Self::Told | Self::NobodyReads)
    }
}

#[cfg(test)]
mod tests {
    use windlass_api::error::ProblemKind;

    use super::*;

    #[test]
    fn exit_codes_are_those_that_scripts_rely_on() {
        let of = |kind| Failure::from(Problem::new(kind, "no")).exit_code();
        assert_eq!(of(ProblemKind::Failed), 1);
        assert_eq!(of(ProblemKind::Usage), 2);
        assert_eq!(of(ProblemKind::NotAuthorised), 3);
        assert_eq!(of(ProblemKind::NotFound), 4);
        assert_eq!(of(ProblemKind::Conflict), 5);
        assert_eq!(Failure::Unreachable(String::new()).exit_code(), 6);
        assert_eq!(Failure::Told.exit_code(), 1);
        assert_eq!(Failure::Interrupted.exit_code(), 130);
        assert_eq!(Failure::NobodyReads.exit_code(), 0);
    }
}
