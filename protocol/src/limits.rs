//! Every limit of what the two sides accept from each other and from archives, with its reason.

/// Characters of a slug: a path component everywhere, and readable in a table.
pub const SLUG_BYTES: usize = 64;
/// Characters of a display name.
pub const NAME_CHARACTERS: usize = 200;

/// Bytes of a path inside a package: well below PATH_MAX (4096) with any install root before it.
pub const PATH_BYTES: usize = 1024;
/// Bytes of one component of a path: NAME_MAX of every common file system.
pub const PATH_COMPONENT_BYTES: usize = 255;
/// Folders in a path: deeper trees are bombs.
pub const PATH_DEPTH: usize = 64;
/// Entries of a package: the largest real ones (web applications with their dependencies) have about 50,000.
pub const MANIFEST_ENTRIES: usize = 200_000;
/// Bytes of a manifest's text: the entries above with paths of everyday length.
pub const MANIFEST_BYTES: usize = 32 << 20;
/// Bytes that a package may unpack to.
pub const PACKAGE_BYTES: u64 = 64 << 30;
/// Bytes of an archive as uploaded.
pub const ARCHIVE_BYTES: u64 = 16 << 30;
/// How many times larger than its archive a package may unpack. Text logs reach 50, bombs thousands.
pub const EXPANSION_RATIO: u64 = 200;
/// Below this many unpacked bytes the ratio is not looked at: a few zeros compress as well as they like.
pub const EXPANSION_FREE_BYTES: u64 = 16 << 20;

/// Names in one dimension of an advertised scope.
pub const ADVERTISED_NAMES: usize = 256;
/// Bytes of all names of an advertised scope together: it is a part of the first message, which is small.
pub const ADVERTISED_BYTES: usize = 32 << 10;
/// Assignments that an agent can hold unfinished, and that a coordinator gives it at once.
pub const UNFINISHED_ASSIGNMENTS: usize = 1000;
/// Bytes of a certificate or of a request for one; real ones have about 500.
pub const CERTIFICATE_BYTES: usize = 8 << 10;
/// Bytes of a sentence that an agent gives as a reason.
pub const REASON_BYTES: usize = 2 << 10;
/// Bytes of a variable's value.
pub const VARIABLE_BYTES: usize = 64 << 10;
/// Bytes of the names and values that a step is given, each counted with [`VARIABLE_OVERHEAD_BYTES`]: what one answer
/// can carry, less what the deployment itself adds (its names, eight of them, and its id).
pub const STEP_VARIABLES_BYTES: usize = (4 << 20) - (16 << 10);
/// Bytes that a variable has on the way beside its name and value, at most.
pub const VARIABLE_OVERHEAD_BYTES: usize = 20;
/// Variables that one step may set.
pub const OUTPUT_VARIABLES: usize = 200;
/// Characters of the shortest sensitive value that is masked in output (SEMANTICS 6): shorter ones occur in everything.
pub const SECRET_CHARACTERS: usize = 4;
/// Bytes of the output variables of one report as they are recorded: one small record, and what fits one message.
pub const REPORT_BYTES: usize = (2 << 20) - (4 << 10);
/// Reports in one request.
pub const REPORTS: usize = 256;
/// Lines that one step may print: more than the caps of bytes on both sides leave room for, were they all empty.
pub const STEP_LINES: u64 = 1 << 24;
/// Lines of output in one request.
pub const OUTPUT_LINES: usize = 1000;
/// Bytes of a line of output. Agents split longer ones.
pub const OUTPUT_LINE_BYTES: usize = 32 << 10;
/// Manifests that an agent names as held in one pull.
pub const HELD_MANIFESTS: usize = 8;
/// Plain bytes of a segment of a file: what an interrupted pull repeats at most.
pub const SEGMENT_BYTES: usize = 4 << 20;
