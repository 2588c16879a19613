//! Data keys that were made for a command which then was refused: no record names them, and they are removed.
//!
//! A key is made before the record that names it, so that one is removed only when it is certain that no record does. A
//! decision that was refused never came to the journal. What a full disk refused may have: until a later record is
//! durable, the journal may still hold it, and a start would read it.
//!
//! Nothing of this is done at a start: an older journal that somebody put back names fewer keys than the one that it took
//! the place of, and a key that only that one names must be there when it comes back. So what a crash, or a client that
//! went away meanwhile, left between a key and its record stays, and harms nobody.

use std::collections::BTreeSet;
use std::sync::Arc;

use windlass_coordinator_core::state::State;
use windlass_protocol::ids::KeyId;

use super::Vault;

/// A key that a record may name, once this many records are durable.
pub(super) type Awaiting = Vec<(u64, KeyId)>;

impl Vault {
    /// The command that these keys were made for has its answer. With more records than `after` it is certain whether one
    /// of them names a key.
    pub fn answered(&self, keys: impl IntoIterator<Item = KeyId>, after: u64) {
        self.awaiting.lock().extend(keys.into_iter().map(|key| (after, key)));
    }

    /// Removes the keys that no record names, where that is certain. What cannot be removed is tried again. The state is
    /// asked for when it is known of which keys: one from before a command was answered says nothing of its keys.
    pub fn discard_unnamed(&self, state: impl FnOnce() -> Arc<State>) {
        let mut awaiting = self.awaiting.lock();
        if awaiting.is_empty() {
            return;
        }
        let state = state();
        let certain: Vec<_> = awaiting.extract_if(.., |(after, _)| *after < state.number).collect();
        drop(awaiting);
        if certain.is_empty() {
            return;
        }
        let named = named(&state);
        let unnamed: Vec<_> =
            certain.iter().map(|(_, key)| *key).filter(|key| !named.contains(key)).collect();
        match self.data_keys.discard(self.store.as_ref(), &unnamed) {
            Ok(()) if unnamed.is_empty() => {}
            Ok(()) => tracing::debug!(keys = unnamed.len(), "keys of refused commands are removed"),
            Err(why) => {
                tracing::warn!(%why, "keys that nothing names are still there; it is tried again");
                self.answered(unnamed, 0);
            }
        }
    }
}

/// Every key that a record up to this state names.
fn named(state: &State) -> BTreeSet<KeyId> {
    let of_space = state.spaces.values().flat_map(|space| {
        let tenants = space.tenants.iter().map(|tenant| tenant.key);
        tenants.chain(space.destroyed_keys.iter().copied()).chain([space.head.key])
    });
    of_space.collect()
}
