//! Every limit of the supervision of one step, with its reason.

use std::time::Duration;

/// Bytes of a job as it comes through the supervisor's standard input: variables and a script, never packages.
pub const JOB_BYTES: usize = 16 << 20;

/// Bytes of a line of output. A longer one is split: the coordinator and the console handle lines, not files.
pub const LINE_BYTES: usize = 16 << 10;
/// How long a line without its end is held back, so that a prompt is seen by the one who watches.
pub const LINE_PATIENCE: Duration = Duration::from_secs(1);
/// Bytes taken from a stream at once, before the other one and the clock get their turn.
pub const READ_BYTES: usize = 64 << 10;

/// Output is made durable once this many bytes of it are gathered,
pub const SYNC_BYTES: usize = 64 << 10;
/// or nothing came for this long,
pub const SYNC_QUIET: Duration = Duration::from_millis(100);
/// or the oldest line waits for this long, however busy the step is.
pub const SYNC_AGE: Duration = Duration::from_secs(1);
/// Bytes of one segment of output, small so that what the coordinator acknowledged can be removed soon.
pub const OUTPUT_SEGMENT_BYTES: u64 = 4 << 20;

/// Bytes on the disk that are set aside for the marks of a step: both, with the longest sentence why nothing ran.
pub const MARKS_BYTES: u64 = 16 << 10;

/// Characters of the shortest value that is masked (SEMANTICS 6): shorter ones occur in everything.
pub const SECRET_CHARACTERS: usize = 4;

/// Output variables of one step.
pub const VARIABLES: usize = 200;
/// Characters of an output variable's name.
pub const VARIABLE_NAME_CHARACTERS: usize = 200;
/// Bytes of an output variable's value.
pub const VARIABLE_VALUE_BYTES: usize = 64 << 10;
/// Bytes of all sensitive values that one step makes known: what finds them in the output takes many times as much.
pub const LEARNED_SECRET_BYTES: usize = 1 << 20;
/// Bytes of the line that sets an output variable: name and value at their largest, base64, and the words around.
pub const MESSAGE_BYTES: usize = (VARIABLE_VALUE_BYTES + 4 * VARIABLE_NAME_CHARACTERS) / 3 * 4 + 256;

/// How long output is still read after the step's main process has ended. What holds the pipes open then has left the
/// step's session and is no longer part of it.
pub const DRAIN: Duration = Duration::from_secs(2);
/// How often the step's session is killed anew until its main process is gone.
pub const KILL_AGAIN: Duration = Duration::from_millis(200);
/// How long something that the disk refused is left alone before it is tried again.
pub const DISK_PATIENCE: Duration = Duration::from_secs(1);
/// How long burying waits for killed processes to disappear.
pub const BURIAL: Duration = Duration::from_secs(5);
