//! New connections: what they speak decides where they go.

use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::HandshakeData;
use quinn::{Connection, Incoming, ServerConfig, VarInt};
use rustls_pki_types::CertificateDer;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use windlass_coordinator_core::authorise::Peer;
use windlass_protocol::message::{ENROLMENT_ALPN, SESSION_ALPN};

use super::connection_slot::{ConnectionSlot, DRAINED, DRAINING};
use super::frames::discard_untaken;
use super::{Endpoint, Sessions, control, enrol};
use crate::authority::peer_of;
use crate::slots::{Origin, SETTLED, Slots};

/// A handshake takes this long at most.
const PATIENCE: Duration = Duration::from_secs(10);

/// Accepts connections until the endpoint is closed. Slots are for peers that are nobody yet: in their handshake,
/// enrolling, or with a certificate that no session has been admitted with so far.
pub(super) async fn accept_all(sessions: Arc<Sessions>, endpoint: &Endpoint) {
    let slots = Slots::new(sessions.limits.strangers, SETTLED);
    let draining = Slots::new(DRAINED * sessions.limits.strangers, DRAINING);
    while let Some(incoming) = endpoint.accept().await {
        // Where it gets narrow, a slot is only for who can be reached at the address that it gives.
        if slots.taken() >= sessions.limits.strangers / 2 && incoming.may_retry() {
            let _ = incoming.retry();
            continue;
        }
        let evicted = CancellationToken::new();
        let origin = Origin::from(incoming.remote_address().ip());
        // Who holds most of what is still in memory waits until it is not.
        let drained = draining.admit(origin, &CancellationToken::new());
        let Some((open, drained)) =
            drained.and_then(|drained| Some((slots.admit(origin, &evicted)?, drained)))
        else {
            incoming.refuse();
            continue;
        };
        let (config, memory) = endpoint.config_of_one();
        let slot = ConnectionSlot::new(open, drained, memory);
        let sessions = Arc::clone(&sessions);
        tokio::spawn(async move {
            tokio::select! {
                () = evicted.cancelled() => tracing::debug!("a stranger gave its slot to another"),
                () = serve(sessions, incoming, config, slot) => {}
            }
        });
    }
}

async fn serve(sessions: Arc<Sessions>, incoming: Incoming, config: Arc<ServerConfig>, slot: ConnectionSlot) {
    let handshake = async { incoming.accept_with(config)?.await };
    match timeout(PATIENCE, handshake).await {
        Ok(Ok(connection)) => {
            route(sessions, &connection, slot).await;
            discard_untaken(&connection);
        }
        // Strangers that cannot even shake hands are not worth more than this.
        Ok(Err(why)) => tracing::debug!(%why, "a handshake failed"),
        Err(_) => tracing::debug!("a handshake took too long"),
    }
}

async fn route(sessions: Arc<Sessions>, connection: &Connection, slot: ConnectionSlot) {
    let protocol = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
    match protocol.and_then(|data| data.protocol).as_deref() {
        Some(ENROLMENT_ALPN) => enrol::serve(&sessions, connection, slot).await,
        Some(SESSION_ALPN) => match identity(connection) {
            Some(peer) => control::serve(sessions, connection, peer, slot).await,
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
