//! Room for the answers of a session that may be large: what is made for an agent and not read by it takes memory.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use windlass_protocol::codec::Message;
use windlass_protocol::message::Answer;

/// Answers as large as one may be that a session may have in the making or unread.
const LARGE_ANSWERS: usize = 2;
const KIBIBYTES: usize = 1024;
/// Kibibytes for small ones beside them, so that these do not wait for each other.
const SMALL_ANSWERS: usize = 1024;
/// What the largest answer takes of a [`Room`], in kibibytes.
const LARGEST: u32 = (Answer::LIMIT / KIBIBYTES) as u32;

/// Room for a session's answers that may be large. Who asks for more of them than it reads waits for its own.
#[derive(Clone)]
pub(in super::super) struct Room(Arc<Semaphore>);

/// What one answer takes of it.
pub(super) struct Taken(OwnedSemaphorePermit);

impl Room {
    pub(in super::super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(LARGE_ANSWERS * LARGEST as usize + SMALL_ANSWERS)))
    }

    /// Waits until there is room for the largest answer: how large it will be is not known before it is made.
    pub(super) async fn take(&self) -> Option<Taken> {
        Arc::clone(&self.0).acquire_many_owned(LARGEST).await.ok().map(Taken)
    }
}

impl Taken {
    /// Keeps what an answer of so many bytes needs, and leaves the rest to others.
    pub(super) fn keep(&mut self, bytes: usize) {
        let needed = bytes.div_ceil(KIBIBYTES);
        drop(self.0.split(self.0.num_permits().saturating_sub(needed)));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_session_has_two_large_answers_at_once_or_many_small_ones() {
        let room = Room::new();
        let take = || room.take().now_or_never().flatten();
        let (mut first, second) = (take().expect("there is room"), take().expect("there is room"));
        assert!(take().is_none(), "a third one waits");
        first.keep(10_000);
        let third = take().expect("the first one turned out small");
        assert!(take().is_none());
        drop((second, third));
        let small = |_| {
            let mut taken = take().expect("there is room");
            taken.keep(10_000);
            taken
        };
        let _small: Vec<_> = (0..100).map(small).collect();
        assert!(take().is_some(), "and a large one beside them");
    }
}
