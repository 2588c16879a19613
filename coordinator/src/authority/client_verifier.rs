//! Which client certificates the TLS layer lets in: agents' certificates of this CA, expired ones too, because an
//! expired one may do one thing: renew (SEMANTICS 3). What it may do is decided above, by the permit.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
    client::danger::HandshakeSignatureValid,
};
use windlass_protocol::Timestamp;

use crate::engine::now;

/// The time by which TLS judges agents' certificates: that of all else. One that was made while the clock was fast begins
/// too late for a clock that is right again, and has begun by the journal's time.
#[derive(Debug)]
pub struct JournalTime;

impl TimeProvider for JournalTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(now().since(Timestamp::from_milliseconds(0))))
    }
}

/// The verifier of agents' certificates.
#[derive(Debug)]
pub struct AgentVerifier {
    inner: Arc<dyn ClientCertVerifier>,
}

impl AgentVerifier {
    /// A verifier for certificates of this CA. Clients without one get in as well, to enrol.
    pub fn new(
        authority: &CertificateDer<'static>,
        provider: Arc<CryptoProvider>,
    ) -> anyhow::Result<Arc<Self>> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone())?;
        let inner = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .allow_unauthenticated()
            .build()?;
        Ok(Arc::new(Self { inner }))
    }
}

impl ClientCertVerifier for AgentVerifier {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.inner.verify_client_cert(end_entity, intermediates, now) {
            // Judged as of the last moment of its life: everything but the date still has to be right.
            Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
                self.inner.verify_client_cert(end_entity, intermediates, not_after)
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
