//! Trusting a coordinator by the fingerprint of its CA, wherever it runs (SURFACE, "Programs").

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use windlass_protocol::Digest;
use windlass_protocol::message::COORDINATOR_NAME;

use crate::ClockDisagrees;

/// Makes aws-lc-rs the process's provider of cryptography: the first thing in every `main`.
pub fn install_provider() {
    // It fails only where it was done before, which is what was wanted.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Accepts a server that presents `[leaf, CA]`, where the CA has the pinned fingerprint, has signed the leaf, and the
/// leaf is a coordinator's: usage for servers, and the coordinators' name. The address does not matter.
///
/// A leaf that has ended is refused. One that has not begun shows that this machine's clock is slow, for the CA makes none
/// that begins later than now: it is judged by the time at which it begins, so that a machine with a dead clock comes
/// back by itself (SEMANTICS 3). That lets nothing pass which the same machine would refuse with a right clock.
#[derive(Debug)]
pub struct PinnedAuthority {
    fingerprint: Digest,
    algorithms: WebPkiSupportedAlgorithms,
    /// For who is told no more than a text of why a handshake failed.
    disagrees: OnceLock<ClockDisagrees>,
}

impl PinnedAuthority {
    /// A verifier for the CA of this fingerprint (SHA-256 of its DER).
    pub fn new(fingerprint: Digest, provider: &CryptoProvider) -> Arc<Self> {
        let algorithms = provider.signature_verification_algorithms;
        Arc::new(Self { fingerprint, algorithms, disagrees: OnceLock::new() })
    }

    /// What was wrong with the times of the first certificate that was refused for them.
    pub fn disagrees(&self) -> Option<ClockDisagrees> {
        self.disagrees.get().copied()
    }

    /// Whether the authority has signed a leaf for a server that is good at this time; it may begin later.
    fn judge(&self, leaf: &EndEntityCert<'_>, anchor: &TrustAnchor<'_>, now: UnixTime) -> Result<(), Error> {
        let usage = KeyUsage::server_auth;
        let anchors = std::slice::from_ref(anchor);
        let at = |time| {
            leaf.verify_for_usage(self.algorithms.all, anchors, &[], time, usage(), None, None).map(drop)
        };
        let judged = match at(now) {
            Err(webpki::Error::CertNotValidYet { not_before, .. }) => at(not_before),
            judged => judged,
        };
        let why = match judged {
            Ok(()) => return Ok(()),
            Err(webpki::Error::CertExpired { not_after, .. }) => {
                CertificateError::ExpiredContext { time: now, not_after }
            }
            Err(webpki::Error::RequiredEkuNotFoundContext(_)) => CertificateError::InvalidPurpose,
            Err(_) => CertificateError::UnknownIssuer,
        };
        Err(Error::InvalidCertificate(why))
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
        self.judge(&leaf, &anchor, now).inspect_err(|why| {
            if let Some(disagrees) = ClockDisagrees::of(why) {
                // The first one tells enough.
                let _ = self.disagrees.set(disagrees);
            }
        })?;
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

    use super::*;

    const DAY: u64 = 24 * 3600;
    /// A day of 2026.
    const TODAY: u64 = 1_790_000_000;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    /// A CA's certificate, and what it issues for these days from today on.
    struct Authority {
        issuer: Issuer<'static, KeyPair>,
        certificate: CertificateDer<'static>,
    }

    impl Authority {
        fn new() -> Self {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            let certificate = params.self_signed(&key).unwrap().der().clone();
            Self { issuer: Issuer::new(params, key), certificate }
        }

        fn leaf(
            &self,
            name: &str,
            usage: ExtendedKeyUsagePurpose,
            days: (i64, i64),
        ) -> CertificateDer<'static> {
            let mut params = CertificateParams::new([name.to_owned()]).unwrap();
            params.extended_key_usages = vec![usage];
            let time = |days: i64| {
                let seconds = TODAY.saturating_add_signed(days * DAY.cast_signed());
                (std::time::UNIX_EPOCH + Duration::from_secs(seconds)).into()
            };
            (params.not_before, params.not_after) = (time(days.0), time(days.1));
            params.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap().der().clone()
        }
    }

    #[test]
    fn a_slow_clock_is_corrected_by_the_certificate_and_one_that_has_ended_is_refused_with_both_times() {
        use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
        let (authority, other) = (Authority::new(), Authority::new());
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let good = (-1, 29);
        let ended = |now, until| CertificateError::ExpiredContext { time: at(now), not_after: at(until) };
        let cases = [
            ("a right clock", authority.leaf(COORDINATOR_NAME, ServerAuth, good), TODAY, None),
            ("a dead clock", authority.leaf(COORDINATOR_NAME, ServerAuth, good), 0, None),
            ("weeks slow", authority.leaf(COORDINATOR_NAME, ServerAuth, good), TODAY - 50 * DAY, None),
            (
                "a right clock, and a certificate that has ended",
                authority.leaf(COORDINATOR_NAME, ServerAuth, (-31, -1)),
                TODAY,
                Some(ended(TODAY, TODAY - DAY)),
            ),
            (
                "a fast clock",
                authority.leaf(COORDINATOR_NAME, ServerAuth, good),
                TODAY + 400 * DAY,
                Some(ended(TODAY + 400 * DAY, TODAY + 29 * DAY)),
            ),
            (
                "never good",
                authority.leaf(COORDINATOR_NAME, ServerAuth, (20, 10)),
                TODAY,
                Some(CertificateError::UnknownIssuer),
            ),
            // What is wrong with it otherwise is wrong with a dead clock too.
            (
                "another's",
                other.leaf(COORDINATOR_NAME, ServerAuth, good),
                0,
                Some(CertificateError::UnknownIssuer),
            ),
            (
                "an agent's",
                authority.leaf(COORDINATOR_NAME, ClientAuth, good),
                0,
                Some(CertificateError::InvalidPurpose),
            ),
            (
                "another name",
                authority.leaf("agent.windlass.internal", ServerAuth, good),
                0,
                Some(CertificateError::NotValidForName),
            ),
        ];
        for (what, leaf, now, refused) in cases {
            let pinned = PinnedAuthority::new(Digest::of(&authority.certificate), &provider);
            let name = ServerName::try_from("deploy.example.com").unwrap();
            let chain = std::slice::from_ref(&authority.certificate);
            let judged = pinned.verify_server_cert(&leaf, chain, &name, &[], at(now));
            assert_eq!(
                judged.map(drop),
                refused.clone().map_or(Ok(()), |why| Err(Error::InvalidCertificate(why))),
                "{what}"
            );
            let told = refused.and_then(|why| ClockDisagrees::of(&Error::InvalidCertificate(why)));
            assert_eq!(pinned.disagrees(), told, "{what}");
        }
    }

    #[test]
    fn both_times_are_said() {
        let said = ClockDisagrees::Ended { now: at(2_000_000_000), until: at(TODAY) }.to_string();
        assert_eq!(
            said,
            "it is 2033-05-18T03:33:20Z by this machine's clock, but the coordinator's certificate is good until \
             2026-09-21T14:13:20Z; one of the two machines has a wrong clock"
        );
    }
}
