//! What a supervisor is told to run. It holds secrets: it travels through a pipe, is never written to a disk, cannot
//! be printed, and is wiped from memory when it is dropped.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

use data_encoding::BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::{Zeroize as _, Zeroizing};

use crate::limits;

/// Where the program finds [`Job::script`]: an argument such as `["bash", SCRIPT_PATH]`. It is a file in memory, so
/// that the script is on no disk, and its own commands that read standard input do not read the script.
pub const SCRIPT_PATH: &str = "/proc/self/fd/3";

/// One step, as it is to be run.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The program and its arguments. A program without a `/` is looked for in the environment's `PATH`.
    pub program: Vec<String>,
    /// Where it runs; entered as the account.
    pub working_folder: PathBuf,
    /// All of its environment: nothing is inherited.
    pub environment: BTreeMap<String, String>,
    /// The text that it finds at [`SCRIPT_PATH`]; none, no file.
    #[serde(serialize_with = "write_bytes", deserialize_with = "read_bytes")]
    pub script: Vec<u8>,
    /// The account that it runs as; none: the supervisor's own.
    pub account: Option<Account>,
    /// How long it may run.
    pub timeout: Duration,
    /// How long it may take to end, once it was asked to.
    pub grace: Duration,
    /// Bytes of output that are kept, as they lie on the disk.
    pub output_bytes: u64,
    /// Values that are masked in its output.
    pub secrets: Vec<String>,
    /// What a line of its output has to know to set an output variable: random, known to the functions before its script
    /// alone, and masked like a secret. Letters and digits.
    pub token: String,
    /// The public key that sensitive output variables are sealed to; none: there can be none.
    pub seal_to: Option<[u8; 32]>,
}

/// An account of the operating system.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its user id; never 0.
    pub uid: u32,
    /// Its group id; never 0. It is in no other group.
    pub gid: u32,
}

/// Why there is no job. Never quotes what was read.
#[derive(Debug, thiserror::Error)]
pub enum BadJob {
    /// More than a job can be.
    #[error("the job is longer than {} bytes", limits::JOB_BYTES)]
    TooLong,
    /// The pipe broke.
    #[error("the job cannot be read")]
    Unreadable(#[source] io::Error),
    /// Not what a job looks like; most often because the agent ended while it wrote.
    #[error("the job is incomplete or malformed (line {line}, column {column})")]
    Malformed {
        /// Where reading ended.
        line: usize,
        /// Where in the line.
        column: usize,
    },
}

impl Job {
    /// Reads a job until the end of `input`.
    pub fn read(input: impl Read) -> Result<Self, BadJob> {
        let text = read_to_end(input.take(limits::JOB_BYTES as u64 + 1)).map_err(BadJob::Unreadable)?;
        if text.len() > limits::JOB_BYTES {
            return Err(BadJob::TooLong);
        }
        // serde's own sentence may quote a value.
        serde_json::from_slice(&text)
            .map_err(|error| BadJob::Malformed { line: error.line(), column: error.column() })
    }

    /// The job as [`Job::read`] reads it.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, BadJob> {
        self.to_bytes_within(limits::JOB_BYTES)
    }

    fn to_bytes_within(&self, limit: usize) -> Result<Zeroizing<Vec<u8>>, BadJob> {
        let mut length = Length(0);
        serde_json::to_writer(&mut length, self).map_err(|error| BadJob::Unreadable(error.into()))?;
        if length.0 > limit {
            return Err(BadJob::TooLong);
        }
        let mut text = Zeroizing::new(Vec::with_capacity(length.0));
        serde_json::to_writer(&mut *text, self).map_err(|error| BadJob::Unreadable(error.into()))?;
        Ok(text)
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.script.zeroize();
        self.secrets.zeroize();
        self.token.zeroize();
        self.environment.values_mut().for_each(|value| value.zeroize());
        self.program.zeroize();
    }
}

/// Reads everything without leaving copies behind, as a vector does that grows by itself.
fn read_to_end(mut input: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(vec![0; 16 << 10]);
    let mut length = 0;
    loop {
        if length == text.len() {
            let mut larger = Zeroizing::new(vec![0; 2 * length]);
            larger[..length].copy_from_slice(&text);
            text = larger;
        }
        match input.read(&mut text[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    text.truncate(length);
    Ok(text)
}

/// Counts what is written.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes as base64, here and in [`crate::OutputValue`].
pub(crate) fn write_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&Zeroizing::new(BASE64.encode(bytes)))
}

/// The bytes that base64 stands for.
pub(crate) fn read_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = Zeroizing::new(String::deserialize(deserializer)?);
    BASE64.decode(text.as_bytes()).map_err(|_| de::Error::custom("not base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        Job {
            program: vec!["bash".into(), SCRIPT_PATH.into()],
            working_folder: "/".into(),
            environment: BTreeMap::from([("PATH".into(), "/bin".into())]),
            script: b"echo \xff".to_vec(),
            account: Some(Account { uid: 7, gid: 8 }),
            timeout: Duration::from_secs(60),
            grace: Duration::from_millis(1500),
            output_bytes: 100,
            secrets: vec!["hunter2".into()],
            token: "t0k3n".into(),
            seal_to: Some([9; 32]),
        }
    }

    #[test]
    fn a_job_is_read_as_it_was_written() {
        let bytes = job().to_bytes().expect("short");
        let read = Job::read(bytes.as_slice()).expect("well-formed");
        assert_eq!((&read.program, &read.script), (&job().program, &job().script));
        assert!(read.account == job().account && read.seal_to == job().seal_to);
        assert_eq!((read.timeout, read.grace, read.output_bytes), (job().timeout, job().grace, 100));
        assert_eq!((&read.environment, &read.secrets), (&job().environment, &job().secrets));
        assert_eq!(read.token, job().token);
        assert_eq!(*read.to_bytes().expect("short"), *bytes);
    }

    #[test]
    fn a_job_that_is_cut_off_anywhere_is_no_job_and_is_not_quoted() {
        let bytes = job().to_bytes().expect("short");
        for length in 0..bytes.len() {
            let error = Job::read(&bytes[..length]).err().expect("incomplete");
            assert!(error.to_string().starts_with("the job is incomplete or malformed (line "), "{error}");
        }
        let wrong = String::from_utf8(bytes.to_vec()).expect("JSON").replace("[\"hunter2\"]", "\"hunter2\"");
        let error = Job::read(wrong.as_bytes()).err().expect("malformed");
        assert!(!crate::error::sentence(&error).contains("hunter2"));
    }

    #[test]
    fn a_job_has_a_largest_size() {
        let bytes = job().to_bytes().expect("short").len();
        assert!(job().to_bytes_within(bytes).is_ok());
        assert!(matches!(job().to_bytes_within(bytes - 1), Err(BadJob::TooLong)));
        assert!(matches!(Job::read(io::repeat(b' ')), Err(BadJob::TooLong)));
    }
}
