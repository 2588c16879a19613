//! Few at once: what costs memory, disk or a processor is done for each token a little at a time, and for none at the
//! expense of the others.
//!
//! Who has to wait, waits in a queue with an end; beyond that it is told to come again. A place that becomes free is of
//! the token that holds fewest.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use windlass_protocol::ids::TokenId;

use super::refusal::Refusal;

/// How many there may be of something, or how much: then each counts what it weighs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// At once, of all tokens.
    at_once: usize,
    /// At once, of one token.
    of_token: usize,
    /// Waiting, of one token.
    waiting_of_token: usize,
    /// Waiting, of all tokens.
    waiting: usize,
}

const ANY: usize = usize::MAX;

/// The quotas of the API.
pub(super) struct Quotas {
    /// Small bodies on their way in. What a body takes from others is memory alone, so that each token has its own.
    pub(super) bodies: Arc<Quota>,
    /// Sets of documents, from their first byte until they are applied.
    pub(super) applies: Arc<Quota>,
    /// Packages, from their first byte until they are stored.
    pub(super) uploads: Arc<Quota>,
    /// Packages that have come and are unpacked and stored.
    pub(super) storing: Arc<Quota>,
    /// Plans and parts of the journal: each a fraction of a second.
    pub(super) short: Arc<Quota>,
    /// Parts of what steps printed.
    pub(super) output: Arc<Quota>,
    /// Readings of the whole journal, or of everybody's scopes: seconds, or minutes where there is much.
    pub(super) reads: Arc<Quota>,
    /// Bytes of answers that are made, or made and not taken yet. Who takes none gets no more.
    pub(super) answers: Arc<Quota>,
    /// The same of small ones and of what answers rest on, which nobody waits for because of large ones.
    pub(super) small_answers: Arc<Quota>,
    /// Those who follow output: each holds a piece, and has the store looked at three times a second.
    pub(super) followers: Arc<Quota>,
}

impl Quotas {
    pub(super) fn new() -> Self {
        let quota = |at_once, of_token, waiting_of_token, waiting| {
            Quota::new(Limits { at_once, of_token, waiting_of_token, waiting })
        };
        Self {
            bodies: quota(ANY, 32, 256, 4096),
            applies: quota(ANY, 2, 16, 256),
            uploads: quota(ANY, 4, 16, 256),
            storing: quota(4, 2, 4, 256),
            short: quota(4, 2, 64, 1024),
            output: quota(4, 2, 128, 2048),
            reads: quota(2, 1, 8, 256),
            answers: quota(512 << 20, 32 << 20, 256, 4096),
            small_answers: quota(128 << 20, 8 << 20, 256, 4096),
            followers: quota(512, 32, 0, 0),
        }
    }
}

/// Something of which there are few at once.
pub(super) struct Quota {
    limits: Limits,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    held: HashMap<TokenId, usize>,
    total: usize,
    /// In the order in which they came.
    waiting: Vec<Waiting>,
}

struct Waiting {
    token: TokenId,
    weight: usize,
    turn: oneshot::Sender<Permit>,
}

/// One of few. Dropped, it is another's.
pub struct Permit {
    quota: Arc<Quota>,
    token: TokenId,
    weight: usize,
}

impl Quota {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, inner: Mutex::default() })
    }

    /// One of few for this token, now or when it is its turn; refused where too many wait already. Who drops the future
    /// waits no longer.
    pub(super) async fn take(self: &Arc<Self>, token: TokenId) -> Result<Permit, Refusal> {
        self.take_weighing(token, 1).await
    }

    /// The same for what weighs so much. It begins as long as there is any room, however much it then takes: what is
    /// heavy waits no longer than what is light.
    pub(super) async fn take_weighing(
        self: &Arc<Self>,
        token: TokenId,
        weight: usize,
    ) -> Result<Permit, Refusal> {
        let turn = {
            let mut inner = self.inner.lock();
            if inner.begin(token, weight, &self.limits) {
                return Ok(self.permit(token, weight));
            }
            inner.waiting.retain(|waiting| !waiting.turn.is_closed());
            let own = inner.waiting.iter().filter(|waiting| waiting.token == token).count();
            if own >= self.limits.waiting_of_token {
                return Err(Refusal::too_much_at_once());
            }
            if inner.waiting.len() >= self.limits.waiting {
                return Err(Refusal::busy());
            }
            let (sender, turn) = oneshot::channel();
            inner.waiting.push(Waiting { token, weight, turn: sender });
            turn
        };
        turn.await.map_err(|why| Refusal::internal("waiting for a turn", &why))
    }

    /// What is there already: it counts, whether or not there is room for it.
    pub(super) fn hold(self: &Arc<Self>, token: TokenId, weight: usize) -> Permit {
        self.inner.lock().add(token, weight);
        self.permit(token, weight)
    }

    /// What a token holds.
    #[cfg(test)]
    pub(super) fn held(&self, token: TokenId) -> usize {
        self.inner.lock().held.get(&token).copied().unwrap_or_default()
    }

    fn permit(self: &Arc<Self>, token: TokenId, weight: usize) -> Permit {
        Permit { quota: Arc::clone(self), token, weight }
    }

    /// Takes back what a token held, and gives it to who is next.
    fn give_back(self: &Arc<Self>, token: TokenId, weight: usize) {
        self.inner.lock().end(token, weight);
        loop {
            let Some(next) = self.inner.lock().next(&self.limits) else { return };
            // Not under the lock: what nobody waits for any more comes back at once, by its own end.
            let permit = self.permit(next.token, next.weight);
            let _ = next.turn.send(permit);
        }
    }
}

