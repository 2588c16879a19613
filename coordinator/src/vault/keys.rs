//! Where keys lie: a trait with two implementations, [files](super::Embedded) sealed with the master key, and one
//! [in memory](super::InMemory).
//!
//! A store wraps what it keeps, so that a copy of it opens nothing once a key is destroyed; nobody else sees how. It does
//! not know what keys are for, or which there have to be: that the journal says.

use std::collections::BTreeSet;
use std::fmt;

use windlass_protocol::ids::KeyId;
use zeroize::Zeroizing;

use super::{KeyBytes, VaultError};

/// What a key is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyName {
    /// A secret of the coordinator's own.
    Own(&'static str),
    /// The data key of a tenant or a space.
    Data(KeyId),
}

impl fmt::Display for KeyName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(name) => name.fmt(formatter),
            Self::Data(key) => key.fmt(formatter),
        }
    }
}

/// Data keys that are destroyed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Destroyed {
    /// All of them, as far back as the store remembers.
    pub all: BTreeSet<KeyId>,
    /// Those of them of which something is left.
    pub left: BTreeSet<KeyId>,
}

/// A store of keys. All of it may wait for a disk or a network.
pub trait Keys: Send + Sync {
    /// The secret of this name, which is there.
    fn read(&self, name: KeyName) -> Result<Zeroizing<Vec<u8>>, VaultError>;

    /// Keeps new data keys, all of them durable when it returns. After an error some may be there, which nothing refers
    /// to. None takes the place of another one: of two that would make one at once, the first does. The very same again
    /// is no error.
    fn make(&self, keys: &[(KeyId, KeyBytes)]) -> Result<(), VaultError>;

    /// Keeps a secret of the coordinator's own, durably, in place of what is there.
    fn keep(&self, name: &'static str, secret: &[u8]) -> Result<(), VaultError>;

    /// Destroys a data key that may be gone already, durably: from when this is called it is never read or made again.
    /// An error says that something of it is left, or that it may be forgotten that it was destroyed; then again.
    fn destroy(&self, key: KeyId) -> Result<(), VaultError>;

    /// Removes data keys that nothing refers to, durably; they may be gone already. It is noted nowhere: nothing that
    /// anybody keeps was sealed with them, so that a backup which brings one back opens nothing.
    fn discard(&self, keys: &[KeyId]) -> Result<(), VaultError>;

    /// What is known to be destroyed, whatever the journal says.
    fn destroyed(&self) -> Destroyed;
}
