//! New connections: what they speak decides where they go.

use std::sync::Arc;

use quinn::crypto::rustls::HandshakeData;
use quinn::{Connection, VarInt};
use rustls_pki_types::CertificateDer;
use windlass_coordinator_core::authorise::Peer;
use windlass_protocol::message::{ENROLMENT_ALPN, SESSION_ALPN};

use super::{Endpoint, Sessions, control, enrol};
use crate::authority::peer_of;

/// Accepts connections until the endpoint is closed.
pub(super) async fn accept_all(sessions: Arc<Sessions>, endpoint: &Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        let sessions = Arc::clone(&sessions);
        tokio::spawn(async move {
            match incoming.await {
                Ok(connection) => route(sessions, connection).await,
                // Strangers that cannot even shake hands are not worth more than this.
                Err(why) => tracing::debug!(%why, "a handshake failed"),
            }
        });
    }
}

async fn route(sessions: Arc<Sessions>, connection: Connection) {
    let protocol = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
    match protocol.and_then(|data| data.protocol).as_deref() {
        Some(ENROLMENT_ALPN) => enrol::serve(&sessions, &connection).await,
        Some(SESSION_ALPN) => match identity(&connection) {
            Some(peer) => control::serve(sessions, connection, peer).await,
            None => connection.close(VarInt::from_u32(1), b"a session needs an agent's certificate"),
        },
        _ => connection.close(VarInt::from_u32(1), b"unknown protocol"),
    }
}

/// Who the peer proved to be. No message ever says it again.
fn identity(connection: &Connection) -> Option<Peer> {
    let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    peer_of(chain.first()?)
}
