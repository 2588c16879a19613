//! What the three programs tell people about bad input: one clear sentence, and an exit code (SEMANTICS 12).
//!
//! ```text
//! arguments.rs   a wrong command line
//! fault.rs       a sentence with its exit code; how a program ends with one
//! files.rs       files that a person wrote, read with a limit
//! nearest.rs     the known word that was probably meant
//! output.rs      standard output that may be full or unread
//! settings.rs    TOML files: file, line, key, and the nearest valid key
//! system.rs      what the operating system said, in plain words
//! ```

mod arguments;
mod fault;
mod files;
mod nearest;
mod output;
mod settings;
mod system;

pub use arguments::parse;
pub use fault::{Fault, end, printable};
pub use files::read_text;
pub use nearest::unknown;
pub use output::{print, print_whole};
pub use settings::{SETTINGS_BYTES, parse_settings, read_settings};
pub use system::plain_words;
pub use windlass_protocol::exit::ExitKind;
