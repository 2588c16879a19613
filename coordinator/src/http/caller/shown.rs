//! Of whom answers tell: one [`Shown`] for all that tell a token of the same, however many are on their way.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use windlass_coordinator_core::authorise::PersonPermit;
use windlass_coordinator_core::sight::{Shown, Sight};
use windlass_coordinator_core::state::State;
use windlass_protocol::ids::TokenId;

use crate::http::quota::{Permit, Quota};

/// The newest of each token that an answer still rests on.
pub(in crate::http) struct Showings {
    quota: Arc<Quota>,
    newest: Mutex<HashMap<TokenId, Weak<Showing>>>,
}

/// Whom an answer shows, which many may rest on. It weighs what it takes, until the last of them is given.
pub(in crate::http) struct Showing {
    shown: Mutex<Shown>,
    _place: Permit,
}

impl Showings {
    /// None yet; each counts in this quota.
    pub(in crate::http) fn new(quota: Arc<Quota>) -> Arc<Self> {
        Arc::new(Self { quota, newest: Mutex::default() })
    }

    /// Whom this sight shows.
    pub(super) fn of(&self, sight: &Sight) -> Arc<Showing> {
        let token = sight.permit().token();
        if let Some(newest) = self.newest(token).filter(|newest| newest.shown.lock().is_all_of(sight)) {
            return newest;
        }
        let shown = sight.shown();
        let place = self.quota.hold(token, shown.bytes());
        let made = Arc::new(Showing { shown: Mutex::new(shown), _place: place });
        // Others may have asked at the same moment: what they made is as good.
        if let Some(newest) = self.newest(token).filter(|newest| newest.shown.lock().is_all_of(sight)) {
            return newest;
        }
        let mut newest = self.newest.lock();
        newest.retain(|_, showing| showing.strong_count() > 0);
        newest.insert(token, Arc::downgrade(&made));
        made
    }

    /// The newest of this token, if an answer still rests on it.
    pub(in crate::http) fn newest(&self, token: TokenId) -> Option<Arc<Showing>> {
        self.newest.lock().get(&token).and_then(Weak::upgrade)
    }
}

impl Showing {
    /// Whether all of it is seen still ([`Shown::is_seen`]).
    pub(super) fn is_seen(&self, state: &State, permit: &PersonPermit) -> bool {
        self.shown.lock().is_seen(state, permit)
    }

    /// Whether this sight shows all of it too.
    pub(super) fn is_within(&self, sight: &Sight) -> bool {
        self.shown.lock().is_within(sight)
    }
}
