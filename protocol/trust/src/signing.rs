//! Signing assignments and checking their signature (ed25519).

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use windlass_protocol::codec::{self, Malformed, TooLarge};
use windlass_protocol::message::{Assignment, SignedAssignment};
use zeroize::Zeroizing;

/// Signs assignments with the coordinator's key. There is no `Debug`.
pub struct AssignmentSigner(SigningKey);

impl AssignmentSigner {
    /// The signer of these 32 secret bytes.
    pub fn from_secret(secret: &Zeroizing<[u8; 32]>) -> Self {
        Self(SigningKey::from_bytes(secret))
    }

    /// The public key, which agents keep from their enrolment.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Encodes and signs an assignment, unless it is larger than an agent takes.
    pub fn sign(&self, assignment: &Assignment) -> Result<SignedAssignment, TooLarge> {
        let body = codec::body(assignment)?;
        let signature = self.0.sign(&signed_bytes(&body)).to_bytes().to_vec();
        Ok(SignedAssignment { body, signature })
    }
}

/// Why an assignment is not the coordinator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// The signature is not by this key over these bytes.
    #[error("the assignment's signature is not the coordinator's")]
    Signature,
    /// It is signed, and cannot be decoded.
    #[error("the assignment cannot be decoded: {0}")]
    Malformed(#[from] Malformed),
}

/// Checks the signature over the bytes as they came, and only then decodes them.
pub fn verify_assignment(public: &[u8; 32], signed: &SignedAssignment) -> Result<Assignment, BadSignature> {
    let key = VerifyingKey::from_bytes(public).map_err(|_| BadSignature::Signature)?;
    let signature = Signature::from_slice(&signed.signature).map_err(|_| BadSignature::Signature)?;
    key.verify_strict(&signed_bytes(&signed.body), &signature).map_err(|_| BadSignature::Signature)?;
    Ok(codec::decode(&signed.body)?)
}

fn signed_bytes(body: &[u8]) -> Vec<u8> {
    [SignedAssignment::SIGNED_PREFIX, body].concat()
}
