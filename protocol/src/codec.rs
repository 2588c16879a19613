//! Messages as bytes: the one place that names bincode.
//!
//! A frame is the length of the body (four bytes, most significant first) and the body. Each kind of message has its
//! own limit, which holds for the length before a byte of the body is read, and for every length inside. Trailing
//! bytes are refused, counts are checked by the message itself.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A message of the protocol: what may travel in a frame.
pub trait Message: Serialize + DeserializeOwned {
    /// Most bytes that the body may have; at most 4 MiB.
    const LIMIT: usize;

    /// What decoding alone cannot see: counts, lengths of texts.
    fn check(&self) -> Result<(), Malformed> {
        Ok(())
    }
}

/// Why bytes are no message. Says nothing about the content: it may be a stranger's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The frame says that it is longer than its kind may be.
    #[error("the message is longer than its kind may be")]
    TooLong,
    /// The bytes do not decode.
    #[error("the message cannot be decoded")]
    Undecodable,
    /// Bytes are left after the message.
    #[error("bytes follow the message in its frame")]
    Trailing,
    /// A list or text is longer than the message's rules allow.
    #[error("a list or text in the message is longer than allowed")]
    Bound,
}

/// Bytes of the length that starts a frame.
pub const LENGTH_BYTES: usize = 4;

/// bincode takes its limit as a constant of the type, so there are two: what a peer declares can make the decoder
/// reserve no more than this.
const SMALL: usize = 64 << 10;
const LARGE: usize = 4 << 20;

/// A message that its reader would refuse for its length. It is refused here, where the reason can still be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message has {bytes} bytes, and its kind may have {most}")]
pub struct TooLarge {
    /// Bytes of the body.
    pub bytes: usize,
    /// Bytes that it may have.
    pub most: usize,
}

/// The frame of `message`: its length and its body.
pub fn frame<M: Message>(message: &M) -> Result<Vec<u8>, TooLarge> {
    let body = body(message)?;
    let length = u32::try_from(body.len()).expect("limits of messages fit 32 bits");
    Ok([length.to_be_bytes().as_slice(), &body].concat())
}

/// The body of `message` alone, as it is signed or sealed.
pub fn body<M: Message>(message: &M) -> Result<Vec<u8>, TooLarge> {
    let body = bincode::serde::encode_to_vec(message, bincode::config::standard())
        .expect("messages are made of types that always encode");
    if body.len() > M::LIMIT {
        return Err(TooLarge { bytes: body.len(), most: M::LIMIT });
    }
    Ok(body)
}

/// How many bytes of body follow `length`, if a message of kind `M` may have so many.
pub fn body_length<M: Message>(length: [u8; LENGTH_BYTES]) -> Result<usize, Malformed> {
    let length = u32::from_be_bytes(length) as usize;
    if length > M::LIMIT { Err(Malformed::TooLong) } else { Ok(length) }
}

/// Decodes and checks a body.
pub fn decode<M: Message>(body: &[u8]) -> Result<M, Malformed> {
    if body.len() > M::LIMIT {
        return Err(Malformed::TooLong);
    }
    let standard = bincode::config::standard();
    let decoded = if M::LIMIT <= SMALL {
        bincode::serde::decode_from_slice::<M, _>(body, standard.with_limit::<SMALL>())
    } else {
        bincode::serde::decode_from_slice::<M, _>(body, standard.with_limit::<LARGE>())
    };
    let (message, used) = decoded.map_err(|_| Malformed::Undecodable)?;
    if used != body.len() {
        return Err(Malformed::Trailing);
    }
    message.check()?;
    Ok(message)
}

/// Decodes what a body begins with, whatever follows: it says what a message is about that cannot be decoded as a whole.
pub(crate) fn decode_start<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let standard = bincode::config::standard().with_limit::<SMALL>();
    bincode::serde::decode_from_slice::<T, _>(body, standard).ok().map(|(start, _)| start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sample {
        text: String,
        numbers: Vec<u64>,
    }

    impl Message for Sample {
        const LIMIT: usize = 64;

        fn check(&self) -> Result<(), Malformed> {
            if self.numbers.len() > 3 { Err(Malformed::Bound) } else { Ok(()) }
        }
    }

    fn sample(numbers: &[u64]) -> Sample {
        Sample { text: "hello".into(), numbers: numbers.to_vec() }
    }

    #[test]
    fn a_frame_carries_its_length() {
        let frame = frame(&sample(&[1, 2])).unwrap();
        let (length, body) = frame.split_at(LENGTH_BYTES);
        let length = body_length::<Sample>(length.try_into().expect("four bytes"));
        assert_eq!(length, Ok(body.len()));
        assert_eq!(decode::<Sample>(body), Ok(sample(&[1, 2])));
    }

    #[test]
    fn nine_bytes_that_declare_a_string_of_two_to_the_63_are_refused() {
        let hostile = [253, 0, 0, 0, 0, 0, 0, 0, 128];
        assert_eq!(decode::<Sample>(&hostile), Err(Malformed::Undecodable));
    }

    #[test]
    fn lengths_counts_and_trailing_bytes_are_refused() {
        assert_eq!(body_length::<Sample>([0, 0, 0, 65]), Err(Malformed::TooLong));
        assert_eq!(decode::<Sample>(&[0; 65]), Err(Malformed::TooLong));
        assert_eq!(decode::<Sample>(&body(&sample(&[1, 2, 3, 4])).unwrap()), Err(Malformed::Bound));
        let mut longer = body(&sample(&[])).unwrap();
        longer.push(0);
        assert_eq!(decode::<Sample>(&longer), Err(Malformed::Trailing));
        let whole = body(&sample(&[7])).unwrap();
        for cut in 0..whole.len() {
            assert_eq!(decode::<Sample>(&whole[..cut]), Err(Malformed::Undecodable));
        }
    }

    #[test]
    fn what_a_reader_would_refuse_for_its_length_is_not_made() {
        let of = |bytes: usize| Sample { text: "x".repeat(bytes), numbers: Vec::new() };
        let most = body(&of(62)).unwrap();
        assert_eq!(most.len(), Sample::LIMIT);
        assert_eq!(decode::<Sample>(&most), Ok(of(62)));
        assert_eq!(body(&of(63)), Err(TooLarge { bytes: 65, most: 64 }));
        assert_eq!(frame(&of(63)), Err(TooLarge { bytes: 65, most: 64 }));
    }
}
