//! The vault: sensitive values are sealed before anything is decided, and opened only for who may read them.
//!
//! Each tenant and each space has a data key, kept outside of the journal in a [store of keys](Keys): destroying it
//! erases every value that was ever sealed with it, and leaves the journal whole (SEMANTICS 11). Which keys there are and
//! which are destroyed the journal says: a key is made before the record that says so, and never again; the vault only
//! carries it out (`data_keys.rs`).

mod data_keys;
mod destruction;
mod embedded;
mod error;
mod keys;
mod master;
mod memory;
#[cfg(test)]
mod tests;
mod unnamed;
mod witness;

use std::collections::BTreeSet;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use parking_lot::Mutex;
use windlass_api::sealed::Sealed;
use windlass_protocol::ids::{AssignmentId, KeyId, ValueId};
use windlass_protocol::{Digest, Secret};
use zeroize::Zeroizing;

use crate::engine::random;
use data_keys::DataKeys;
pub use embedded::Embedded;
pub(crate) use embedded::write_private;
pub use error::VaultError;
pub use keys::{Destroyed, KeyName, Keys};
pub use memory::InMemory;

/// 32 bytes of key, overwritten when dropped.
pub type KeyBytes = Zeroizing<[u8; 32]>;

const NONCE: usize = 24;

/// The keys, and what is sealed with them.
pub struct Vault {
    store: Box<dyn Keys>,
    data_keys: DataKeys,
    awaiting: Mutex<unnamed::Awaiting>,
}

impl Vault {
    /// The vault on a store of keys.
    pub fn new(store: impl Keys + 'static) -> Self {
        let data_keys = DataKeys::new(store.destroyed());
        Self { store: Box::new(store), data_keys, awaiting: Mutex::default() }
    }

    /// One of the coordinator's own keys, which were made with the installation.
    pub fn own_key(&self, name: &'static str) -> Result<KeyBytes, VaultError> {
        read_key(self.store.as_ref(), KeyName::Own(name))
    }

    /// A key that protects nothing, and whose loss harms nobody: made anew where it is not there or is damaged, and not
    /// kept where the disk does not take it.
    pub fn harmless_key(&self, name: &'static str) -> KeyBytes {
        match self.own_key(name) {
            Ok(key) => return key,
            Err(VaultError::Missing { .. }) => {}
            Err(why) => tracing::warn!(%why, "a key that can be made anew is"),
        }
        let key: KeyBytes = Zeroizing::new(random());
        if let Err(why) = self.keep(name, key.as_slice()) {
            tracing::warn!(%why, "a new key is not kept; the next start makes another one");
        }
        key
    }

    /// Makes data keys, durably, before the record that says that there are such: of tenants, or of a space.
    pub fn make(&self, keys: &[KeyId]) -> Result<(), VaultError> {
        if keys.is_empty() { Ok(()) } else { self.data_keys.make(self.store.as_ref(), keys) }
    }

    /// Whether a data key can be had.
    pub fn expect(&self, key: KeyId) -> Result<(), VaultError> {
        self.data_key(key).map(drop)
    }

    fn data_key(&self, key: KeyId) -> Result<Arc<KeyBytes>, VaultError> {
        self.data_keys.get(self.store.as_ref(), key)
    }

    /// Keeps a secret text of the coordinator's own, such as the CA's key.
    pub fn keep(&self, name: &'static str, secret: &[u8]) -> Result<(), VaultError> {
        self.store.keep(name, secret)
    }

    /// A secret that was kept.
    pub fn kept(&self, name: &'static str) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        self.store.read(KeyName::Own(name))
    }

    /// The salt of an assignment's variables, derived with the data key of whom they are for. So it is the same whenever
    /// it is asked for, is stored nowhere, and goes when the key is destroyed: from then on nobody can find out what a
    /// digest was made of (SEMANTICS 11).
    pub fn salt(&self, key: KeyId, assignment: AssignmentId) -> Result<[u8; 32], VaultError> {
        let bytes = self.data_key(key)?;
        Ok(keyed(&bytes, b"windlass variables salt 1\n", assignment.as_bytes()))
    }

    /// Seals a value with a data key that was made. What it refers to is for those to note who follow it.
    pub fn seal(&self, key: KeyId, secret: &Secret) -> Result<Sealed, VaultError> {
        let bytes = self.data_key(key)?;
        let value = ValueId::from_bytes(random());
        let nonce: [u8; NONCE] = random();
        let payload = Payload { msg: secret.reveal().as_bytes(), aad: &bound_to(key, value) };
        let sealed =
            cipher(&bytes).encrypt(&XNonce::from(nonce), payload).map_err(|_| VaultError::Sealing)?;
        let ciphertext = data_encoding::BASE64.encode(&[nonce.as_slice(), &sealed].concat());
        let digest = keyed(&bytes, b"windlass value digest 1\n", secret.reveal().as_bytes());
        let (digest, references) = (Digest::from_bytes(digest), BTreeSet::new());
        Ok(Sealed { key, value, ciphertext, digest, references })
    }

    /// Opens a sealed value. Whoever calls this holds a permit that says for whom.
    pub fn reveal(&self, sealed: &Sealed) -> Result<Secret, VaultError> {
        let bytes = self.data_key(sealed.key)?;
        let whole =
            data_encoding::BASE64.decode(sealed.ciphertext.as_bytes()).map_err(|_| VaultError::Opening)?;
        let (nonce, ciphertext) = whole.split_at_checked(NONCE).ok_or(VaultError::Opening)?;
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| VaultError::Opening)?;
        let payload = Payload { msg: ciphertext, aad: &bound_to(sealed.key, sealed.value) };
        let clear = cipher(&bytes).decrypt(&XNonce::from(nonce), payload).map_err(|_| VaultError::Opening)?;
        String::from_utf8(clear).map(Secret::new).map_err(|_| VaultError::Opening)
    }
}

fn read_key(store: &dyn Keys, name: KeyName) -> Result<KeyBytes, VaultError> {
    let bytes = store.read(name)?;
    let unusable =
        |_| VaultError::Unusable { place: name.to_string(), why: "holds no key; a key is 32 bytes" };
    <[u8; 32]>::try_from(bytes.as_slice()).map(Zeroizing::new).map_err(unusable)
}

fn cipher(key: &KeyBytes) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&Key::from(**key))
}

fn bound_to(key: KeyId, value: ValueId) -> Vec<u8> {
    [b"windlass value 1\n".as_slice(), key.as_bytes(), value.as_bytes()].concat()
}

fn keyed(key: &KeyBytes, purpose: &[u8], bytes: &[u8]) -> [u8; 32] {
    let mut mac = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(key.as_slice())
        .expect("HMAC takes a key of any length");
    mac.update(purpose);
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}
