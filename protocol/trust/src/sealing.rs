//! Sealing bytes to a public key (HPKE, RFC 9180: X25519, HKDF-SHA-256, ChaCha20-Poly1305).

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng, UnwrapErr};
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use zeroize::Zeroizing;

type Private = <X25519HkdfSha256 as Kem>::PrivateKey;
type Public = <X25519HkdfSha256 as Kem>::PublicKey;
type Encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey;

/// Why something cannot be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The bytes are no key.
    #[error("the key to seal to is not an X25519 key")]
    Key,
    /// It was sealed to another key, for another purpose, or changed.
    #[error("what was sealed does not open with this key for this purpose")]
    Opening,
}

/// Sealed bytes with what their reader needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// HPKE's encapsulated key.
    pub encapsulated: Vec<u8>,
    pub ciphertext: Vec<u8>,
}

/// A private key that opens what is sealed to its public half. There is no `Debug`.
pub struct SealingKey {
    private: Private,
    public: Public,
}

impl SealingKey {
    /// The key pair that these 32 secret bytes give.
    pub fn from_secret(secret: &Zeroizing<[u8; 32]>) -> Self {
        let (private, public) = X25519HkdfSha256::derive_keypair(secret.as_slice());
        Self { private, public }
    }

    /// The public half.
    pub fn public(&self) -> [u8; 32] {
        self.public.to_bytes().into()
    }

    /// Opens what was sealed to this key, for exactly this purpose.
    pub fn open(&self, sealed: &Sealed, purpose: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let encapsulated = Encapsulated::from_bytes(&sealed.encapsulated).map_err(|_| SealError::Opening)?;
        let opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.private,
            &encapsulated,
            purpose,
            &sealed.ciphertext,
            b"",
        );
        opened.map(Zeroizing::new).map_err(|_| SealError::Opening)
    }
}

/// Seals bytes to a public key, for one purpose.
pub fn seal(public: &[u8; 32], bytes: &[u8], purpose: &[u8]) -> Result<Sealed, SealError> {
    let public = Public::from_bytes(public).map_err(|_| SealError::Key)?;
    let sealed = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &public,
        purpose,
        bytes,
        b"",
        &mut UnwrapErr(SystemRandom),
    );
    let (encapsulated, ciphertext) = sealed.map_err(|_| SealError::Key)?;
    Ok(Sealed { encapsulated: encapsulated.to_bytes().to_vec(), ciphertext })
}

/// The operating system's randomness, in the shape that HPKE asks for.
struct SystemRandom;

impl TryRng for SystemRandom {
    type Error = getrandom::Error;

    fn try_next_u32(&mut self) -> Result<u32, getrandom::Error> {
        getrandom::u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, getrandom::Error> {
        getrandom::u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), getrandom::Error> {
        getrandom::fill(bytes)
    }
}

impl TryCryptoRng for SystemRandom {}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SealingKey {
        SealingKey::from_secret(&Zeroizing::new([byte; 32]))
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_for_its_purpose_only() {
        let sealed = seal(&key(1).public(), b"secret", b"assignment 1").expect("a key");
        let opened = key(1).open(&sealed, b"assignment 1").map(|bytes| bytes.to_vec());
        assert_eq!(opened, Ok(b"secret".to_vec()));
        assert_eq!(key(2).open(&sealed, b"assignment 1").err(), Some(SealError::Opening));
        assert_eq!(key(1).open(&sealed, b"assignment 2").err(), Some(SealError::Opening));
        let mut changed = sealed;
        changed.ciphertext[0] ^= 1;
        assert_eq!(key(1).open(&changed, b"assignment 1").err(), Some(SealError::Opening));
    }
}
