//! Who an agent is, by its certificate, and which key a request is for.

use rustls_pki_types::CertificateDer;
use windlass_coordinator_core::authorise::Peer;
use windlass_protocol::ids::TargetId;
use windlass_protocol::{Digest, Timestamp};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// An agent's request for a certificate cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request for a certificate cannot be used")]
pub struct BadRequest;

const URI_PREFIX: &str = "windlass:";

/// The name of a target in its certificates.
pub(super) fn name_of(target: TargetId) -> String {
    format!("{URI_PREFIX}{target}")
}

/// SHA-256 of the public key that a request is for, once its own signature is checked.
pub fn requested_key(request: &[u8]) -> Result<Digest, BadRequest> {
    let (rest, parsed) = X509CertificationRequest::from_der(request).map_err(|_| BadRequest)?;
    if !rest.is_empty() {
        return Err(BadRequest);
    }
    parsed.verify_signature().map_err(|_| BadRequest)?;
    Ok(Digest::of(parsed.certification_request_info.subject_pki.raw))
}

/// Who a certificate that the TLS layer has verified belongs to. `None`: it is no agent's.
pub fn peer_of(certificate: &CertificateDer<'_>) -> Option<Peer> {
    let (_, parsed) = X509Certificate::from_der(certificate.as_ref()).ok()?;
    let names = parsed.subject_alternative_name().ok()??;
    let target = match names.value.general_names.as_slice() {
        [GeneralName::URI(uri)] => uri.strip_prefix(URI_PREFIX)?.parse().ok()?,
        _ => return None,
    };
    let expires = parsed.validity().not_after.timestamp().checked_mul(1000)?;
    Some(Peer {
        target,
        public_key: Digest::of(parsed.public_key().raw),
        expires: Timestamp::from_milliseconds(expires),
    })
}
