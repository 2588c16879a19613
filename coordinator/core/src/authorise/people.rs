//! What people may do: by the role of their token, and of those that made it (SEMANTICS 10).

use windlass_protocol::Timestamp;
use windlass_protocol::digest::Digest;
use windlass_protocol::ids::TokenId;

use crate::model::{Role, TenantLimit};
use crate::state::State;

/// What a person wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Read anything that is not secret.
    Read,
    /// Change anything.
    Change,
}

/// A person may do it. What of a space it may be done with, or be seen of it, a [`Sight`](crate::sight::Sight) says.
#[derive(Debug, Clone)]
pub struct PersonPermit {
    token: TokenId,
    role: Role,
    limits: Vec<TenantLimit>,
}

impl PersonPermit {
    /// The token that it was granted to.
    pub const fn token(&self) -> TokenId {
        self.token
    }

    /// What the token may do at this moment.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Whose things it is for: who is within all of these; everybody's where there are none.
    pub fn limits(&self) -> &[TenantLimit] {
        &self.limits
    }
}

/// Why a person may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonDenied {
    /// No such token, or its secret is wrong, or it has expired.
    Unknown,
    /// The token is good, but not for this.
    NotAllowed,
}

/// Whether the holder of a token may do something.
pub fn person(
    state: &State,
    id: TokenId,
    secret: Digest,
    action: Action,
    now: Timestamp,
) -> Result<PersonPermit, PersonDenied> {
    state.tokens.get(&id).filter(|token| token.secret == secret).ok_or(PersonDenied::Unknown)?;
    let (role, limits) = standing_at(state, id, now).ok_or(PersonDenied::Unknown)?;
    if !role_admits(role, action) {
        return Err(PersonDenied::NotAllowed);
    }
    Ok(PersonPermit { token: id, role, limits: limits.into_iter().cloned().collect() })
}

/// Whether who made something that acts for its maker may do it now. What the installer or the coordinator made has
/// no maker to be weaker than.
pub fn maker_may(state: &State, maker: Option<TokenId>, action: Action, now: Timestamp) -> bool {
    maker.is_none_or(|maker| role_at(state, maker, now).is_some_and(|role| role_admits(role, action)))
}

const fn role_admits(role: Role, action: Action) -> bool {
    match (action, role) {
        (Action::Read, Role::Auditor | Role::Administrator) | (Action::Change, Role::Administrator) => true,
        (Action::Change, Role::Auditor) => false,
    }
}

/// What a token may do at this moment: no more than any of those that made it may (SEMANTICS 10). `None` where it, or
/// one of them, is gone or expired.
pub fn role_at(state: &State, id: TokenId, now: Timestamp) -> Option<Role> {
    standing_at(state, id, now).map(|(role, _)| role)
}

fn standing_at(state: &State, id: TokenId, now: Timestamp) -> Option<(Role, Vec<&TenantLimit>)> {
    let mut limits = Vec::new();
    let mut current = state.tokens.get(&id)?;
    let mut role = current.role;
    // Tokens are made by older ones, so the chain ends; the bound is against a journal that says otherwise.
    for _ in 0..=state.tokens.len() {
        if current.expires.is_some_and(|expires| expires < now) {
            return None;
        }
        role = weaker(role, current.role);
        limits.extend(&current.limit);
        match current.made_by {
            None => return Some((role, limits)),
            Some(maker) => current = state.tokens.get(&maker)?,
        }
    }
    None
}

/// The role that admits no more than either of two; a role that none of the others includes has none.
const fn weaker(one: Role, other: Role) -> Role {
    match (one, other) {
        (Role::Auditor, Role::Auditor | Role::Administrator) | (Role::Administrator, Role::Auditor) => {
            Role::Auditor
        }
        (Role::Administrator, Role::Administrator) => Role::Administrator,
    }
}
