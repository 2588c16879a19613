//! A client that says that its acknowledgements take as long as they may: whoever closes a connection with it keeps that for three
//! times as long (RFC 9000, 10.2).

use std::sync::Arc;

use quinn::crypto::{ClientConfig, Session};
use quinn::{ConnectError, Side};
use quinn_proto::transport_parameters::TransportParameters;

/// The transport parameter `max_ack_delay` (0x0b): two bytes that say 2^14 - 1 milliseconds (RFC 9000, 16 and 18.2).
const MAX_ACK_DELAY: [u8; 4] = [0x0b, 2, 0x7f, 0xff];

/// TLS with that in its transport parameters.
pub(crate) struct Slow(pub(crate) Arc<dyn ClientConfig>);

impl ClientConfig for Slow {
    fn start_session(
        self: Arc<Self>,
        version: u32,
        server_name: &str,
        parameters: &TransportParameters,
    ) -> Result<Box<dyn Session>, ConnectError> {
        let mut written = Vec::new();
        parameters.write(&mut written);
        written.extend(MAX_ACK_DELAY);
        let parameters = TransportParameters::read(Side::Server, &mut written.as_slice())
            .expect("what a client may say, a server can read");
        Arc::clone(&self.0).start_session(version, server_name, &parameters)
    }
}