impl Inner {
    fn begin(&mut self, token: TokenId, weight: usize, limits: &Limits) -> bool {
        let held = self.held.get(&token).copied().unwrap_or_default();
        if self.total >= limits.at_once || held >= limits.of_token {
            return false;
        }
        self.add(token, weight);
        true
    }

    fn add(&mut self, token: TokenId, weight: usize) {
        *self.held.entry(token).or_default() += weight;
        self.total += weight;
    }

    fn end(&mut self, token: TokenId, weight: usize) {
        self.total -= weight;
        if let Some(held) = self.held.get_mut(&token) {
            *held -= weight;
            if *held == 0 {
                self.held.remove(&token);
            }
        }
    }

    /// Who waits longest of those whose tokens hold fewest, with what it waits for.
    fn next(&mut self, limits: &Limits) -> Option<Waiting> {
        self.waiting.retain(|waiting| !waiting.turn.is_closed());
        let held = |waiting: &Waiting| self.held.get(&waiting.token).copied().unwrap_or_default();
        let (index, token, weight) = self
            .waiting
            .iter()
            .enumerate()
            .min_by_key(|(_, waiting)| held(waiting))
            .map(|(index, waiting)| (index, waiting.token, waiting.weight))?;
        self.begin(token, weight, limits).then(|| self.waiting.remove(index))
    }
}

impl Permit {
    /// It turned out to weigh so much, at least 1, more or less than was thought.
    pub(super) fn weigh(&mut self, weight: usize) {
        let (before, weight) = (self.weight, weight.max(1));
        self.weight = weight;
        match weight.checked_sub(before) {
            Some(more) => self.quota.inner.lock().add(self.token, more),
            None => self.quota.give_back(self.token, before - weight),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.quota.give_back(self.token, self.weight);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use axum::http::StatusCode;
    use axum::response::IntoResponse;
    use futures_util::{FutureExt, poll};

    use super::*;

    const ONE: TokenId = TokenId::from_bytes([1; 16]);
    const OTHER: TokenId = TokenId::from_bytes([2; 16]);
    const THIRD: TokenId = TokenId::from_bytes([3; 16]);

    fn quota() -> Arc<Quota> {
        Quota::new(Limits { at_once: 3, of_token: 2, waiting_of_token: 2, waiting: 3 })
    }

    fn status(taken: Option<Result<Permit, Refusal>>) -> StatusCode {
        taken.unwrap().err().unwrap().into_response().status()
    }

    #[tokio::test]
    async fn who_asks_for_more_than_its_share_waits_and_then_is_sent_away_while_others_get_theirs() {
        let quota = quota();
        let (first, second) = (quota.take(ONE).await.unwrap(), quota.take(ONE).await.unwrap());
        let mut third = Box::pin(quota.take(ONE));
        let mut fourth = Box::pin(quota.take(ONE));
        assert!(poll!(&mut third).is_pending() && poll!(&mut fourth).is_pending());
        assert_eq!(status(quota.take(ONE).now_or_never()), StatusCode::TOO_MANY_REQUESTS);
        let other = quota.take(OTHER).now_or_never().expect("its share is free").unwrap();
        let mut another = Box::pin(quota.take(THIRD));
        assert!(poll!(&mut another).is_pending(), "all are taken");
        assert_eq!(status(quota.take(OTHER).now_or_never()), StatusCode::SERVICE_UNAVAILABLE);
        drop(first);
        let Poll::Ready(another) = poll!(&mut another) else { panic!("it came last, but holds none") };
        assert!(poll!(&mut third).is_pending());
        drop((another, second, other));
        assert!(poll!(&mut third).is_ready() && poll!(&mut fourth).is_ready());
    }

    #[tokio::test]
    async fn what_is_heavier_than_it_was_thought_keeps_its_token_waiting_until_it_has_gone() {
        let quota = Quota::new(Limits { at_once: 30, of_token: 10, waiting_of_token: 2, waiting: 3 });
        let mut heavy = quota.take_weighing(ONE, 4).await.unwrap();
        let light = quota.take_weighing(ONE, 4).now_or_never().expect("there is room").unwrap();
        heavy.weigh(25);
        let mut next = Box::pin(quota.take_weighing(ONE, 1));
        drop(light);
        assert!(poll!(&mut next).is_pending());
        let others = quota.take_weighing(OTHER, 9).now_or_never().expect("its share is free").unwrap();
        assert!(quota.take_weighing(THIRD, 1).now_or_never().is_none(), "34 of 30");
        heavy.weigh(0);
        assert!(poll!(&mut next).is_ready());
        drop((heavy, others));
        let left = quota.inner.lock();
        assert!(left.total == 0 && left.held.is_empty());
    }

    #[tokio::test]
    async fn who_has_gone_neither_waits_nor_holds() {
        let quota = quota();
        let held = (quota.take(ONE).await.unwrap(), quota.take(ONE).await.unwrap());
        for _ in 0..100 {
            let mut waiting = Box::pin(quota.take(ONE));
            assert!(poll!(&mut waiting).is_pending());
        }
        let mut given = Box::pin(quota.take(ONE));
        assert!(poll!(&mut given).is_pending());
        drop(held.0);
        drop(given);
        assert!(quota.take(ONE).now_or_never().is_some(), "what it was given and did not take is free");
        drop(held.1);
        let left = quota.inner.lock();
        assert!(left.total == 0 && left.held.is_empty());
    }
}
