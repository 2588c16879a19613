//! The stream of an answer, taken apart with every length checked before anything is allocated for it.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, BufReader};
use windlass_protocol::codec::{self, LENGTH_BYTES, Message};
use windlass_protocol::limits;
use windlass_protocol::message::{Answer, PullFile, PullHeader};

use crate::PullError;

/// Small frames are read through this; what is longer goes past it.
const BUFFER_BYTES: usize = 64 << 10;
/// Bytes of the frame of a header or a denial; other answers are longer, and none of them belongs here.
const HEADER_BYTES: usize = 64;

/// The stream.
pub(super) struct Incoming<'a, R> {
    reader: BufReader<&'a mut R>,
}

impl<'a, R: AsyncRead + Unpin> Incoming<'a, R> {
    pub(super) fn new(reader: &'a mut R) -> Self {
        Self { reader: BufReader::with_capacity(BUFFER_BYTES, reader) }
    }

    /// The first frame.
    pub(super) async fn header(&mut self) -> Result<PullHeader, PullError> {
        match self.message::<Answer>(HEADER_BYTES, PullError::UnexpectedAnswer).await? {
            Answer::Pull(header) => Ok(header),
            Answer::Denied(denied) => Err(PullError::Denied(denied)),
            _ => Err(PullError::UnexpectedAnswer),
        }
    }

    /// The manifest's text, of a length that the header says.
    pub(super) async fn text(&mut self, bytes: u32) -> Result<Vec<u8>, PullError> {
        let length = bytes as usize;
        if length == 0 || length > limits::MANIFEST_BYTES {
            return Err(PullError::ManifestLength(bytes));
        }
        let mut text = Vec::new();
        // Grows with what comes, not with what is announced.
        (&mut self.reader).take(u64::from(bytes)).read_to_end(&mut text).await.map_err(PullError::Stream)?;
        if text.len() < length {
            return Err(PullError::Stream(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(text)
    }

    /// The frame before a file.
    pub(super) async fn file(&mut self) -> Result<PullFile, PullError> {
        self.message(PullFile::LIMIT, codec::Malformed::TooLong.into()).await
    }

    /// The length of a segment.
    pub(super) async fn length(&mut self) -> Result<u32, PullError> {
        let mut length = [0; LENGTH_BYTES];
        self.fill(&mut length).await?;
        Ok(u32::from_be_bytes(length))
    }

    /// Exactly these bytes.
    pub(super) async fn fill(&mut self, bytes: &mut [u8]) -> Result<(), PullError> {
        self.reader.read_exact(bytes).await.map(|_| ()).map_err(PullError::Stream)
    }

    /// The end of the stream, and nothing before it.
    pub(super) async fn end(&mut self) -> Result<(), PullError> {
        match self.reader.read(&mut [0]).await.map_err(PullError::Stream)? {
            0 => Ok(()),
            _ => Err(PullError::Trailing),
        }
    }

    async fn message<M: Message>(&mut self, most: usize, too_long: PullError) -> Result<M, PullError> {
        let mut length = [0; LENGTH_BYTES];
        self.fill(&mut length).await?;
        let length = codec::body_length::<M>(length)?;
        if length > most {
            return Err(too_long);
        }
        let mut body = vec![0; length];
        self.fill(&mut body).await?;
        Ok(codec::decode(&body)?)
    }
}
