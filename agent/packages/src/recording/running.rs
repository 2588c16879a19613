//! What a tape is when the feature is on.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

static NUMBER: AtomicU64 = AtomicU64::new(1);

pub(super) struct Running {
    kind: &'static str,
    /// Made with the first byte.
    file: Option<File>,
}

impl Running {
    pub(super) fn new(kind: &'static str) -> Self {
        Self { kind, file: None }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        let Some(folder) = folder() else { return };
        if bytes.is_empty() {
            return;
        }
        if let Err(why) = self.try_write(folder, bytes) {
            eprintln!("cannot record below {}: {why}", folder.display());
            process::abort();
        }
    }

    fn try_write(&mut self, folder: &PathBuf, bytes: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let name = format!("{}-{}-{number}", self.kind, process::id());
            self.file = Some(File::options().write(true).create_new(true).open(folder.join(name))?);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes),
            None => Ok(()),
        }
    }
}

/// Where to record; nowhere, if nobody asked.
fn folder() -> Option<&'static PathBuf> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOLDER.get_or_init(|| std::env::var_os("WINDLASS_RECORDING").map(PathBuf::from)).as_ref()
}
