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

#[cfg(test)]
mod tests {
    use windlass_protocol::Timestamp;
    use windlass_protocol::ids::{AssignmentId, DeploymentId, EnvironmentId, ProjectId, SpaceId, TargetId};
    use windlass_protocol::message::{FetchWork, Generation, InstallationPath, Work};

    use super::*;

    fn assignment() -> Assignment {
        let slug = |text: &str| text.parse().expect("a slug");
        Assignment {
            target: TargetId::from_bytes([1; 16]),
            id: AssignmentId::from_bytes([2; 16]),
            generation: Generation { epoch: 1, sequence: 3 },
            not_before: Timestamp::from_milliseconds(4),
            expires: Timestamp::from_milliseconds(5),
            deployment: DeploymentId::from_bytes([6; 16]),
            path: InstallationPath {
                space: (SpaceId::from_bytes([7; 16]), slug("default")),
                environment: (EnvironmentId::from_bytes([8; 16]), slug("staging")),
                environment_name: "Staging".to_owned(),
                tenant: None,
                tenant_name: None,
                project: (ProjectId::from_bytes([9; 16]), slug("web")),
                version: "1.0.0".to_owned(),
            },
            work: Work::Fetch(FetchWork { packages: Vec::new() }),
        }
    }

    /// Of all that could come with a signature, these bytes with this signature by this key are an assignment.
    #[test]
    fn an_assignment_is_signed_as_one_byte_for_byte_by_the_coordinators_key_or_is_none() {
        let secret = SigningKey::from_bytes(&[5; 32]);
        let public = secret.verifying_key().to_bytes();
        let signer = AssignmentSigner::from_secret(&Zeroizing::new(secret.to_bytes()));
        assert_eq!(signer.public(), public);
        let signed = signer.sign(&assignment()).expect("a small one");
        assert_eq!(verify_assignment(&public, &signed), Ok(assignment()));

        let refused = Err(BadSignature::Signature);
        let with = |change: &dyn Fn(&mut SignedAssignment)| {
            let mut changed = signed.clone();
            change(&mut changed);
            changed
        };
        for at in 0..signed.body.len() {
            assert_eq!(verify_assignment(&public, &with(&|to| to.body[at] ^= 1)), refused, "byte {at}");
        }
        for at in 0..signed.signature.len() {
            assert_eq!(verify_assignment(&public, &with(&|to| to.signature[at] ^= 1)), refused, "byte {at}");
        }
        let by = |key: &SigningKey, bytes: &[u8]| {
            with(&|to: &mut SignedAssignment| to.signature = key.sign(bytes).to_bytes().to_vec())
        };
        let body = signed.body.as_slice();
        let as_one = [b"windlass assignment 1\n", body].concat();
        assert_eq!(by(&secret, &as_one), signed, "agents of every version know this prefix");
        for (what, case) in [
            ("longer", with(&|to| to.body.push(0))),
            ("shorter", with(&|to| to.body.truncate(body.len() - 1))),
            ("without a signature", with(&|to| to.signature.clear())),
            ("with too long a one", with(&|to| to.signature.push(0))),
            // What the same key signs for another purpose is no assignment.
            ("signed as nothing in particular", by(&secret, body)),
            ("signed as something else", by(&secret, &[b"windlass something 1\n", body].concat())),
            ("signed by another key", by(&SigningKey::from_bytes(&[6; 32]), &as_one)),
        ] {
            assert_eq!(verify_assignment(&public, &case), refused, "{what}");
        }
        // The neutral point as a key has a signature that fits all there is, unless that is looked for.
        let neutral: [u8; 64] = std::array::from_fn(|at| u8::from(at == 0));
        let by_nobody = with(&|to| to.signature = neutral.to_vec());
        assert_eq!(verify_assignment(neutral.first_chunk().expect("32 bytes"), &by_nobody), refused);
    }

    #[test]
    fn what_is_signed_and_no_assignment_is_told_from_what_is_not_signed() {
        let secret = SigningKey::from_bytes(&[5; 32]);
        let sign = |body: &[u8]| SignedAssignment {
            signature: secret.sign(&signed_bytes(body)).to_bytes().to_vec(),
            body: body.to_vec(),
        };
        let whole = codec::body(&assignment()).expect("a small one");
        for body in [&whole[..whole.len() - 1], &[whole.as_slice(), b"x"].concat(), b"", b"\x01\x02\x03"] {
            let why = verify_assignment(&secret.verifying_key().to_bytes(), &sign(body));
            assert!(matches!(why, Err(BadSignature::Malformed(_))), "{why:?}");
        }
    }
}
