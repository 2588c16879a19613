//! Data keys that were read, and which ones are destroyed.
//!
//! The lock is around what is known, and never held while the store is waited for: the engine takes it between a commit
//! and its answers. A key is forgotten before it goes from the store, so that it is never made again, or used, while it
//! is being destroyed.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use windlass_protocol::ids::KeyId;
use zeroize::Zeroizing;

use super::{Destroyed, KeyBytes, KeyName, Keys, VaultError, random, read_key};

pub(super) struct DataKeys(Mutex<Known>);

struct Known {
    keys: HashMap<KeyId, Arc<KeyBytes>>,
    destroyed: Destroyed,
}

impl DataKeys {
    /// Knows what was destroyed, whatever an older journal says. What came back with a backup is left to remove.
    pub(super) fn new(destroyed: Destroyed) -> Self {
        Self(Mutex::new(Known { keys: HashMap::new(), destroyed }))
    }

    pub(super) fn get(&self, store: &dyn Keys, id: KeyId) -> Result<Arc<KeyBytes>, VaultError> {
        if let Some(key) = self.0.lock().get(id)? {
            return Ok(key);
        }
        let read = read_key(store, KeyName::Data(id));
        self.0.lock().keep(id, read)
    }

    /// Makes new keys, all of them or none that anybody uses.
    pub(super) fn make(&self, store: &dyn Keys, ids: &[KeyId]) -> Result<(), VaultError> {
        for id in ids {
            self.0.lock().get(*id)?;
        }
        let made: Vec<(KeyId, KeyBytes)> = ids.iter().map(|id| (*id, Zeroizing::new(random()))).collect();
        store.make(&made)?;
        let mut known = self.0.lock();
        made.into_iter().try_for_each(|(id, key)| known.keep(id, Ok(key)).map(drop))
    }

    /// From now on nobody opens or seals with it, and it is one of those that are left.
    pub(super) fn forget(&self, id: KeyId) {
        let mut known = self.0.lock();
        known.destroyed.all.insert(id);
        // Its bytes are overwritten when the last one who works with them lets them go.
        known.keys.remove(&id);
        known.destroyed.left.insert(id);
    }

    /// Whether it is destroyed and nothing of it left.
    pub(super) fn is_gone(&self, id: KeyId) -> bool {
        let Destroyed { all, left } = &self.0.lock().destroyed;
        all.contains(&id) && !left.contains(&id)
    }

    /// Forgets it, and has it destroyed. Nobody who works with other keys waits meanwhile.
    pub(super) fn destroy(&self, store: &dyn Keys, id: KeyId) -> Result<(), VaultError> {
        self.forget(id);
        store.destroy(id)?;
        self.0.lock().destroyed.left.remove(&id);
        Ok(())
    }

    /// Removes keys that nothing refers to.
    pub(super) fn discard(&self, store: &dyn Keys, ids: &[KeyId]) -> Result<(), VaultError> {
        let mut known = self.0.lock();
        ids.iter().for_each(|id| drop(known.keys.remove(id)));
        drop(known);
        if ids.is_empty() { Ok(()) } else { store.discard(ids) }
    }

    /// Destroyed keys of which something is left.
    pub(super) fn left(&self) -> BTreeSet<KeyId> {
        self.0.lock().destroyed.left.clone()
    }
}

impl Known {
    /// A key that was read, if it is not destroyed.
    fn get(&self, id: KeyId) -> Result<Option<Arc<KeyBytes>>, VaultError> {
        if self.destroyed.all.contains(&id) {
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
