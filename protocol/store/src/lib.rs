//! What a program keeps for itself in small records and can rebuild: the one place that names sled.
//!
//! sled 0.34.7 is complete and unmaintained; the rules for holding it safely are enforced here: a bounded cache,
//! values of at most 4 KiB, no background flushing, `snap.*.generating` files of a killed start removed before
//! opening, and [`Store::commit`] that really reaches the disk, because sled's own `flush` does not.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use windlass_segments::disk::{self, Change};

/// Bytes of a value: larger ones go where sled neither syncs nor frees them.
pub const VALUE_BYTES: usize = 4 << 10;

/// Why the store cannot do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// sled itself.
    #[error("the store in {} failed: {source}", folder.display())]
    Sled { folder: PathBuf, source: sled::Error },
    /// The files around it.
    #[error("the store in {} cannot be opened or synced: {source}", folder.display())]
    Io { folder: PathBuf, source: std::io::Error },
    /// A value is too large.
    #[error("a value of {0} bytes is too large for the store; it takes {VALUE_BYTES}")]
    TooLarge(usize),
}

impl StoreError {
    /// Whether what lies there is no store any more, rather than a disk that is full, closed or taken.
    pub fn is_damage(&self) -> bool {
        use std::io::ErrorKind::{AlreadyExists, InvalidData, IsADirectory, NotADirectory, UnexpectedEof};
        match self {
            Self::Sled { source: sled::Error::Io(source), .. } | Self::Io { source, .. } => {
                matches!(
                    source.kind(),
                    AlreadyExists | InvalidData | IsADirectory | NotADirectory | UnexpectedEof
                )
            }
            Self::Sled { .. } => true,
            Self::TooLarge(_) => false,
        }
    }

    /// Whether the disk, the quota or the process's limit on file sizes is used up.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Sled { source: sled::Error::Io(source), .. } | Self::Io { source, .. } => {
                disk::is_full(source)
            }
            Self::Sled { .. } | Self::TooLarge(_) => false,
        }
    }
}

/// Removes the store in `folder`, or what is in its way, so that an empty one can be opened there.
pub fn remove(folder: &Path) -> Result<(), StoreError> {
    let removed = match fs::symlink_metadata(folder) {
        Ok(found) if found.is_dir() => disk::remove_folder(folder),
        Ok(_) => disk::remove(folder),
        Err(why) => Err(why),
    };
    match removed {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::Io { folder: folder.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// An open store. One writer at a time calls it; reads may come from anywhere.
pub struct Store {
    folder: PathBuf,
    database: sled::Db,
    file: File,
}

impl Store {
    /// Opens the store in `folder`, with a cache of at most `cache_bytes`.
    pub fn open(folder: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        let io = |source| StoreError::Io { folder: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(io)?;
        remove_unfinished_snapshots(folder).map_err(io)?;
        let config = sled::Config::new().path(folder).cache_capacity(cache_bytes).flush_every_ms(None);
        let database =
            config.open().map_err(|source| StoreError::Sled { folder: folder.to_owned(), source })?;
        let file = File::open(folder.join("db")).map_err(io)?;
        Ok(Self { folder: folder.to_owned(), database, file })
    }

    fn sled(&self, source: sled::Error) -> StoreError {
        StoreError::Sled { folder: self.folder.clone(), source }
    }

    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.database.get(key).map_err(|why| self.sled(why))?.map(|value| value.to_vec()))
    }

    /// Sets the value of a key; durable with the next [`Store::commit`].
    pub fn put(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        if value.len() > VALUE_BYTES {
            return Err(StoreError::TooLarge(value.len()));
        }
        self.database.insert(key, value).map_err(|why| self.sled(why))?;
        Ok(())
    }

    /// Removes a key; durable with the next [`Store::commit`].
    pub fn remove(&self, key: &[u8]) -> Result<(), StoreError> {
        self.database.remove(key).map_err(|why| self.sled(why))?;
        Ok(())
    }

    /// The keys that begin with `prefix`, in order, with their values.
    pub fn scan(&self, prefix: &[u8]) -> impl Iterator<Item = Result<Pair, StoreError>> + '_ {
        let pair = |(key, value): (sled::IVec, sled::IVec)| (key.to_vec(), value.to_vec());
        self.database.scan_prefix(prefix).map(move |found| found.map(pair).map_err(|why| self.sled(why)))
    }

    /// The last key that begins with `prefix` and is not greater than `key`, with its value.
    pub fn last_not_after(&self, prefix: &[u8], key: &[u8]) -> Result<Option<Pair>, StoreError> {
        let found =
            self.database.range(prefix..=key).next_back().transpose().map_err(|why| self.sled(why))?;
        Ok(found
            .map(|(key, value)| (key.to_vec(), value.to_vec()))
            .filter(|(key, _)| key.starts_with(prefix)))
    }

    /// Makes everything durable. Blocking; one caller at a time.
    pub fn commit(&self) -> Result<(), StoreError> {
        self.database.flush().map_err(|why| self.sled(why))?;
        self.file.sync_data().map_err(|source| StoreError::Io { folder: self.folder.clone(), source })?;
        disk::done_elsewhere(Change::OtherDurably(&self.folder));
        Ok(())
    }
}

fn remove_unfinished_snapshots(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What another process would find. (sled lets its lock go some time after it is dropped, so that the same process
    /// cannot open the same folder again; the programs never do.)
    fn as_after_a_crash(folder: &Path) -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.file_type().unwrap().is_file() {
                std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
            }
        }
        copy
    }

    #[test]
    fn what_is_committed_is_there_after_a_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), 1 << 20).unwrap();
        for number in 0..10u8 {
            store.put(&[1, number], &[number]).unwrap();
        }
        store.put(&[2], b"other").unwrap();
        store.remove(&[1, 3]).unwrap();
        store.commit().unwrap();
        let disk = as_after_a_crash(folder.path());
        let store = Store::open(disk.path(), 1 << 20).unwrap();
        assert_eq!(store.scan(&[1]).count(), 9);
        assert_eq!(store.get(&[1, 3]).unwrap(), None);
        assert_eq!(store.last_not_after(&[1], &[1, 3]).unwrap(), Some((vec![1, 2], vec![2])));
        assert_eq!(store.last_not_after(&[3], &[3, 3]).unwrap(), None);
    }

    #[test]
    fn a_value_that_sled_would_not_sync_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), 1 << 20).unwrap();
        assert!(store.put(b"key", &[0; VALUE_BYTES]).is_ok());
        assert!(matches!(store.put(b"key", &[0; VALUE_BYTES + 1]), Err(StoreError::TooLarge(_))));
    }

    #[test]
    fn a_snapshot_that_a_killed_start_left_does_not_stop_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let _open = Store::open(folder.path(), 1 << 20).unwrap();
        let disk = as_after_a_crash(folder.path());
        std::fs::write(disk.path().join("snap.0000000000000001.generating"), b"half").unwrap();
        Store::open(disk.path(), 1 << 20).unwrap();
    }
}
