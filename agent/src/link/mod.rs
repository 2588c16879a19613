//! The connection to the coordinator: the only files of the agent that name quinn.

mod connect;
mod frames;
mod incoming;

use std::time::Duration;

use quinn::{Connection, Endpoint, SendStream};
use tokio::time::timeout;
use windlass_protocol::codec::Message;
use windlass_protocol::gathering::FrameError;
use windlass_protocol::message::{Answer, FromAgent, FromCoordinator, Hello, Request};

pub use connect::{Credentials, connect, connect_by};
pub use incoming::Incoming;

/// How long a coordinator may take for each part of an answer that is one frame, and of a request: more than it takes
/// when it is busy, and not so long that a task seems to hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the end of a connection may take to be told.
const FAREWELL: Duration = Duration::from_millis(500);

/// An established connection. Cheap to clone.
#[derive(Clone)]
pub struct Link {
    endpoint: Endpoint,
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
        // What it says there comes when it comes: a connection that is gone ends by itself.
        Ok((ControlSender(send), ControlReceiver(Incoming::new(receive, Duration::MAX))))
    }

    /// Asks one request; what follows the answer's first frame is left on the stream. The answer may take any time: a
    /// pull waits for its turn, and who asked anew would wait for another.
    pub async fn ask(&self, request: &Request) -> Result<Incoming, FrameError> {
        self.ask_message(request).await
    }

    /// Asks with any message, on a stream of its own.
    pub async fn ask_message<M: Message>(&self, message: &M) -> Result<Incoming, FrameError> {
        self.ask_within(Duration::MAX, message).await
    }

    async fn ask_within<M: Message>(&self, patience: Duration, message: &M) -> Result<Incoming, FrameError> {
        let opened = timeout(PATIENCE, self.connection.open_bi()).await.map_err(|_| FrameError::Ended)?;
        let (mut send, receive) = opened.map_err(|_| FrameError::Ended)?;
        frames::write_within(PATIENCE, &mut send, message).await?;
        let _ = send.finish();
        Ok(Incoming::new(receive, patience))
    }

    /// Asks one request whose answer is one frame.
    pub async fn answer(&self, request: &Request) -> Result<Answer, FrameError> {
        self.exchange(request).await
    }

    /// Asks with one message whose answer is one frame.
    pub async fn exchange<M: Message, A: Message>(&self, message: &M) -> Result<A, FrameError> {
        let mut stream = self.ask_within(PATIENCE, message).await?;
        stream.message().await
    }

    pub fn close(&self) {
        self.connection.close(quinn::VarInt::from_u32(0), b"done");
    }

    /// Ends the connection and waits until that is told, before the process ends: a coordinator that is not told misses
    /// this agent only when it has heard nothing for half a minute.
    pub async fn end(&self) {
        self.close();
        let _ = timeout(FAREWELL, self.endpoint.wait_idle()).await;
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
