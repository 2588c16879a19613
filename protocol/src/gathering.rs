//! Frames that come in pieces: what the readers of both sides have in common. It knows neither streams nor time.

use crate::codec::{self, LENGTH_BYTES, Malformed, Message, TooLarge};

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The stream or connection ended.
    #[error("the connection ended")]
    Ended,
    /// The bytes are no message.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The message may not be sent.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// Bytes to take off a stream at once: memory grows with what comes, not with what is announced.
pub const PIECE_BYTES: usize = 4 << 10;

/// What has come of the frame that is being read. It is kept outside of whoever waits for the rest, so that an
/// interrupted wait loses nothing.
#[derive(Debug, Default)]
pub struct Gathering {
    frame: Vec<u8>,
}

impl Gathering {
    /// How many bytes to take off the stream next, at most [`PIECE_BYTES`]; none: the frame is whole. No byte of a body
    /// that is too long for an `M` is asked for.
    pub fn wanted<M: Message>(&self) -> Result<usize, Malformed> {
        let whole = match self.frame.first_chunk() {
            None => LENGTH_BYTES,
            Some(length) => LENGTH_BYTES + codec::body_length::<M>(*length)?,
        };
        Ok((whole - self.frame.len()).min(PIECE_BYTES))
    }

    /// Takes the next bytes, no more than were wanted.
    pub fn came(&mut self, bytes: &[u8]) {
        self.frame.extend_from_slice(bytes);
    }

    /// The message of a frame that is whole; the next frame begins.
    pub fn message<M: Message>(&mut self) -> Result<M, Malformed> {
        let message = codec::decode(self.frame.get(LENGTH_BYTES..).unwrap_or_default());
        self.frame.clear();
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Answer, FromCoordinator, Generation};

    fn nudge(sequence: u64) -> FromCoordinator {
        FromCoordinator::Nudge { generation: Generation { epoch: 1, sequence } }
    }

    #[test]
    fn frames_come_whole_whatever_the_pieces() {
        let stream: Vec<u8> = (0..50).flat_map(|number| codec::frame(&nudge(number)).unwrap()).collect();
        for most in [1, 3, 7, PIECE_BYTES] {
            let (mut rest, mut gathering) = (stream.as_slice(), Gathering::default());
            for number in 0..50 {
                while let wanted @ 1.. = gathering.wanted::<FromCoordinator>().unwrap() {
                    let (piece, left) = rest.split_at(wanted.min(most));
                    gathering.came(piece);
                    rest = left;
                }
                assert!(gathering.message::<FromCoordinator>().unwrap() == nudge(number));
            }
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn a_body_that_is_too_long_is_refused_before_a_byte_of_it_is_taken() {
        let mut gathering = Gathering::default();
        gathering.came(&u32::try_from(Answer::LIMIT + 1).unwrap().to_be_bytes());
        assert_eq!(gathering.wanted::<Answer>(), Err(Malformed::TooLong));
        let mut gathering = Gathering::default();
        gathering.came(&u32::try_from(Answer::LIMIT).unwrap().to_be_bytes());
        assert_eq!(gathering.wanted::<Answer>(), Ok(PIECE_BYTES));
    }
}
