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
use super::witness::Witness;
use crate::engine::now;

pub(super) struct DataKeys {
    known: Mutex<Known>,
    changing_files: Mutex<Witness>,
}

struct Known {
    keys: HashMap<KeyId, Arc<KeyBytes>>,
    destroyed: BTreeSet<KeyId>,
    /// Destroyed keys whose files are not removed yet.
    left: BTreeSet<KeyId>,
}

impl DataKeys {
    /// Knows what was destroyed, whatever an older journal says. Files that came back with a backup are left to remove.
    pub(super) fn open(files: &KeyFiles, witness: Witness) -> Self {
        let destroyed = witness.noted().clone();
        let left = destroyed.iter().copied().filter(|id| files.has(&id.to_string())).collect();
        let known = Known { keys: HashMap::new(), destroyed, left };
        Self { known: Mutex::new(known), changing_files: Mutex::new(witness) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change_files(&self) -> MutexGuard<'_, Witness> {
        self.changing_files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A key that is there.
    pub(super) fn get(&self, files: &KeyFiles, id: KeyId) -> Result<Arc<KeyBytes>, VaultError> {
        if let Some(key) = self.known().get(id)? {
            return Ok(key);
        }
        let read = files.read_key(&id.to_string());
        self.known().keep(id, read)
    }

    /// Makes new keys, all of them or none that anybody uses.
    pub(super) fn make(&self, files: &KeyFiles, ids: &[KeyId]) -> Result<(), VaultError> {
        let _files = self.change_files();
        for id in ids {
            self.known().get(*id)?;
        }
        let made = files.make(&ids.iter().map(KeyId::to_string).collect::<Vec<_>>())?;
        let mut known = self.known();
        ids.iter().zip(made).try_for_each(|(id, key)| known.keep(*id, Ok(key)).map(drop))
    }

    /// From now on nobody opens or seals with it, and its file is one of those that are left.
    pub(super) fn forget(&self, id: KeyId) {
        let mut known = self.known();
        known.destroyed.insert(id);
        // Its bytes are overwritten when the last one who works with them lets them go.
        known.keys.remove(&id);
        known.left.insert(id);
    }

    /// Whether it is destroyed and its file gone.
    pub(super) fn is_gone(&self, id: KeyId) -> bool {
        let known = self.known();
        known.destroyed.contains(&id) && !known.left.contains(&id)
    }

    /// Forgets it, notes that, and removes its file. Nobody who works with other keys waits meanwhile, unless they are
    /// new.
    pub(super) fn destroy(&self, files: &KeyFiles, id: KeyId) -> Result<(), VaultError> {
        self.forget(id);
        let mut witness = self.change_files();
        let noted = witness.note(id, now());
        // A full disk, for one, must not keep the file.
        files.destroy(&id.to_string())?;
        noted?;
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

    /// Keeps what was read or made, unless it was destroyed meanwhile: then that is why it could not be read.
    fn keep(&mut self, id: KeyId, key: Result<KeyBytes, VaultError>) -> Result<Arc<KeyBytes>, VaultError> {
        if let Some(known) = self.get(id)? {
            return Ok(known);
        }
        let key = Arc::new(key?);
        self.keys.insert(id, Arc::clone(&key));
        Ok(key)
    }
}
