//! Data keys that were read, and which ones are destroyed.
//!
//! One lock around both and around reading and making files. A key is forgotten under it before its file goes, so that it
//! is never made again, or read, while it is being destroyed.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use windlass_protocol::ids::KeyId;

use super::KeyBytes;
use super::files::{KeyFiles, VaultError};

#[derive(Default)]
pub(super) struct DataKeys(Mutex<Known>);

#[derive(Default)]
struct Known {
    keys: HashMap<KeyId, Arc<KeyBytes>>,
    destroyed: BTreeSet<KeyId>,
    /// Destroyed keys whose files are not removed yet.
    left: BTreeSet<KeyId>,
}

impl DataKeys {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A key that is there.
    pub(super) fn get(&self, files: &KeyFiles, id: KeyId) -> Result<Arc<KeyBytes>, VaultError> {
        self.known().get(id, || files.read_key(&id.to_string()))
    }

    /// A key, made where it is not there yet.
    pub(super) fn get_or_make(&self, files: &KeyFiles, id: KeyId) -> Result<Arc<KeyBytes>, VaultError> {
        self.known().get(id, || files.read_or_make(&id.to_string()))
    }

    /// From now on nobody opens or seals with it, and its file is one of those that are left.
    pub(super) fn forget(&self, id: KeyId) {
        let mut known = self.known();
        known.destroyed.insert(id);
        // Its bytes are overwritten when the last one who works with them lets them go.
        known.keys.remove(&id);
        known.left.insert(id);
    }

    /// Forgets it and removes its file. Nobody waits meanwhile: a forgotten key's file is not read and not made.
    pub(super) fn destroy(&self, files: &KeyFiles, id: KeyId) -> Result<(), VaultError> {
        self.forget(id);
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
    fn get(
        &mut self,
        id: KeyId,
        read: impl FnOnce() -> Result<KeyBytes, VaultError>,
    ) -> Result<Arc<KeyBytes>, VaultError> {
        if self.destroyed.contains(&id) {
            return Err(VaultError::Destroyed(id));
        }
        if let Some(key) = self.keys.get(&id) {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(read()?);
        self.keys.insert(id, Arc::clone(&key));
        Ok(key)
    }
}
