//! What every program of Windlass ends with, for scripts to rely on.

/// What a program ends with (SEMANTICS 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitKind {
    /// It was understood and failed.
    Failed,
    /// It cannot be what was meant.
    Usage,
    /// Who asks may not.
    NotAuthorised,
    /// Nothing has this name.
    NotFound,
    Conflict,
    /// The coordinator cannot be reached.
    Unreachable,
}

impl ExitKind {
    pub const fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotAuthorised => 3,
            Self::NotFound => 4,
            Self::Conflict => 5,
            Self::Unreachable => 6,
        }
    }
}
