//! What is known of a connection while it lasts: whether it ever showed a valid token, whether it asks for anything,
//! whether it takes what it asked for, and whether it still may.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use windlass_protocol::ids::TokenId;

use super::right::Right;
use crate::slots::{Origin, Slot, Slots};

/// How often the right to answers on their way is asked for where no change of the state is a reason to.
const LOOK: Duration = Duration::from_millis(100);

/// How a connection stands. Cheap to clone; all clones are of the same connection.
#[derive(Clone)]
pub(super) struct ConnectionState(Arc<Inner>);

struct Inner {
    now: watch::Sender<Now>,
    slot: Mutex<HeldSlot>,
    known: Arc<Slots<TokenId>>,
    /// Cancelled when its slot is somebody else's.
    evicted: CancellationToken,
    offers: Mutex<Offers>,
    /// Something is offered that is due before all else.
    offered: Notify,
    /// The rights to the answers on their way, by request.
    rights: Mutex<BTreeMap<u64, Arc<dyn Right>>>,
    /// There is one more of them.
    answering: Notify,
}

/// Pieces of answers that are offered, and by when each has to be taken, by request.
#[derive(Default)]
struct Offers {
    due: BTreeMap<u64, Instant>,
    next: u64,
}

/// The slot that a connection has: a stranger's by its address, then one by its token.
enum HeldSlot {
    Stranger { _slot: Slot<Origin> },
    Known { _slot: Option<Slot<TokenId>> },
}

#[derive(Debug, Clone, Copy, Default)]
struct Now {
    admitted: bool,
    /// Requests whose answers are not sent yet.
    open: usize,
    /// Requests that were answered.
    answered: u64,
}

/// Why a connection has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overstay {
    /// It has not shown a valid token.
    Stranger,
    /// Nothing was asked on it for long.
    Idle,
    /// An answer was not taken for long.
    Unread,
    /// The right to an answer that is on its way has gone.
    Withdrawn,
    /// All slots are taken, and it was the oldest of who holds most.
    Evicted,
}

impl ConnectionState {
    pub(super) fn new(slot: Slot<Origin>, known: Arc<Slots<TokenId>>, evicted: CancellationToken) -> Self {
        let slot = Mutex::new(HeldSlot::Stranger { _slot: slot });
        let (now, offers, offered) = (watch::Sender::default(), Mutex::default(), Notify::new());
        let (rights, answering) = (Mutex::default(), Notify::new());
        Self(Arc::new(Inner { now, slot, known, evicted, offers, offered, rights, answering }))
    }

    /// A request showed a valid token. The first one that does is whose connection it is.
    pub(super) fn admit(&self, token: TokenId) {
        if !self.0.now.send_if_modified(|now| !std::mem::replace(&mut now.admitted, true)) {
            return;
        }
        let slot = self.0.known.admit(token, &self.0.evicted);
        *self.0.slot.lock() = HeldSlot::Known { _slot: slot };
    }

    /// Ends when the connection's slot is somebody else's.
    pub(super) async fn evicted(&self) {
        self.0.evicted.cancelled().await;
    }

    /// Ends when the connection has to: without its slot, without a valid token for `first_request`, later without a
    /// request for `idle`, or with an answer that is not taken, or may not be taken any more.
    pub(super) async fn overstayed(&self, first_request: Duration, idle: Duration) -> Overstay {
        tokio::select! {
            () = self.evicted() => Overstay::Evicted,
            () = self.unread() => Overstay::Unread,
            () = self.withdrawn() => Overstay::Withdrawn,
            overstay = self.outstayed(first_request, idle) => overstay,
        }
    }

    async fn outstayed(&self, first_request: Duration, idle: Duration) -> Overstay {
        let mut now = self.0.now.subscribe();
        if timeout(first_request, now.wait_for(|now| now.admitted)).await.is_err() {
            return Overstay::Stranger;
        }
        loop {
            // The sender is `self`, so that waiting for it always has an end.
            let Ok(answered) = now.wait_for(|now| now.open == 0).await.map(|now| now.answered) else {
                continue;
            };
            let asks = now.wait_for(|now| now.open > 0 || now.answered != answered);
            if timeout(idle, asks).await.is_err() {
                return Overstay::Idle;
            }
        }
    }

    /// Ends when a piece of an answer was offered for too long.
    async fn unread(&self) {
        loop {
            let first = self.0.offers.lock().due.values().min().copied();
            match first {
                Some(due) if due <= Instant::now() => return,
                Some(due) => {
                    let _ = timeout_at(due, self.0.offered.notified()).await;
                }
                None => self.0.offered.notified().await,
            }
        }
    }

