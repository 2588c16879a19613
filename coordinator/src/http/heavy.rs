//! Reading what costs much: few at once, for each token a little, and only as long as somebody waits for it.

use std::sync::Arc;

use tokio_util::sync::{CancellationToken, DropGuard};
use windlass_api::error::Problem;

use super::Context;
use windlass_coordinator_core::sight::Sight;

use super::caller::Caller;
use super::quota::Quota;
use super::refusal::Refusal;

/// Whether somebody still waits for what is being read. Looked at with every record, project or target that is passed.
#[derive(Clone)]
pub(super) struct Wanted(CancellationToken);

impl Wanted {
    /// By a test, which waits for as long as it takes.
    #[cfg(test)]
    pub(super) fn by_a_test() -> Self {
        Self(CancellationToken::new())
    }

    /// Whether it is.
    pub(super) fn holds(&self) -> bool {
        !self.0.is_cancelled()
    }

    /// An error where it is not: nobody gets to see it.
    pub(super) fn expect(&self) -> Result<(), Problem> {
        if self.holds() { Ok(()) } else { Err(Problem::failed("nobody waits for the answer any more")) }
    }
}

impl<const CHANGES: bool> Caller<CHANGES> {
    /// Reads when it is this token's turn, beside the threads that serve others. The reading ends early when who asks
    /// has gone or the coordinator stops; until it has ended, its place is taken.
    pub(super) async fn read_heavily<T: Send + 'static>(
        &self,
        quota: &Arc<Quota>,
        what: &'static str,
        read: impl FnOnce(&Sight, &Wanted) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Refusal> {
        if !self.cost.takes_turns_of(quota, &self.context.quotas) {
            return Err(Refusal::internal(what, &"the route does not say that it takes such turns"));
        }
        let permit = self.context.until_stopped(quota.take(self.token())).await??;
        // It may have waited for long: the sight asks for its right anew.
        let sight = self.sight()?;
        let (wanted, _ends_with_the_asker) = self.context.wanted();
        let reading = tokio::task::spawn_blocking(move || {
            let read = read(&sight, &wanted);
            drop(permit);
            read
        });
        let read = self.context.until_stopped(reading).await?;
        Ok(read.map_err(|why| Refusal::internal(what, &why))??)
    }
}

impl Context {
    /// Something that is wanted until the guard is dropped, with who asks, or the coordinator stops.
    pub(super) fn wanted(&self) -> (Wanted, DropGuard) {
        let wanted = self.stopping.child_token();
        let guard = wanted.clone().drop_guard();
        (Wanted(wanted), guard)
    }

    /// What comes of it, unless the coordinator stops before.
    pub(super) async fn until_stopped<T>(&self, coming: impl Future<Output = T>) -> Result<T, Refusal> {
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => Err(Refusal::stopping()),
            come = coming => Ok(come),
        }
    }
}
