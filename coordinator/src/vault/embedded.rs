//! Keys as files below `keys/`, each sealed with the master key and bound to its own name.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chacha20poly1305::XNonce;
use chacha20poly1305::aead::{Aead, Payload};
use parking_lot::Mutex;
use windlass_protocol::ids::KeyId;
use windlass_segments::{disk, fail};
use zeroize::Zeroizing;

use super::witness::Witness;
use super::{Destroyed, KeyBytes, KeyName, Keys, NONCE, VaultError, cipher, master};
use crate::engine::{now, random};

/// Bytes that are written over at most: a key's file has about a hundred.
const LONGEST: usize = 4096;

/// So many new files are synced one by one; of more, the file system is once.
const FEW: usize = 8;

/// Writes a file that only its owner may read, durably, all or nothing.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), VaultError> {
    let refused = |source| VaultError::refused("write", path.display(), source);
    disk::create_durable_folder(disk::parent(path)).map_err(refused)?;
    disk::replace(path, bytes, "key").map_err(refused)
}

/// The files, and the list of those that are destroyed.
pub struct Embedded {
    folder: PathBuf,
    master: KeyBytes,
    /// Never held while the disk is waited for.
    destroyed: Mutex<BTreeSet<KeyId>>,
    /// Held by who makes the file of a data key or removes it.
    changing: Mutex<Witness>,
}

impl Embedded {
    /// Opens the files below `data`, with the master key from systemd's credentials or from its file.
    pub fn open(data: &Path) -> Result<Self, VaultError> {
        let (folder, master, witness) = (data.join("keys"), master::read(data)?, Witness::read(data)?);
        let destroyed = Mutex::new(witness.noted().clone());
        Ok(Self { folder, master, destroyed, changing: Mutex::new(witness) })
    }

    /// Makes the master key for a new installation, unless systemd's credentials hold one, and opens the files.
    pub fn create(data: &Path) -> Result<Self, VaultError> {
        master::create(data)?;
        Self::open(data)
    }

    fn path(&self, name: KeyName) -> PathBuf {
        self.folder.join(name.to_string())
    }

    fn expect_not_destroyed(&self, key: KeyId) -> Result<(), VaultError> {
        if self.destroyed.lock().contains(&key) { Err(VaultError::Destroyed(key)) } else { Ok(()) }
    }

