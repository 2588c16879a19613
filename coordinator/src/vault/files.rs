//! Keys as files below `keys/`, each sealed with the master key and bound to its own name.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chacha20poly1305::XNonce;
use chacha20poly1305::aead::{Aead, Payload};
use windlass_protocol::ids::KeyId;
use windlass_segments::{disk, fail};
use zeroize::Zeroizing;

use super::{KeyBytes, NONCE, cipher, random};

/// Bytes that are written over at most: a key's file has about a hundred.
const LONGEST: usize = 4096;

/// So many new files are synced one by one; of more, the file system is once.
const FEW: usize = 8;

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The disk.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that was made is not there any more. Nothing takes its place.
    #[error("{} is missing; restore it from a backup", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Others than its owner could read the master key.
    #[error("{} can be read by others; run `chmod 600` on it, and think about who may have", path.display())]
    Readable {
        /// The file.
        path: PathBuf,
    },
    /// The file holds something else.
    #[error("{} holds no key; a key is 64 hexadecimal digits", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// A key file that the master key does not open.
    #[error("{} cannot be opened with this master key", path.display())]
    WrongMaster {
        /// The file.
        path: PathBuf,
    },
    /// The key was destroyed, and with it whatever was sealed with it.
    #[error(
        "the key {0} was destroyed with its tenant; what is sealed with it cannot be read by anybody any more"
    )]
    Destroyed(KeyId),
    /// A value could not be sealed.
    #[error("a sensitive value could not be sealed")]
    Sealing,
    /// A value could not be opened: another key, or moved from where it belongs.
    #[error("a sensitive value cannot be opened with its key")]
    Opening,
}

impl VaultError {
    /// Whether it is the disk's trouble, which may be over at the next try.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Io { .. })
    }

    /// Why a file that must be there cannot be read.
    pub(crate) fn unread(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { path: path.to_owned() },
            _ => Self::io("read", path, source),
        }
    }

    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}

/// Writes a file that only its owner may read, durably, all or nothing.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), VaultError> {
    let error = |source| VaultError::io("write", path, source);
    disk::create_durable_folder(disk::parent(path)).map_err(error)?;
    disk::replace(path, bytes, "key").map_err(error)
}

pub(super) struct KeyFiles {
    folder: PathBuf,
    master: KeyBytes,
}

impl KeyFiles {
    pub(super) fn new(data: &Path, master: KeyBytes) -> Self {
        Self { folder: data.join("keys"), master }
    }

    fn path(&self, name: &str) -> PathBuf {
        debug_assert!(!name.contains(['/', '.']), "names of keys are ids or literals");
        self.folder.join(name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// Makes random keys of new names, durably. A crash meanwhile leaves files that nothing refers to.
    pub(super) fn make(&self, names: &[String]) -> Result<Vec<KeyBytes>, VaultError> {
        let error = |source| VaultError::io("write", &self.folder, source);
        disk::create_durable_folder(&self.folder).map_err(error)?;
        let mut keys = Vec::with_capacity(names.len());
        for name in names {
            let key: KeyBytes = Zeroizing::new(random());
            let (path, sealed) = (self.path(name), self.sealed(name, key.as_slice())?);
            let write = || {
                let mut file = disk::File::open(fs::OpenOptions::new().write(true).create_new(true), &path)?;
                file.write_all(&sealed)?;
                if names.len() <= FEW { file.sync_all() } else { Ok(()) }
            };
            write().map_err(|source| VaultError::io("write", &path, source))?;
            keys.push(key);
        }
        fail::point("keys-before-sync");
        if names.len() > FEW {
            let folder = fs::File::open(&self.folder).map_err(error)?;
            nix::unistd::syncfs(&folder).map_err(|why| error(why.into()))?;
        }
        disk::sync_folder(&self.folder).map_err(error)?;
        fail::point("keys-after-sync");
        Ok(keys)
    }

    /// The key of this name; a random one is made where there is none.
    pub(super) fn read_or_make(&self, name: &str) -> Result<KeyBytes, VaultError> {
        if self.has(name) {
            return self.read_key(name);
        }
        let key: KeyBytes = Zeroizing::new(random());
        self.write(name, key.as_slice())?;
        Ok(key)
    }

    /// The key of this name, which is there.
    pub(super) fn read_key(&self, name: &str) -> Result<KeyBytes, VaultError> {
        let bytes = self.read(name)?;
        let path = self.path(name);
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| VaultError::NotAKey { path })?;
        Ok(Zeroizing::new(key))
    }

    pub(super) fn write(&self, name: &str, secret: &[u8]) -> Result<(), VaultError> {
        write_private(&self.path(name), &self.sealed(name, secret)?)
    }

    fn sealed(&self, name: &str, secret: &[u8]) -> Result<Vec<u8>, VaultError> {
        let nonce: [u8; NONCE] = random();
        let payload = Payload { msg: secret, aad: &bound_to(name) };
        let sealed =
            cipher(&self.master).encrypt(&XNonce::from(nonce), payload).map_err(|_| VaultError::Sealing)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Destroys the key of this name: its bytes are written over, where the file system writes in place, and the file
    /// goes, durably. It may be gone already.
    pub(super) fn destroy(&self, name: &str) -> Result<(), VaultError> {
        let path = self.path(name);
        let wrong = |source| VaultError::io("remove", &path, source);
        match write_over(&path) {
            // It went before; whether that was durable, nobody knows.
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => {}
            written => {
                if let Err(why) = written {
                    // A full disk, for one, must not keep the file.
                    tracing::warn!(path = %path.display(), %why, "a destroyed key was not written over");
                }
                fail::point("key-before-remove");
                disk::remove(&path).map_err(wrong)?;
            }
        }
        disk::sync_folder(&self.folder).map_err(wrong)?;
        fail::point("key-after-remove");
        Ok(())
    }

    pub(super) fn read(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let path = self.path(name);
        let whole = fs::read(&path).map_err(|source| VaultError::unread(&path, source))?;
        let wrong = || VaultError::WrongMaster { path: path.clone() };
        let (nonce, ciphertext) = whole.split_at_checked(NONCE).ok_or_else(wrong)?;
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| wrong())?;
        let payload = Payload { msg: ciphertext, aad: &bound_to(name) };
        let clear = cipher(&self.master).decrypt(&XNonce::from(nonce), payload);
        clear.map(Zeroizing::new).map_err(|_| wrong())
    }
}

fn write_over(path: &Path) -> io::Result<()> {
    let mut file = disk::File::open(fs::OpenOptions::new().write(true), path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(LONGEST);
    file.write_all(&vec![0; length.min(LONGEST)])?;
    file.sync_all()
}

fn bound_to(name: &str) -> Vec<u8> {
    [b"windlass key file 1\n".as_slice(), name.as_bytes()].concat()
}