    /// Ends when the right to an answer that is on its way has gone, whether or not anybody takes pieces of it. What
    /// others ask for on the same connection ends with it: what it holds already cannot be told apart.
    async fn withdrawn(&self) {
        loop {
            let rights: Vec<_> = self.0.rights.lock().values().cloned().collect();
            let Some(any) = rights.first() else {
                self.0.answering.notified().await;
                continue;
            };
            // Made before the rights are asked for, it misses no change after that.
            let changed = any.changed();
            if !rights.iter().all(|right| right.expect().is_ok()) {
                return;
            }
            tokio::select! {
                _ = timeout(LOOK, changed) => {}
                () = self.0.answering.notified() => {}
            }
        }
    }

    /// A request begins.
    pub(super) fn begin(&self) -> OpenRequest {
        self.0.now.send_modify(|now| now.open += 1);
        let mut offers = self.0.offers.lock();
        offers.next += 1;
        OpenRequest { state: self.clone(), number: offers.next }
    }
}

/// A request, until its answer is sent or nobody wants it any more.
pub(super) struct OpenRequest {
    state: ConnectionState,
    number: u64,
}

impl OpenRequest {
    /// A piece of the answer is offered, for so long.
    pub(super) fn offered(&self, patience: Duration) {
        let due = Instant::now() + patience;
        let mut offers = self.state.0.offers.lock();
        let is_first = offers.due.values().all(|other| due < *other);
        offers.due.insert(self.number, due);
        drop(offers);
        if is_first {
            self.state.0.offered.notify_one();
        }
    }

    /// Its answer is on its way, by this right.
    pub(super) fn rests_on(&self, right: Arc<dyn Right>) {
        self.state.0.rights.lock().insert(self.number, right);
        self.state.0.answering.notify_one();
    }

    /// It was taken.
    pub(super) fn taken(&self) {
        self.state.0.offers.lock().due.remove(&self.number);
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.taken();
        self.state.0.rights.lock().remove(&self.number);
        self.state.0.now.send_modify(|now| {
            now.open -= 1;
            now.answered += 1;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);
    const SHORT: Duration = Duration::from_millis(1);

    const TOKEN: TokenId = TokenId::from_bytes([1; 16]);

    fn state() -> ConnectionState {
        let (strangers, evicted) = (Slots::new(1, SHORT), CancellationToken::new());
        let slot = strangers.admit(std::net::IpAddr::from([192, 0, 2, 1]).into(), &evicted).unwrap();
        ConnectionState::new(slot, Slots::new(1, Duration::ZERO), evicted)
    }

    #[tokio::test]
    async fn who_shows_no_token_has_to_go_and_who_shows_one_may_be_idle_for_a_while() {
        let state = state();
        let asked = state.begin();
        assert_eq!(state.overstayed(SHORT, LONG).await, Overstay::Stranger);
        state.admit(TOKEN);
        drop(asked);
        assert_eq!(state.overstayed(SHORT, SHORT).await, Overstay::Idle);
    }

    #[tokio::test]
    async fn who_loses_its_place_has_to_go_whatever_it_waits_for() {
        let state = state();
        let _asked = state.begin();
        state.admit(TOKEN);
        let _next = state.0.known.admit(TOKEN, &CancellationToken::new()).unwrap();
        assert_eq!(state.overstayed(LONG, LONG).await, Overstay::Evicted);
    }

    #[tokio::test]
    async fn who_takes_nothing_of_an_answer_has_to_go_and_who_takes_some_in_time_stays() {
        let state = state();
        state.admit(TOKEN);
        let (slow, quick, waiting) = (state.begin(), state.begin(), state.begin());
        let taking = async {
            for _ in 0..15 {
                slow.offered(SHORT * 2000);
                tokio::time::sleep(SHORT * 200).await;
                slow.taken();
            }
        };
        tokio::select! {
            overstay = state.overstayed(LONG, LONG) => panic!("{overstay:?}: it was taken each time"),
            () = taking => {}
        }
        slow.offered(LONG);
        let both = async { tokio::join!(state.overstayed(LONG, LONG), async { quick.offered(SHORT) }) };
        assert_eq!(
            timeout(LONG / 60, both).await.expect("what comes later is due first").0,
            Overstay::Unread
        );
        drop((quick, waiting));
        assert!(timeout(SHORT * 50, state.overstayed(LONG, LONG)).await.is_err(), "it is gone");
    }

    #[tokio::test]
    async fn whoever_waits_for_an_answer_is_not_idle() {
        let state = state();
        state.admit(TOKEN);
        let asked = state.begin();
        assert!(timeout(SHORT * 50, state.overstayed(SHORT, SHORT)).await.is_err());
        drop(asked);
        assert_eq!(state.overstayed(SHORT, SHORT).await, Overstay::Idle);
    }
}
