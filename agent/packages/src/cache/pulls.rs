//! Who is pulling what: one pull of a package at a time, whose threads end before the next one begins.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use windlass_protocol::Digest;

#[derive(Default)]
pub(crate) struct Pulls {
    claims: Mutex<BTreeMap<Digest, Claimed>>,
    ended: Condvar,
    /// Held while a pull begins, and while an eviction looks and removes.
    gate: Mutex<()>,
}

/// A package that is being pulled.
struct Claimed {
    abandoned: Arc<AtomicBool>,
    /// The packages that the pull names as held: what they have does not travel.
    held: Vec<Digest>,
}

/// A pull, in the hands of whoever drives it. When it is dropped, the threads that work for it stop soon.
pub(crate) struct Attempt {
    claim: Arc<Claim>,
}

/// The right to write below the package's partial folder, shared with the threads. Gone with the last of them.
pub(crate) struct Claim {
    pulls: Arc<Pulls>,
    manifest: Digest,
    abandoned: Arc<AtomicBool>,
}

impl Pulls {
    /// Claims a package. `None` if a pull of it is going on; one that was abandoned is waited for, which takes as
    /// long as its threads need to notice.
    pub(crate) fn claim(self: &Arc<Self>, manifest: Digest) -> Option<Attempt> {
        let mut claims = self.lock();
        while let Some(claimed) = claims.get(&manifest) {
            if !claimed.abandoned.load(Ordering::Acquire) {
                return None;
            }
            claims = self.ended.wait(claims).expect("nothing panics while it holds the claims");
        }
        let abandoned = Arc::new(AtomicBool::new(false));
        claims.insert(manifest, Claimed { abandoned: Arc::clone(&abandoned), held: Vec::new() });
        Some(Attempt { claim: Arc::new(Claim { pulls: Arc::clone(self), manifest, abandoned }) })
    }

    /// Notes what the pull of a claimed package names as held.
    pub(crate) fn hold(&self, manifest: Digest, held: &[Digest]) {
        if let Some(claimed) = self.lock().get_mut(&manifest) {
            held.clone_into(&mut claimed.held);
        }
    }

    /// The packages being pulled, and those that their pulls name as held.
    pub(crate) fn active(&self) -> Vec<Digest> {
        let claims = self.lock();
        claims.iter().flat_map(|(manifest, claimed)| claimed.held.iter().chain([manifest])).copied().collect()
    }

    /// Waits until nothing begins and nothing is evicted.
    pub(crate) fn gate(&self) -> MutexGuard<'_, ()> {
        // It guards no data, so there is nothing that a panic could have left half done.
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Digest, Claimed>> {
        self.claims.lock().expect("nothing panics while it holds the claims")
    }
}

impl Attempt {
    pub(crate) fn claim(&self) -> Arc<Claim> {
        Arc::clone(&self.claim)
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.claim.abandoned.store(true, Ordering::Release);
        // Whoever waits for a pull that is going on has been told so and is gone; nobody waits for this flag.
    }
}

impl Claim {
    /// Whether nobody waits for this pull any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.pulls.lock().remove(&self.manifest);
        self.pulls.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_package_has_one_pull_at_a_time() {
        let pulls = Arc::new(Pulls::default());
        let first = pulls.claim(Digest::of("a")).unwrap();
        assert!(pulls.claim(Digest::of("a")).is_none());
        assert!(pulls.claim(Digest::of("b")).is_some());
        drop(first);
        assert!(pulls.claim(Digest::of("a")).is_some());
        assert_eq!(pulls.active(), []);
        let _third = pulls.claim(Digest::of("a")).unwrap();
        pulls.hold(Digest::of("a"), &[Digest::of("old")]);
        assert_eq!(pulls.active(), [Digest::of("old"), Digest::of("a")]);
    }

    #[test]
    fn an_abandoned_pull_is_waited_for() {
        let pulls = Arc::new(Pulls::default());
        let attempt = pulls.claim(Digest::of("a")).unwrap();
        let claim = attempt.claim();
        drop(attempt);
        let ended = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let ended = Arc::clone(&ended);
            move || {
                assert!(claim.is_abandoned());
                thread::sleep(Duration::from_millis(50));
                ended.store(true, Ordering::SeqCst);
                drop(claim);
            }
        });
        assert!(pulls.claim(Digest::of("a")).is_some());
        assert!(ended.load(Ordering::SeqCst));
        thread.join().unwrap();
    }
}
