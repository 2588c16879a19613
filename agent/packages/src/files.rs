//! Files and folders as this crate opens them: owner only, never through a link.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::fcntl::OFlag;
use windlass_protocol::Digest;
use windlass_protocol::digest::Hasher;

use crate::CacheError;

/// Bytes read or written at once where a file is copied or hashed.
pub(crate) const COPY_BYTES: usize = 512 << 10;

/// Makes a folder for its owner alone, unless it is there.
pub(crate) fn create_folder(folder: &Path) -> Result<(), CacheError> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result.map_err(CacheError::io("create", folder)),
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), CacheError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(CacheError::io("sync", folder))
}

/// Makes everything on the folder's file system durable: one wait for any number of files.
pub(crate) fn sync_file_system(folder: &Path) -> Result<(), CacheError> {
    let directory = File::open(folder).map_err(CacheError::io("open", folder))?;
    nix::unistd::syncfs(&directory).map_err(CacheError::system("sync", folder))
}

/// Opens a file to read it; `None` if there is none.
pub(crate) fn open(path: &Path) -> Result<Option<File>, CacheError> {
    match OpenOptions::new().read(true).custom_flags(OFlag::O_NOFOLLOW.bits()).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some).map_err(CacheError::io("open", path)),
    }
}

/// Opens a file to write it from where the caller says, and makes it if it is not there.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.custom_flags(OFlag::O_NOFOLLOW.bits()).open(path)
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
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(CacheError::io("remove", path)),
    }
}

/// Removes a folder and all in it, if it is there.
pub(crate) fn remove_folder(folder: &Path) -> Result<(), CacheError> {
    match fs::remove_dir_all(folder) {
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
pub(crate) fn hash(file: &mut File, bytes: u64, hasher: &mut Hasher) -> io::Result<u64> {
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
