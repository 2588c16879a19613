//! Buffers that go round: a pull allocates a fixed number of them, whatever its size.

use tokio::sync::mpsc;

/// Below this a piece has memory of its own: small files must not wait for large buffers.
const SMALL_BYTES: usize = 16 << 10;

/// A number of buffers of one size.
pub(super) struct Pool {
    free: mpsc::Receiver<Vec<u8>>,
    home: mpsc::Sender<Vec<u8>>,
    /// Buffers that may still be made.
    left: usize,
    bytes: usize,
}

/// Some bytes on their way. Dropped, its buffer goes back to the pool.
pub(super) struct Piece {
    buffer: Vec<u8>,
    length: usize,
    home: Option<mpsc::Sender<Vec<u8>>>,
}

impl Pool {
    /// A pool of at most `count` buffers of `bytes` bytes, made when they are needed.
    pub(super) fn new(count: usize, bytes: usize) -> Self {
        let (home, free) = mpsc::channel(count);
        Self { free, home, left: count, bytes }
    }

    /// A piece of `length` bytes, at most as many as a buffer has; waits until one is free.
    pub(super) async fn take(&mut self, length: usize) -> Piece {
        let buffer = match self.at_once(length) {
            Some(piece) => return piece,
            None => self.free.recv().await,
        };
        self.piece(buffer, length)
    }

    /// The same for a thread that may block.
    pub(super) fn take_blocking(&mut self, length: usize) -> Piece {
        let buffer = match self.at_once(length) {
            Some(piece) => return piece,
            None => self.free.blocking_recv(),
        };
        self.piece(buffer, length)
    }

    fn at_once(&mut self, length: usize) -> Option<Piece> {
        debug_assert!(length <= self.bytes);
        if length <= SMALL_BYTES {
            return Some(Piece { buffer: vec![0; length], length, home: None });
        }
        if let Ok(buffer) = self.free.try_recv() {
            return Some(self.piece(Some(buffer), length));
        }
        self.left = self.left.checked_sub(1)?;
        Some(self.piece(Some(vec![0; self.bytes]), length))
    }

    fn piece(&self, buffer: Option<Vec<u8>>, length: usize) -> Piece {
        let buffer = buffer.expect("the pool itself keeps the channel open");
        Piece { buffer, length, home: Some(self.home.clone()) }
    }
}

impl Piece {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.length]
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[..self.length]
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if let Some(home) = self.home.take() {
            // The channel has room for every buffer there is; if it is closed, the pull has ended.
            let _ = home.try_send(std::mem::take(&mut self.buffer));
        }
    }
}
