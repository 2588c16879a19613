//! What the child tells its supervisor before the program runs: that it is ready, or what went wrong.

use std::io;

/// Bytes of a report: the stage and an error number.
pub const REPORT_BYTES: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// Everything is prepared; the child waits at the gate.
    Ready,
    /// The child ends, having run nothing.
    Failed(Failure),
}

/// What the child could not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    stage: Stage,
    error: i32,
}

/// What a child does before it is the program, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// Nothing is left to do but to run the program.
    Ready = 0,
    /// Making a session and process group of its own.
    Session = 1,
    /// Arranging its file descriptors and closing all others.
    Files = 2,
    /// Leaving the supervisor's groups and account, and taking the job's.
    Account = 3,
    /// Giving up every way back.
    Confinement = 4,
    /// Entering the working folder.
    Folder = 5,
    /// Running the program.
    Program = 6,
}

impl Report {
    /// As bytes for the pipe. Makes no allocation: it is called between fork and exec.
    pub fn to_bytes(stage: Stage, error: i32) -> [u8; REPORT_BYTES] {
        let [a, b, c, d] = error.to_le_bytes();
        [stage as u8, a, b, c, d]
    }

    /// From the bytes in the pipe.
    pub fn from_bytes([stage, a, b, c, d]: [u8; REPORT_BYTES]) -> Self {
        let stage = match stage {
            0 => return Self::Ready,
            1 => Stage::Session,
            2 => Stage::Files,
            3 => Stage::Account,
            4 => Stage::Confinement,
            5 => Stage::Folder,
            _ => Stage::Program,
        };
        Self::Failed(Failure { stage, error: i32::from_le_bytes([a, b, c, d]) })
    }
}

impl Failure {
    /// The failure as a sentence about the given program, folder and user id.
    pub fn sentence(self, program: &str, folder: &str, uid: Option<u32>) -> String {
        let error = io::Error::from_raw_os_error(self.error);
        let uid = uid.unwrap_or_default();
        match self.stage {
            Stage::Program if self.error == 0 && !program.contains('/') => {
                format!("no folder in which the step's programs are looked for has a program {program}")
            }
            Stage::Program if self.error == 0 => format!("there is no program {program}"),
            Stage::Ready | Stage::Program => format!("the program {program} cannot be run: {error}"),
            Stage::Session => format!("the step cannot get a session of its own: {error}"),
            Stage::Files => format!("the step's files cannot be arranged: {error}"),
            Stage::Account => format!("the step cannot take the account with the user id {uid}: {error}"),
            Stage::Confinement if self.error == 0 => {
                format!("the step could leave the account with the user id {uid} again, so it is not run")
            }
            Stage::Confinement => format!("the step cannot be confined to its account: {error}"),
            Stage::Folder => format!("the step cannot enter its working folder {folder}: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_is_told_in_a_sentence() {
        let none = "No such file or directory (os error 2)";
        let cases = [
            (Stage::Session, 2, format!("the step cannot get a session of its own: {none}")),
            (Stage::Files, 2, format!("the step's files cannot be arranged: {none}")),
            (Stage::Account, 2, format!("the step cannot take the account with the user id 7: {none}")),
            (Stage::Confinement, 2, format!("the step cannot be confined to its account: {none}")),
            (
                Stage::Confinement,
                0,
                "the step could leave the account with the user id 7 again, so it is not run".to_owned(),
            ),
            (Stage::Folder, 2, format!("the step cannot enter its working folder /work: {none}")),
            (
                Stage::Program,
                0,
                "no folder in which the step's programs are looked for has a program bash".to_owned(),
            ),
            (Stage::Program, 2, format!("the program bash cannot be run: {none}")),
        ];
        for (stage, error, expected) in cases {
            let Report::Failed(failure) = Report::from_bytes(Report::to_bytes(stage, error)) else {
                panic!("{stage:?} is a failure")
            };
            assert_eq!(failure.sentence("bash", "/work", Some(7)), expected);
        }
        assert_eq!(Report::from_bytes(Report::to_bytes(Stage::Ready, 0)), Report::Ready);
    }
}
