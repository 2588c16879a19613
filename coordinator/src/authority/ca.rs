//! The CA's key and certificate, and what it issues.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use windlass_protocol::ids::TargetId;
use windlass_protocol::message::COORDINATOR_NAME;
use windlass_protocol::{Digest, Timestamp};

use super::agents::{self, BadRequest};
use crate::engine::{believed, now, random};
use crate::vault::{Vault, VaultError};

/// The CA outlives every machine that it certifies.
const AUTHORITY_DAYS: u64 = 20 * 365;
/// A coordinator makes itself a new certificate at every start, and before the old one expires.
const COORDINATOR_DAYS: u64 = 30;
/// Seconds that an agent's certificate is good for unless the configuration says. Agents renew when half of it is over.
pub const AGENT_SECONDS: u64 = 14 * DAY;
const DAY: u64 = 24 * 3600;
/// Clocks differ: certificates are good from a little before they are made.
const BACKDATED: Duration = Duration::from_secs(600);

/// Why the authority cannot work.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Its key, or its certificate where that lies.
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
}

pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    agent_seconds: u64,
}

/// What a server presents: `[leaf, CA]` and the leaf's key.
pub struct ServerIdentity {
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's key.
    pub key: PrivateKeyDer<'static>,
}

const KEY_NAME: &str = "authority";

/// From this machine's time on, and so long after the time that the journal and all agents count with: where the clock was
/// fast once and is right again, that is later, and an agent takes no certificate that has ended by it.
fn validity(params: &mut CertificateParams, clock: Timestamp, now: Timestamp, seconds: u64) {
    params.not_before = (at(clock) - BACKDATED).into();
    params.not_after = (at(now.max(clock)) + Duration::from_secs(seconds)).into();
}

/// The same, up to a moment; one that is over makes a certificate that has expired, and is one all the same.
fn validity_until(params: &mut CertificateParams, expires: Timestamp) {
    params.not_before = (at(believed().min(expires)) - BACKDATED).into();
    params.not_after = at(expires).into();
}

fn at(moment: Timestamp) -> SystemTime {
    UNIX_EPOCH + moment.since(Timestamp::from_milliseconds(0))
}

impl Authority {
    /// Makes a new authority, whose key goes into the vault. Its certificate is for the caller to keep.
    pub fn create(vault: &Vault) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        let mut name = DistinguishedName::new();
        let suffix = data_encoding::HEXLOWER.encode(&random::<4>());
        name.push(DnType::CommonName, format!("Windlass installation {suffix}"));
        params.distinguished_name = name;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        validity(&mut params, believed(), now(), AUTHORITY_DAYS * DAY);
        let certificate = params.self_signed(&key)?;
        vault.keep(KEY_NAME, key.serialized_der())?;
        let (issuer, certificate) = (Issuer::new(params, key), certificate.der().clone());
        Ok(Self { issuer, certificate, agent_seconds: AGENT_SECONDS })
    }

    /// The authority with this certificate, whose certificates for agents are good for so many seconds.
    pub fn open(
        vault: &Vault,
        certificate: CertificateDer<'static>,
        agent_seconds: u64,
    ) -> Result<Self, AuthorityError> {
        let der = vault.kept(KEY_NAME)?;
        let key = KeyPair::try_from(der.as_slice())?;
        Ok(Self { issuer: Issuer::from_ca_cert_der(&certificate, key)?, certificate, agent_seconds })
    }

    /// SHA-256 of the CA's certificate: what tokens carry and everybody pins.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(self.certificate.as_ref())
    }

    pub const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// A fresh identity for this coordinator, good for the given host names beside the coordinators' own.
    pub fn server_identity(&self, names: &[String]) -> Result<ServerIdentity, AuthorityError> {
        let key = KeyPair::generate()?;
        let names = [COORDINATOR_NAME.to_owned()].into_iter().chain(names.iter().cloned());
        let mut params = CertificateParams::new(names.collect::<Vec<_>>())?;
        params.distinguished_name = named("Windlass coordinator");
        params.serial_number = Some(serial());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        validity(&mut params, believed(), now(), COORDINATOR_DAYS * DAY);
        let leaf = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(ServerIdentity { chain: vec![leaf.der().clone(), self.certificate.clone()], key })
    }

    /// Seconds that agents' certificates are good for.
    pub const fn agent_seconds(&self) -> u64 {
        self.agent_seconds
    }

    /// When an agent's certificate expires that begins now.
    pub const fn expiry(&self, now: Timestamp) -> Timestamp {
        now.plus_seconds(self.agent_seconds)
    }

    /// A certificate for a target, for the public key of its request and nothing else of it, up to the moment that the
    /// journal says.
    pub fn certify(
        &self,
        target: TargetId,
        request: &[u8],
        expires: Timestamp,
    ) -> Result<CertificateDer<'static>, BadRequest> {
        let der = CertificateSigningRequestDer::from(request);
        let request = CertificateSigningRequestParams::from_der(&der).map_err(|_| BadRequest)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named("Windlass agent");
        params.serial_number = Some(serial());
        let name = agents::name_of(target).try_into().map_err(|_| BadRequest)?;
        params.subject_alt_names = vec![SanType::URI(name)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        validity_until(&mut params, expires);
        let certificate = params.signed_by(&request.public_key, &self.issuer).map_err(|_| BadRequest)?;
        Ok(certificate.der().clone())
    }

    /// Whether a certificate that expires then is due for renewal.
    pub fn is_renewal_due(&self, expires: Timestamp, now: Timestamp) -> bool {
        self.until_renewal(expires, now).is_zero()
    }

    /// How long it is until a certificate that expires then is due for renewal: nothing, if it is.
    pub fn until_renewal(&self, expires: Timestamp, now: Timestamp) -> Duration {
        expires.since(now.plus_seconds(self.agent_seconds / 2))
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

fn serial() -> SerialNumber {
    let mut bytes: [u8; 16] = random();
    // A serial number is a positive number.
    bytes[0] &= 0x7f;
    SerialNumber::from_slice(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_good_by_the_clock_and_by_the_journal_that_is_ahead_of_it() {
        let at = |seconds| Timestamp::from_milliseconds(0).plus_seconds(seconds);
        let backdated = BACKDATED.as_secs();
        let clock = 1_790_000_000;
        for (journal, ends) in [(0, clock + 100), (clock, clock + 100), (clock + 5000, clock + 5100)] {
            let mut params = CertificateParams::default();
            validity(&mut params, at(clock), at(journal), 100);
            assert_eq!(params.not_before, super::at(at(clock - backdated)));
            assert_eq!(params.not_after, super::at(at(ends)));
        }
    }
}
