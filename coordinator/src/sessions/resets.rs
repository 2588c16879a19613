//! Telling agents at once that their connection is no more: a coordinator that was started anew answers packets of
//! connections that it does not know with a *stateless reset* (RFC 9000, 10.3), which the agent believes because it
//! carries what the coordinator before promised. Otherwise each agent would wait for the silence of half a minute.
//!
//! For that the key of the promises has to outlive the process, and connection ids must not be bound to it.

use hmac::{Hmac, KeyInit, Mac};
use quinn::crypto::{CryptoError, HmacKey};
use quinn::{ConnectionId, ConnectionIdGenerator};

use crate::engine::random;
use crate::vault::KeyBytes;

/// Long enough that ten thousand agents never share one.
const ID_BYTES: usize = 8;
const SIGNATURE_BYTES: usize = 32;

/// The key that promises are made with.
pub(super) struct ResetKey(KeyBytes);

impl ResetKey {
    pub(super) const fn new(key: KeyBytes) -> Self {
        Self(key)
    }

    fn mac(&self, data: &[u8]) -> Hmac<sha2::Sha256> {
        let mut mac = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(self.0.as_slice())
            .expect("HMAC takes a key of any length");
        mac.update(data);
        mac
    }
}

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        signature_out.copy_from_slice(&self.mac(data).finalize().into_bytes());
    }

    fn signature_len(&self) -> usize {
        SIGNATURE_BYTES
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        self.mac(data).verify_slice(signature).map_err(|_| CryptoError)
    }
}

/// Random ids. Every id counts as possible: who restarted has to answer for the ids of the process before.
#[derive(Debug, Clone, Copy)]
struct RandomIds;

pub(super) fn connection_ids() -> Box<dyn ConnectionIdGenerator> {
    Box::new(RandomIds)
}

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        ConnectionId::new(&random::<ID_BYTES>())
    }

    fn cid_len(&self) -> usize {
        ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<std::time::Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    #[test]
    fn a_process_started_anew_keeps_the_promises_of_the_one_before() {
        let before = ResetKey::new(Zeroizing::new([7; 32]));
        let after = ResetKey::new(Zeroizing::new([7; 32]));
        let stranger = ResetKey::new(Zeroizing::new([8; 32]));
        let mut promise = [0; SIGNATURE_BYTES];
        let id = connection_ids().generate_cid();
        before.sign(&id, &mut promise);
        assert!(after.verify(&id, &promise).is_ok());
        assert!(stranger.verify(&id, &promise).is_err());
        assert!(connection_ids().validate(&id).is_ok());
    }
}
