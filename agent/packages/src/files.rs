//! Files and folders as this crate opens them: owner only, never through a link.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::fcntl::OFlag;
use windlass_protocol::Digest;
use windlass_protocol::digest::Hasher;
use windlass_segments::disk;

use crate::CacheError;

/// Bytes read or written at once where a file is copied or hashed.
pub(crate) const COPY_BYTES: usize = 512 << 10;

/// Makes a folder for its owner alone, unless it is there.
pub(crate) fn create_folder(folder: &Path) -> Result<(), CacheError> {
    disk::create_folder(folder).map(drop).map_err(CacheError::io("create", folder))
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), CacheError> {
    disk::sync_folder(folder).map_err(CacheError::io("sync", folder))
}

/// Makes everything on the folder's file system durable: one wait for any number of files.
pub(crate) fn sync_file_system(folder: &Path) -> Result<(), CacheError> {
    disk::sync_file_system(folder).map_err(CacheError::io("sync", folder))
}

/// Opens a file to read it; `None` if there is none.
pub(crate) fn open(path: &Path) -> Result<Option<File>, CacheError> {
    match OpenOptions::new().read(true).custom_flags(OFlag::O_NOFOLLOW.bits()).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some).map_err(CacheError::io("open", path)),
    }
}

/// Opens a file to write it from where the caller says, and makes it if it is not there.
pub(crate) fn create(path: &Path) -> io::Result<disk::File> {
    disk::File::open(OpenOptions::new().write(true).create(true).truncate(false), path)
}

/// Writes a file, not durably.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), CacheError> {
    let mut options = OpenOptions::new();
    disk::File::open(options.write(true).create(true).truncate(true), path)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(CacheError::io("write", path))
}

/// Gives a file or folder another name.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), CacheError> {
    disk::rename(from, to).map_err(CacheError::io("rename", from))
}

/// The first bytes of a file, up to `most`; `None` if there is none.
pub(crate) fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>, CacheError> {
    let Some(file) = open(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).map_err(CacheError::io("read", path))?;
    Ok(Some(bytes))
}

/// The size of a regular file; `None` if there is none.
pub(crate) fn size(path: &Path) -> Result<Option<u64>, CacheError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(metadata.is_file().then_some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CacheError::io("look at", path)(error)),
    }
}

/// Removes a file, if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), CacheError> {
    match disk::remove(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(CacheError::io("remove", path)),
    }
}

/// Removes a folder and all in it, if it is there.
pub(crate) fn remove_folder(folder: &Path) -> Result<(), CacheError> {
    match disk::remove_folder(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(CacheError::io("remove", folder)),
    }
}

/// The entries of a folder that are named by a digest, with their sizes.
pub(crate) fn digests(folder: &Path) -> Result<BTreeMap<Digest, u64>, CacheError> {
    let failed = |error| CacheError::io("list", folder)(error);
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if let Some(digest) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
            found.insert(digest, entry.metadata().map_err(failed)?.len());
        }
    }
    Ok(found)
}

/// Hashes the next `bytes` bytes of a file, or as many as there are; says how many that were.
pub(crate) fn hash(file: &mut impl Read, bytes: u64, hasher: &mut Hasher) -> io::Result<u64> {
    let mut buffer = vec![0; COPY_BYTES];
    let mut hashed = 0;
    while hashed < bytes {
        let most = usize::try_from(bytes - hashed).unwrap_or(usize::MAX).min(buffer.len());
        match file.read(&mut buffer[..most]) {
            Ok(0) => break,
            Ok(count) => {
                hasher.update(&buffer[..count]);
                hashed += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(hashed)
}
