//! Data keys that were read, and which ones are destroyed.
//!
//! Two locks. One is around what is known, and never held while the disk is waited for: the engine takes it between a
//! commit and its answers. The other one is held by who makes a file or removes one. A key is forgotten before its file
//! goes, so that it is never made again, or used, while it is being destroyed.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use windlass_protocol::ids::KeyId;

use super::KeyBytes;
use super::files::{KeyFiles, VaultError};

#[derive(Default)]
pub(super) struct DataKeys {
    known: Mutex<Known>,
    changing_files: Mutex<()>,
}

#[derive(Default)]
struct Known {
    keys: HashMap<KeyId, Arc<KeyBytes>>,
    destroyed: BTreeSet<KeyId>,
    /// Destroyed keys whose files are not removed yet.
    left: BTreeSet<KeyId>,
}

impl DataKeys {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change_files(&self) -> MutexGuard<'_, ()> {
        self.changing_files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A key that is there.
    pub(super) fn get(&self, files: &KeyFiles, id: KeyId) -> Result<Arc<KeyBytes>, VaultError> {
        if let Some(key) = self.known().get(id)? {
            return Ok(key);
        }
        let key = files.read_key(&id.to_string())?;
        self.known().keep(id, key)
    }

    /// A key, made where it is not there yet.
    pub(super) fn get_or_make(&self, files: &KeyFiles, id: KeyId) -> Result<Arc<KeyBytes>, VaultError> {
        if let Some(key) = self.known().get(id)? {
            return Ok(key);
        }
        let _files = self.change_files();
        // Whoever was quicker has made it, or destroyed it.
        if let Some(key) = self.known().get(id)? {
            return Ok(key);
        }
        let key = files.read_or_make(&id.to_string())?;
        self.known().keep(id, key)
    }

    /// From now on nobody opens or seals with it, and its file is one of those that are left.
    pub(super) fn forget(&self, id: KeyId) {
        let mut known = self.known();
        known.destroyed.insert(id);
        // Its bytes are overwritten when the last one who works with them lets them go.
        known.keys.remove(&id);
        known.left.insert(id);
    }

    /// Forgets it and removes its file. Nobody who works with other keys waits meanwhile, unless they are new.
    pub(super) fn destroy(&self, files: &KeyFiles, id: KeyId) -> Result<(), VaultError> {
        self.forget(id);
        let _files = self.change_files();
        files.destroy(&id.to_string())?;
        self.known().left.remove(&id);
        Ok(())
    }

    /// Destroyed keys whose files are not removed yet.
    pub(super) fn left(&self) -> BTreeSet<KeyId> {
        self.known().left.clone()
    }
}

impl Known {
    /// A key that was read, if it is not destroyed.
    fn get(&self, id: KeyId) -> Result<Option<Arc<KeyBytes>>, VaultError> {
        if self.destroyed.contains(&id) {
            return Err(VaultError::Destroyed(id));
        }
        Ok(self.keys.get(&id).map(Arc::clone))
    }

    /// Keeps what was read or made, unless it was destroyed meanwhile.
    fn keep(&mut self, id: KeyId, key: KeyBytes) -> Result<Arc<KeyBytes>, VaultError> {
        if let Some(known) = self.get(id)? {
            return Ok(known);
        }
        let key = Arc::new(key);
        self.keys.insert(id, Arc::clone(&key));
        Ok(key)
    }
}
