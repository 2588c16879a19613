//! Keys in memory: what a store of keys is, without a disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use windlass_protocol::ids::KeyId;
use zeroize::Zeroizing;

use super::{Destroyed, KeyBytes, KeyName, Keys, VaultError};

/// The keys. Clones share them, and so do coordinators that have one each.
#[derive(Clone, Default)]
pub struct InMemory(Arc<Mutex<Shared>>);

#[derive(Default)]
struct Shared {
    secrets: BTreeMap<KeyName, Zeroizing<Vec<u8>>>,
    destroyed: BTreeSet<KeyId>,
    trouble: Option<io::ErrorKind>,
}

impl InMemory {
    pub fn names(&self) -> Vec<KeyName> {
        self.0.lock().secrets.keys().copied().collect()
    }

    /// Loses a secret, as a folder that somebody cleaned up.
    pub fn lose(&self, name: KeyName) {
        self.0.lock().secrets.remove(&name);
    }

    /// Answers everything with this error from now on, or works again.
    pub fn set_trouble(&self, trouble: Option<io::ErrorKind>) {
        self.0.lock().trouble = trouble;
    }
}

impl Shared {
    fn work(&self, action: &'static str, name: impl ToString) -> Result<(), VaultError> {
        self.trouble.map_or(Ok(()), |kind| Err(VaultError::refused(action, name, kind.into())))
    }

    fn expect_not_destroyed(&self, key: KeyId) -> Result<(), VaultError> {
        if self.destroyed.contains(&key) { Err(VaultError::Destroyed(key)) } else { Ok(()) }
    }
}

impl Keys for InMemory {
    fn read(&self, name: KeyName) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let shared = self.0.lock();
        if let KeyName::Data(key) = name {
            shared.expect_not_destroyed(key)?;
        }
        shared.work("read", name)?;
        shared.secrets.get(&name).cloned().ok_or_else(|| VaultError::Missing { place: name.to_string() })
    }

    fn make(&self, keys: &[(KeyId, KeyBytes)]) -> Result<(), VaultError> {
        let mut shared = self.0.lock();
        for (id, secret) in keys {
            shared.expect_not_destroyed(*id)?;
            shared.work("write", id)?;
            let there = shared.secrets.entry(KeyName::Data(*id)).or_insert_with(|| secret.to_vec().into());
            if there.as_slice() != secret.as_slice() {
                return Err(VaultError::Taken(*id));
            }
        }
        Ok(())
    }

    fn keep(&self, name: &'static str, secret: &[u8]) -> Result<(), VaultError> {
        let mut shared = self.0.lock();
        shared.work("write", name)?;
        shared.secrets.insert(KeyName::Own(name), secret.to_vec().into());
        Ok(())
    }

    fn destroy(&self, key: KeyId) -> Result<(), VaultError> {
        let mut shared = self.0.lock();
        shared.destroyed.insert(key);
        shared.work("remove", key)?;
        shared.secrets.remove(&KeyName::Data(key));
        Ok(())
    }

    fn discard(&self, keys: &[KeyId]) -> Result<(), VaultError> {
        let mut shared = self.0.lock();
        for key in keys {
            shared.work("remove", key)?;
            shared.secrets.remove(&KeyName::Data(*key));
        }
        Ok(())
    }

    fn destroyed(&self) -> Destroyed {
        let shared = self.0.lock();
        let left = |key: &KeyId| shared.secrets.contains_key(&KeyName::Data(*key));
        let all = shared.destroyed.clone();
        Destroyed { left: all.iter().copied().filter(left).collect(), all }
    }
}
