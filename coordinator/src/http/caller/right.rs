//! The right to an answer, asked for anew before each piece of it (THREATS C2): by the one function that authorises people,
//! on the state as it is then.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::futures::Notified;
use windlass_api::error::{Problem, ProblemKind};
use windlass_coordinator_core::authorise::{self, Action, PersonDenied, PersonPermit};
use windlass_coordinator_core::sight::Sight;
use windlass_coordinator_core::state::State;
use windlass_protocol::Digest;
use windlass_protocol::ids::TokenId;

use super::Decider;
use super::shown::{Showing, Showings};
use crate::engine::latest;
use crate::http::refusal::Refusal;
use crate::http::right::Right;
use crate::registry::Registry;

/// The right of a caller to what it is answered.
pub(super) struct TokenRight {
    decider: Decider,
    registry: Arc<Registry>,
    showings: Arc<Showings>,
    token: TokenId,
    secret: Digest,
    action: Action,
    rests: Mutex<Rests>,
}

/// What an answer rests on.
enum Rests {
    /// The token may do what was asked for.
    Token,
    /// And still sees everybody whom it was shown.
    Shown(Arc<Showing>),
    /// It did not see somebody any more whom it was shown.
    Lost,
    /// Nothing more: it says that something is done, to who took back its own right by it.
    Nothing,
}

impl TokenRight {
    pub(super) fn new(context: &super::Context, (token, secret): (TokenId, Digest), action: Action) -> Self {
        Self {
            decider: context.decider.clone(),
            registry: Arc::clone(&context.services.registry),
            showings: Arc::clone(&context.showings),
            token,
            secret,
            action,
            rests: Mutex::new(Rests::Token),
        }
    }

    pub(super) const fn token(&self) -> TokenId {
        self.token
    }

    pub(super) fn permit(&self, state: &State) -> Result<PersonPermit, PersonDenied> {
        authorise::person(state, self.token, self.secret, self.action, latest())
    }

    /// From now on the answer tells of what this shows as well. What it told of before may still be on its way: who does
    /// not read keeps it waiting in the connection.
    pub(super) fn shows(&self, sight: &Sight) {
        let now = self.showings.of(sight);
        let mut rests = self.rests.lock();
        *rests = match &*rests {
            Rests::Lost => Rests::Lost,
            // Who is shown now includes all those before, or somebody is lost.
            Rests::Shown(before) if !Arc::ptr_eq(before, &now) && !before.is_within(sight) => Rests::Lost,
            _ => Rests::Shown(now),
        };
    }

    pub(super) fn tells_nothing(&self) {
        *self.rests.lock() = Rests::Nothing;
    }
}

impl Right for TokenRight {
    fn expect(&self) -> Result<(), Refusal> {
        let state = self.decider.0.state();
        let rests = self.rests.lock();
        if let Rests::Nothing = *rests {
            return Ok(());
        }
        let permit = self.permit(&state).map_err(super::refusal)?;
        let is_lost = match &*rests {
            Rests::Shown(showing) => !showing.is_seen(&state, &permit),
            Rests::Lost => true,
            Rests::Token | Rests::Nothing => false,
        };
        if is_lost {
            let text = "what your token sees has changed while this was answered; ask again";
            return Err(Problem::new(ProblemKind::Unavailable, text).into());
        }
        Ok(())
    }

    fn changed(&self) -> Notified<'_> {
        self.registry.changed()
    }
}
