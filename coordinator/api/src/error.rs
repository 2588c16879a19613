//! Errors as people get them: one sentence, a kind, an exit code (SEMANTICS 12).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use windlass_protocol::exit::ExitKind;
use windlass_protocol::names::visible;

/// What kind of no it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemKind {
    /// The operation was understood and failed.
    Failed,
    /// The request is not well-formed, or names something that cannot be.
    Usage,
    /// The asker may not.
    NotAuthorised,
    /// Something that the request names does not exist, or not for the asker.
    NotFound,
    /// It contradicts what is, or what happened meanwhile.
    Conflict,
    /// The coordinator's disk is full: nothing was changed, and there may be room later.
    DiskFull,
    /// The coordinator cannot say now, and can later: it is stopping, or its clock has to be put right.
    Unavailable,
}

impl ProblemKind {
    /// Whether it is of the moment, and not of what was asked: a full disk, a clock that jumped, a coordinator that stops.
    pub const fn is_of_the_moment(self) -> bool {
        matches!(self, Self::DiskFull | Self::Unavailable)
    }

    /// What a program ends with that was told so.
    pub const fn exit(self) -> ExitKind {
        match self {
            Self::Failed | Self::DiskFull => ExitKind::Failed,
            Self::Unavailable => ExitKind::Unreachable,
            Self::Usage => ExitKind::Usage,
            Self::NotAuthorised => ExitKind::NotAuthorised,
            Self::NotFound => ExitKind::NotFound,
            Self::Conflict => ExitKind::Conflict,
        }
    }

    /// The HTTP status for it.
    pub const fn status(self) -> u16 {
        match self {
            Self::Failed => 422,
            Self::Usage => 400,
            Self::NotAuthorised => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Unavailable => 503,
            Self::DiskFull => 507,
        }
    }
}

/// A refused or failed request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// What kind of no it is.
    pub kind: ProblemKind,
    /// What is wrong, where, and what would be right.
    pub message: String,
}

impl Problem {
    /// A problem of this kind. Whatever somebody typed and the sentence repeats is escaped where it is not printable:
    /// no sentence makes a terminal do anything.
    pub fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        Self { kind, message: visible(&message.into()).into_owned() }
    }

    /// The request is not well-formed.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ProblemKind::Usage, message)
    }

    /// Something does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ProblemKind::NotFound, message)
    }

    /// Something contradicts what is.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ProblemKind::Conflict, message)
    }

    /// The operation failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ProblemKind::Failed, message)
    }

    /// The same problem, said of a place: `file.yaml:3: …`.
    pub fn at(self, place: &str) -> Self {
        if place.is_empty() {
            return self;
        }
        Self { message: format!("{}: {}", visible(place), self.message), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_repeats_what_somebody_typed_without_doing_what_it_says_to_a_terminal() {
        let problem =
            Problem::not_found("there is no tenant `\u{1b}]0;owned\u{7}\u{202e}`").at("a\nb.yaml:3");
        assert_eq!(problem.message, r"a\nb.yaml:3: there is no tenant `\u{1b}]0;owned\u{7}\u{202e}`");
        assert_eq!(problem.message, problem.clone().at("").message, "it is escaped once");
    }
}
