//! Which keys are destroyed, noted outside of what a backup of `keys/` and of the journal holds.
//!
//! An older journal does not say that a key was destroyed since, and an older `keys/` holds it. What is destroyed is
//! therefore also told in the log, and in a file of lines that only grows: a key's id, and when, in milliseconds since
//! 1970. Whoever keeps a copy of it elsewhere can put back an old backup without what was erased.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use windlass_protocol::Timestamp;
use windlass_protocol::ids::KeyId;
use windlass_segments::disk;

use super::VaultError;

/// The list, beside `keys/`.
pub(super) struct Witness {
    folder: PathBuf,
    noted: BTreeSet<KeyId>,
    /// Its last line has no end: a crash, or a full disk.
    torn: bool,
}

impl Witness {
    /// Reads the list, which may be nowhere yet. What is no line of it is said and left.
    pub(super) fn read(data: &Path) -> Result<Self, VaultError> {
        let path = data.join("destroyed-keys");
        let text = match fs::read(&path) {
            Err(nowhere) if nowhere.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read.map_err(|source| VaultError::refused("read", path.display(), source))?,
        };
        let text = String::from_utf8_lossy(&text);
        let mut noted = BTreeSet::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            match line.split(' ').next().unwrap_or_default().parse() {
                Ok(key) => _ = noted.insert(key),
                Err(_) => tracing::warn!(path = %path.display(), "a line of the destroyed keys names no key"),
            }
        }
        let torn = !text.is_empty() && !text.ends_with('\n');
        Ok(Self { folder: data.to_owned(), noted, torn })
    }

    pub(super) fn noted(&self) -> &BTreeSet<KeyId> {
        &self.noted
    }

    /// Notes a key once, durably.
    pub(super) fn note(&mut self, key: KeyId, at: Timestamp) -> Result<(), VaultError> {
        if self.noted.contains(&key) {
            return Ok(());
        }
        let path = self.folder.join("destroyed-keys");
        let end_of_last = if self.torn { "\n" } else { "" };
        let line = format!("{end_of_last}{key} {}\n", at.milliseconds());
        self.torn = true;
        let write = || {
            let mut file = disk::File::open(fs::OpenOptions::new().append(true).create(true), &path)?;
            file.write_all(line.as_bytes())?;
            file.sync_all()?;
            disk::sync_folder(&self.folder)
        };
        write().map_err(|source| VaultError::refused("write", path.display(), source))?;
        self.torn = false;
        self.noted.insert(key);
        tracing::info!(%key, "a key is destroyed");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_noted_once_and_after_half_a_line_too() {
        let place = tempfile::tempdir().unwrap();
        let [one, two] = [1, 2].map(|byte| KeyId::from_bytes([byte; 16]));
        let at = Timestamp::from_milliseconds(1_700_000_000_000);
        let mut witness = Witness::read(place.path()).unwrap();
        witness.note(one, at).unwrap();
        let path = place.path().join("destroyed-keys");
        let whole = fs::read_to_string(&path).unwrap();
        assert_eq!(whole, format!("{one} 1700000000000\n"));
        fs::write(&path, format!("{whole}{}", &two.to_string()[..5])).unwrap();
        let mut witness = Witness::read(place.path()).unwrap();
        assert_eq!(*witness.noted(), BTreeSet::from([one]));
        for key in [one, two, two] {
            witness.note(key, at).unwrap();
        }
        assert_eq!(*Witness::read(place.path()).unwrap().noted(), BTreeSet::from([one, two]));
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
    }
}
