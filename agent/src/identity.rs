//! Who the agent is: the key that it made on this machine, and what the coordinator gave for it at enrolment.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use serde::{Deserialize, Serialize};
use windlass_protocol::Digest;
use windlass_protocol::ids::TargetId;
use windlass_sentences::{ExitKind, Fault};
use windlass_trust::SealingKey;
use zeroize::Zeroizing;

use crate::durable;

/// The agent's secrets, made on the machine and never sent anywhere.
#[derive(Serialize, Deserialize)]
struct Keys {
    /// The certificate's key, PKCS #8, base64.
    key: Zeroizing<String>,
    /// 32 bytes that the sealing key is made from, base64.
    sealing: Zeroizing<String>,
}

/// What the coordinator gave.
#[derive(Clone, Serialize, Deserialize)]
pub struct Membership {
    /// `HOST:PORT` of the coordinator.
    pub coordinator: String,
    pub target: TargetId,
    pub name: String,
    /// The CA's certificate, DER in base64.
    pub authority: String,
    /// The ed25519 key of assignments.
    pub assignment_key: Digest,
    /// The coordinator's X25519 key.
    pub sealing_key: Digest,
}

/// An enrolled agent.
pub struct Identity {
    folder: PathBuf,
    /// What the coordinator gave.
    pub membership: Membership,
    /// Opens what is sealed to this agent.
    pub sealing: SealingKey,
    key: Zeroizing<Vec<u8>>,
}

/// Whether an agent is enrolled there.
pub fn is_enrolled(state_root: &Path) -> anyhow::Result<bool> {
    is_there(&folder(state_root).join("membership.json"))
}

fn folder(state_root: &Path) -> PathBuf {
    state_root.join("identity")
}

/// Writes a file that only its owner may read, durably, all or nothing.
fn write_private(path: &Path, bytes: &[u8], points: &'static str) -> anyhow::Result<()> {
    durable::create_folder(path.parent().unwrap_or(Path::new("/")))?;
    durable::write(path, bytes, points)
}

/// Whether a file is there. One that cannot be looked at is not taken for one that is missing.
fn is_there(path: &Path) -> anyhow::Result<bool> {
    path.try_exists().with_context(|| format!("cannot look at {}", path.display()))
}

fn base64(bytes: &[u8]) -> String {
    data_encoding::BASE64.encode(bytes)
}

fn from_base64(text: &str) -> anyhow::Result<Vec<u8>> {
    data_encoding::BASE64.decode(text.as_bytes()).context("a file of the identity is damaged")
}

/// A key pair that is not enrolled yet. It is on disk before it is used, so that an enrolment whose answer was lost
/// can be asked for again with the same key and token.
pub struct NewKeys {
    folder: PathBuf,
    key: rcgen::KeyPair,
    sealing: SealingKey,
}

impl NewKeys {
    /// The keys of an unfinished enrolment, or new ones. An enrolled agent is refused: it has its keys.
    pub fn prepare(state_root: &Path) -> anyhow::Result<Self> {
        let folder = folder(state_root);
        if is_enrolled(state_root)? {
            let text =
                format!("this agent is enrolled already; remove {} to enrol it anew", folder.display());
            return Err(Fault::new(ExitKind::Conflict, text).into());
        }
        let path = folder.join("keys.json");
        if !is_there(&path)? {
            let mut sealing = Zeroizing::new([0; 32]);
            getrandom::fill(sealing.as_mut_slice()).context("no randomness")?;
            let key = rcgen::KeyPair::generate()?;
            let keys = Keys {
                key: Zeroizing::new(base64(key.serialized_der())),
                sealing: Zeroizing::new(base64(sealing.as_slice())),
            };
            write_private(&path, &Zeroizing::new(serde_json::to_vec(&keys)?), "enrolment-keys")?;
        }
        let (key, sealing) = read_keys(&folder)?;
        Ok(Self { folder, key: rcgen::KeyPair::try_from(key.as_slice())?, sealing })
    }

    /// The request for a certificate, signed by the key.
    pub fn request(&self) -> anyhow::Result<Vec<u8>> {
        certificate_request(&self.key)
    }

    /// The X25519 public key.
    pub fn sealing_key(&self) -> [u8; 32] {
        self.sealing.public()
    }

    /// Keeps what the coordinator gave: from here on the agent is enrolled.
    pub fn enrolled(self, membership: &Membership, certificate: &[u8]) -> anyhow::Result<()> {
        write_private(&self.folder.join("certificate.der"), certificate, "enrolment-certificate")?;
        let membership = serde_json::to_vec_pretty(membership)?;
        write_private(&self.folder.join("membership.json"), &membership, "enrolment-membership")
    }
}

fn certificate_request(key: &rcgen::KeyPair) -> anyhow::Result<Vec<u8>> {
    // The coordinator uses the public key alone: what else stands in a request is nobody's word.
    let request = rcgen::CertificateParams::default().serialize_request(key)?;
    Ok(request.der().to_vec())
}

fn damaged(path: &Path) -> anyhow::Error {
    anyhow!("{} is damaged; restore it from a backup, or have the machine enrolled anew", path.display())
}

fn read_keys(folder: &Path) -> anyhow::Result<(Zeroizing<Vec<u8>>, SealingKey)> {
    let path = folder.join("keys.json");
    let text = Zeroizing::new(fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
    let keys: Keys = serde_json::from_slice(&text).map_err(|_| damaged(&path))?;
    let sealing = Zeroizing::new(from_base64(&keys.sealing)?);
    let secret = <[u8; 32]>::try_from(sealing.as_slice()).context("a file of the identity is damaged")?;
    let sealing = SealingKey::from_secret(&Zeroizing::new(secret));
    Ok((Zeroizing::new(from_base64(&keys.key)?), sealing))
}

impl Identity {
    /// Reads the identity of an enrolled agent.
    pub fn read(state_root: &Path) -> anyhow::Result<Self> {
        let folder = folder(state_root);
        let path = folder.join("membership.json");
        let text = match fs::read(&path) {
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
                bail!(
                    "this agent is not enrolled; run `windlass-agent enrol --coordinator HOST:PORT --token TOKEN`"
                )
            }
            read => read.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let membership = serde_json::from_slice(&text).map_err(|_| damaged(&path))?;
        let (key, sealing) = read_keys(&folder)?;
        Ok(Self { folder, membership, sealing, key })
    }

    /// The certificate in force, DER.
    pub fn certificate(&self) -> anyhow::Result<Vec<u8>> {
        let path = self.folder.join("certificate.der");
        fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// The key of the certificate, PKCS #8.
    pub fn key(&self) -> Zeroizing<Vec<u8>> {
        self.key.clone()
    }

    /// A request for a new certificate for the same key.
    pub fn renewal_request(&self) -> anyhow::Result<Vec<u8>> {
        certificate_request(&rcgen::KeyPair::try_from(self.key.as_slice())?)
    }

    /// Keeps a renewed certificate.
    pub fn renewed(&self, certificate: &[u8]) -> anyhow::Result<()> {
        write_private(&self.folder.join("certificate.der"), certificate, "renewal")
    }

    /// The fingerprint of the coordinator's CA.
    pub fn fingerprint(&self) -> anyhow::Result<Digest> {
        Ok(Digest::of(from_base64(&self.membership.authority)?))
    }
}
