//! The connection to the coordinator: the only files of the agent that name quinn.

mod connect;
mod frames;
mod incoming;

use quinn::{Connection, SendStream};
use windlass_protocol::codec::Message;
use windlass_protocol::gathering::FrameError;
use windlass_protocol::message::{Answer, FromAgent, FromCoordinator, Hello, Request};

pub use connect::{Credentials, connect, connect_by};
pub use incoming::Incoming;

/// An established connection. Cheap to clone.
#[derive(Clone)]
pub struct Link {
    connection: Connection,
}

/// The control stream's sending half.
pub struct ControlSender(SendStream);

/// The control stream's receiving half.
pub struct ControlReceiver(Incoming);

impl Link {
    /// Opens the control stream and says hello.
    pub async fn hello(&self, hello: &Hello) -> Result<(ControlSender, ControlReceiver), FrameError> {
        let (mut send, receive) = self.connection.open_bi().await.map_err(|_| FrameError::Ended)?;
        frames::write(&mut send, hello).await?;
        Ok((ControlSender(send), ControlReceiver(Incoming::new(receive))))
    }

    /// Asks one request; what follows the answer's first frame is left on the stream.
    pub async fn ask(&self, request: &Request) -> Result<Incoming, FrameError> {
        self.ask_message(request).await
    }

    /// Asks with any message, on a stream of its own.
    pub async fn ask_message<M: Message>(&self, message: &M) -> Result<Incoming, FrameError> {
        let (mut send, receive) = self.connection.open_bi().await.map_err(|_| FrameError::Ended)?;
        frames::write(&mut send, message).await?;
        let _ = send.finish();
        Ok(Incoming::new(receive))
    }

    /// Asks one request whose answer is one frame.
    pub async fn answer(&self, request: &Request) -> Result<Answer, FrameError> {
        let mut stream = self.ask(request).await?;
        stream.message().await
    }

    /// Asks with one message whose answer is one frame.
    pub async fn exchange<M: Message, A: Message>(&self, message: &M) -> Result<A, FrameError> {
        let mut stream = self.ask_message(message).await?;
        stream.message().await
    }

    /// Ends the connection.
    pub fn close(&self) {
        self.connection.close(quinn::VarInt::from_u32(0), b"done");
    }
}

impl ControlSender {
    /// Says something on the control stream.
    pub async fn say(&mut self, message: &FromAgent) -> Result<(), FrameError> {
        frames::write(&mut self.0, message).await
    }
}

impl ControlReceiver {
    /// What the coordinator says next. Dropping the future loses nothing: what came of a message is kept for the next
    /// call.
    pub async fn next(&mut self) -> Result<FromCoordinator, FrameError> {
        self.0.message().await
    }
}