    fn sealed(&self, name: KeyName, secret: &[u8]) -> Result<Vec<u8>, VaultError> {
        let nonce: [u8; NONCE] = random();
        let payload = Payload { msg: secret, aad: &bound_to(name) };
        let sealed =
            cipher(&self.master).encrypt(&XNonce::from(nonce), payload).map_err(|_| VaultError::Sealing)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Writes the file of a new key, which is durable when it is synced, alone or with others.
    fn write_new(
        &self,
        id: KeyId,
        key: &KeyBytes,
        sync: bool,
        made: &mut Vec<PathBuf>,
    ) -> Result<(), VaultError> {
        let name = KeyName::Data(id);
        let (path, sealed) = (self.path(name), self.sealed(name, key.as_slice())?);
        let mut write = || {
            let mut file = disk::File::open(fs::OpenOptions::new().write(true).create_new(true), &path)?;
            made.push(path.clone());
            file.write_all(&sealed)?;
            if sync { file.sync_all() } else { Ok(()) }
        };
        match write() {
            Err(there) if there.kind() == io::ErrorKind::AlreadyExists => {
                let same = self.read(name)?.as_slice() == key.as_slice();
                if same { Ok(()) } else { Err(VaultError::Taken(id)) }
            }
            written => written.map_err(|source| VaultError::refused("write", path.display(), source)),
        }
    }

    /// Destroys the file of a key: its bytes are written over, where the file system writes in place, and the file goes,
    /// durably. It may be gone already.
    fn remove(&self, id: KeyId) -> Result<(), VaultError> {
        let path = self.path(KeyName::Data(id));
        let refused = |source| VaultError::refused("remove", path.display(), source);
        match write_over(&path) {
            // It went before; whether that was durable, nobody knows.
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => {}
            written => {
                if let Err(why) = written {
                    // A full disk, for one, must not keep the file.
                    tracing::warn!(path = %path.display(), %why, "a destroyed key was not written over");
                }
                fail::point("key-before-remove");
                disk::remove(&path).map_err(refused)?;
            }
        }
        disk::sync_folder(&self.folder).map_err(refused)?;
        fail::point("key-after-remove");
        Ok(())
    }
}

impl Keys for Embedded {
    fn read(&self, name: KeyName) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let path = self.path(name);
        let read = fs::read(&path);
        // Destroyed meanwhile, that is why it could not be read.
        if let KeyName::Data(id) = name {
            self.expect_not_destroyed(id)?;
        }
        let whole = read.map_err(|source| VaultError::unread(path.display(), source))?;
        let unusable = || VaultError::Unusable {
            place: path.display().to_string(),
            why: "cannot be opened with the master key: one of the two is damaged, or another installation's; restore it from a \
                  backup",
        };
        let (nonce, ciphertext) = whole.split_at_checked(NONCE).ok_or_else(unusable)?;
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| unusable())?;
        let payload = Payload { msg: ciphertext, aad: &bound_to(name) };
        let clear = cipher(&self.master).decrypt(&XNonce::from(nonce), payload);
        clear.map(Zeroizing::new).map_err(|_| unusable())
    }

    fn make(&self, keys: &[(KeyId, KeyBytes)]) -> Result<(), VaultError> {
        let _changing = self.changing.lock();
        let refused = |source| VaultError::refused("write", self.folder.display(), source);
        disk::create_durable_folder(&self.folder).map_err(refused)?;
        let mut made = Vec::new();
        for (id, key) in keys {
            let written = self.expect_not_destroyed(*id);
            let written = written.and_then(|()| self.write_new(*id, key, keys.len() <= FEW, &mut made));
            if let Err(why) = written {
                // No record will name them, and on a full disk each takes room.
                made.iter().for_each(|path| drop(disk::remove(path)));
                return Err(why);
            }
        }
        fail::point("keys-before-sync");
        if keys.len() > FEW {
            disk::sync_file_system(&self.folder).map_err(refused)?;
        }
        disk::sync_folder(&self.folder).map_err(refused)?;
        fail::point("keys-after-sync");
        Ok(())
    }

    fn keep(&self, name: &'static str, secret: &[u8]) -> Result<(), VaultError> {
        let name = KeyName::Own(name);
        write_private(&self.path(name), &self.sealed(name, secret)?)
    }

    fn destroy(&self, key: KeyId) -> Result<(), VaultError> {
        self.destroyed.lock().insert(key);
        let mut witness = self.changing.lock();
        let noted = witness.note(key, now());
        // A full disk, for one, must not keep the file.
        self.remove(key)?;
        noted
    }

    fn discard(&self, keys: &[KeyId]) -> Result<(), VaultError> {
        let _changing = self.changing.lock();
        for key in keys {
            let path = self.path(KeyName::Data(*key));
            match disk::remove(&path) {
                Err(why) if why.kind() != io::ErrorKind::NotFound => {
                    return Err(VaultError::refused("remove", path.display(), why));
                }
                _ => {}
            }
        }
        disk::sync_folder(&self.folder)
            .map_err(|why| VaultError::refused("remove", self.folder.display(), why))
    }

    fn destroyed(&self) -> Destroyed {
        let all = self.destroyed.lock().clone();
        // One that cannot be looked at may be there.
        let left = |id: &KeyId| self.path(KeyName::Data(*id)).try_exists().unwrap_or(true);
        let left = all.iter().copied().filter(left).collect();
        Destroyed { all, left }
    }
}

fn write_over(path: &Path) -> io::Result<()> {
    let mut file = disk::File::open(fs::OpenOptions::new().write(true), path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(LONGEST);
    file.write_all(&vec![0; length.min(LONGEST)])?;
    file.sync_all()
}

fn bound_to(name: KeyName) -> Vec<u8> {
    format!("windlass key file 1\n{name}").into_bytes()
}
