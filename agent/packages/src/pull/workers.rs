//! The three threads of a pull: started together, ended together, and the first true reason of a failure.

use std::io;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::digesting::{self, Step};
use super::ending::Ended;
use super::settling::{self, Package};
use super::writing;
use crate::cache::Claim;
use crate::{Cache, PullError};

/// Steps that wait to be digested, and pieces that wait to be written. Small pieces have memory of their own, so
/// this bounds memory too.
const QUEUE: usize = 32;

type Thread = JoinHandle<Result<Ended, PullError>>;

/// The threads of one pull. Each ends when the one before it does; dropped, they stop soon.
pub(super) struct Workers {
    steps: mpsc::Sender<Step>,
    /// In the order in which bytes pass them.
    threads: [Thread; 3],
}

impl Workers {
    pub(super) fn start(cache: &Cache, package: Package, claim: &Arc<Claim>) -> Self {
        let (steps, digested) = mpsc::channel(QUEUE);
        let (disk, writes) = mpsc::channel(QUEUE);
        // One being made durable while the next is written; then the disk is behind, and writing waits for it.
        let (settle, settles) = mpsc::channel(1);
        let digesting = spawn_blocking({
            let claim = Arc::clone(claim);
            move || {
                let result = digesting::run(digested, disk);
                drop(claim);
                result
            }
        });
        let writing = spawn_blocking({
            let (layout, claim, manifest) = (cache.layout().clone(), Arc::clone(claim), package.manifest);
            move || writing::run(layout, manifest, claim, writes, settle)
        });
        let settling = spawn_blocking({
            let (cache, claim) = (cache.clone(), Arc::clone(claim));
            move || settling::run(&cache, &package, &claim, settles)
        });
        Self { steps, threads: [digesting, writing, settling] }
    }

    /// Hands a step on. False if the threads have ended; [`Workers::end`] says why.
    pub(super) async fn step(&self, step: Step) -> bool {
        self.steps.send(step).await.is_ok()
    }

    /// Waits for the threads: how they ended, or the first reason of a failure, in the order in which bytes pass.
    pub(super) async fn end(self) -> Result<Ended, PullError> {
        drop(self.steps);
        let mut failure = None;
        let mut all = Ended::Complete;
        for thread in self.threads {
            match thread.await.unwrap_or_else(|died| Err(dead(died))) {
                Ok(Ended::Complete) => {}
                Ok(Ended::Early) => all = Ended::Early,
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(all), Err)
    }
}

fn dead(died: tokio::task::JoinError) -> PullError {
    PullError::Stream(io::Error::other(died))
}

/// Threads that end without having been told to, and without a reason, are a defect of this crate.
pub(super) fn workers_died() -> PullError {
    PullError::Stream(io::Error::other("the threads of the pull ended early"))
}
