//! A journal in memory, which several engines share: what a replicated engine is to them, without a network or a disk.

use std::sync::Arc;

use parking_lot::Mutex;

use super::{AppendError, Appended, GENESIS, Head, Journal};

/// The way of one engine to it. Clones share the lines.
#[derive(Clone, Default)]
pub struct InMemory(Arc<Mutex<Shared>>);

#[derive(Default)]
struct Shared {
    lines: Vec<Appended>,
    watchers: Vec<Arc<dyn Fn() + Send + Sync>>,
    /// How many lines it takes; none where it is never full.
    room: Option<usize>,
}

impl InMemory {
    /// Every line so far.
    pub fn lines(&self) -> Vec<Vec<u8>> {
        self.0.lock().lines.iter().map(|appended| appended.line.clone()).collect()
    }

    /// Takes so many more lines and then is full; as many as there are where there is no number.
    pub fn set_room(&self, room: Option<usize>) {
        self.0.lock().room = room;
    }
}

impl Shared {
    /// Where `head` is in it: everything up to there is the same.
    fn place(&self, head: Head) -> Result<usize, AppendError> {
        let another = || AppendError::AnotherHistory { number: head.number };
        let place = usize::try_from(head.number).map_err(|_| another())?;
        let hash = match place.checked_sub(1) {
            None => GENESIS,
            Some(last) => self.lines.get(last).ok_or_else(another)?.hash,
        };
        if hash == head.hash { Ok(place) } else { Err(another()) }
    }
}

impl Journal for InMemory {
    fn append(&mut self, head: Head, lines: &[Appended]) -> Result<(), AppendError> {
        let told = {
            let mut shared = self.0.lock();
            let place = shared.place(head)?;
            if place < shared.lines.len() {
                return if shared.lines[place..].starts_with(lines) {
                    Ok(())
                } else {
                    Err(AppendError::Overtaken)
                };
            }
            if let Some(room) = &mut shared.room {
                *room = room.checked_sub(lines.len()).ok_or(AppendError::Full)?;
            }
            shared.lines.extend_from_slice(lines);
            shared.watchers.clone()
        };
        told.iter().for_each(|told| told());
        Ok(())
    }

    fn read(&mut self, head: Head, most: usize) -> Result<Vec<Vec<u8>>, AppendError> {
        let shared = self.0.lock();
        let place = shared.place(head)?;
        Ok(shared.lines[place..].iter().take(most).map(|appended| appended.line.clone()).collect())
    }

    fn watch(&mut self, told: Box<dyn Fn() + Send + Sync>) {
        self.0.lock().watchers.push(Arc::from(told));
    }
}
