//! Trusting a coordinator by the fingerprint of its CA, wherever it runs (SURFACE, "Programs").

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use windlass_protocol::Digest;
use windlass_protocol::message::COORDINATOR_NAME;

/// Makes aws-lc-rs the process's provider of cryptography: the first thing in every `main`.
pub fn install_provider() {
    // It fails only where it was done before, which is what was wanted.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Accepts a server that presents `[leaf, CA]`, where the CA has the pinned fingerprint, has signed the leaf, and the
/// leaf is a coordinator's: usage for servers, and the coordinators' name. The address does not matter.
#[derive(Debug)]
pub struct PinnedAuthority {
    fingerprint: Digest,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PinnedAuthority {
    /// A verifier for the CA of this fingerprint (SHA-256 of its DER).
    pub fn new(fingerprint: Digest, provider: &CryptoProvider) -> Arc<Self> {
        Arc::new(Self { fingerprint, algorithms: provider.signature_verification_algorithms })
    }
}

impl ServerCertVerifier for PinnedAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let unknown = || Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let authority = intermediates
            .iter()
            .find(|certificate| Digest::of(certificate.as_ref()) == self.fingerprint)
            .ok_or_else(unknown)?;
        let anchor = anchor_from_trusted_cert(authority).map_err(|_| unknown())?;
        let leaf = EndEntityCert::try_from(end_entity)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let usage = KeyUsage::server_auth();
        leaf.verify_for_usage(self.algorithms.all, &[anchor], &[], now, usage, None, None).map_err(
            |why| {
                Error::InvalidCertificate(match why {
                    webpki::Error::CertExpired { .. } => CertificateError::Expired,
                    webpki::Error::CertNotValidYet { .. } => CertificateError::NotValidYet,
                    webpki::Error::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
                    _ => CertificateError::UnknownIssuer,
                })
            },
        )?;
        let name = ServerName::try_from(COORDINATOR_NAME).map_err(|_| unknown())?;
        leaf.verify_is_valid_for_subject_name(&name)
            .map_err(|_| Error::InvalidCertificate(CertificateError::NotValidForName))?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
