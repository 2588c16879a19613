//! What a route costs others: its answer lies in memory until who asked has taken it, and what takes long to make takes
//! turns. Every route says it in the table of routes, and what it did not say it cannot have.

use std::sync::Arc;

use axum::http::request::Parts;
use parking_lot::Mutex;
use windlass_protocol::ids::TokenId;

use super::Context;
use super::quota::{Permit, Quota, Quotas};
use super::refusal::Refusal;
use super::right::Right;

/// What an answer to a route costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cost {
    /// A few words, made at once.
    Small,
    /// A part of a list, made at once: `pages::PART_BYTES` at most.
    Part,
    /// All that there is of one thing, made at once: as large as somebody made it.
    Whole,
    /// A part of what steps printed, in its turn.
    Output,
    /// Plans, and deployments that expect one, in their turn: each a fraction of a second.
    Short,
    /// What reads the whole journal, or goes through everybody's things, in its turn.
    Reads,
    /// A stream that goes on for as long as somebody listens: of one piece at a time.
    Follow,
}

impl Cost {
    /// The quota that an answer counts in, and what it weighs there until it is known how large it is.
    const fn share(self, quotas: &Quotas) -> (&Arc<Quota>, usize) {
        match self {
            Self::Small => (&quotas.small_answers, 16 << 10),
            Self::Part | Self::Output | Self::Short | Self::Reads => (&quotas.answers, 1 << 20),
            Self::Whole => (&quotas.answers, 4 << 20),
            Self::Follow => (&quotas.followers, 1),
        }
    }

    /// Whether the route may read in turns of this quota.
    pub(super) fn takes_turns_of(self, quota: &Arc<Quota>, quotas: &Quotas) -> bool {
        let own: &[&Arc<Quota>] = match self {
            Self::Small | Self::Part | Self::Whole => &[],
            Self::Output | Self::Follow => &[&quotas.output],
            Self::Short => &[&quotas.short],
            // Some of these need no more than a part of the journal.
            Self::Reads => &[&quotas.reads, &quotas.short],
        };
        own.iter().any(|own| Arc::ptr_eq(own, quota))
    }
}

/// A place in the quota of answers, for an answer that is to come.
pub(super) struct Place {
    cost: Cost,
    permit: Permit,
}

impl Place {
    /// Whether it is of a stream.
    pub(super) fn is_of_stream(&self) -> bool {
        self.cost == Cost::Follow
    }

    /// The answer turned out to have so many bytes.
    pub(super) fn weigh(&mut self, bytes: u64) {
        if !self.is_of_stream() {
            self.permit.weigh(usize::try_from(bytes).unwrap_or(usize::MAX));
        }
    }
}

/// The place of an answer, and the right to it. Both are missing where nobody was known.
pub(super) type Claim = (Option<Place>, Option<Arc<dyn Right>>);

/// Where a request leaves these for who sends its answer.
#[derive(Clone, Default)]
pub(super) struct Reserved(Arc<Mutex<Claim>>);

impl Reserved {
    /// What was left here.
    pub(super) fn take(&self) -> Claim {
        std::mem::take(&mut self.0.lock())
    }

    /// The answer is this caller's.
    pub(super) fn rests_on(&self, right: Arc<dyn Right>) {
        self.0.lock().1 = Some(right);
    }

    fn put(&self, place: Place) {
        self.0.lock().0 = Some(place);
    }
}

/// Waits until there is room for the answer to a request of this token.
pub(super) async fn reserve(parts: &Parts, context: &Context, token: TokenId) -> Result<Cost, Refusal> {
    let cost = parts.extensions.get::<Cost>().copied();
    let cost = cost.ok_or_else(|| Refusal::internal("answering", &"the route does not say what it costs"))?;
    let (quota, weight) = cost.share(&context.quotas);
    let permit = context.until_stopped(quota.take_weighing(token, weight)).await??;
    if let Some(reserved) = parts.extensions.get::<Reserved>() {
        reserved.put(Place { cost, permit });
    }
    Ok(cost)
}
