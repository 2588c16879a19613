//! What somebody sees of a space: the only way by which what answers people reaches state (SEMANTICS 10; ARCHITECTURE,
//! "What breadth stands on: Sight").
//!
//! Whoever is limited to tenants gets a space in which everything else does not exist: it is not there to be listed,
//! counted, suggested, clashed with or named. What is decided is decided on the whole space, by functions of this crate
//! that take the sight and say what they found in its words.

mod limited;
mod queries;
mod reach;
mod record;
mod shown;
mod waits;

use std::sync::Arc;

use windlass_api::error::{Problem, ProblemKind};
use windlass_api::plan::TargetRule;
use windlass_protocol::ids::{EnvironmentId, SpaceId, TargetId, TokenId};

use crate::authorise::PersonPermit;
use crate::matching::{self, Question};
use crate::model::{ApiToken, Project, Release, Target, Tenant};
use crate::plan::{self, TenantRefusal};
use crate::state::{Space, State};

pub use record::SeenRecords;
pub use shown::Shown;
pub use waits::{Connected, Waiting};

/// A space at one moment, as far as somebody sees it.
#[derive(Clone)]
pub struct Sight {
    state: Arc<State>,
    space: SpaceId,
    /// What is left of the space for who is limited; none for who sees all of it.
    seen: Option<Arc<Space>>,
    permit: PersonPermit,
}

impl Sight {
    /// The space that `name` names, or the first one; `Err` has the names of those that there are for this person.
    pub fn open(state: Arc<State>, permit: &PersonPermit, name: Option<&str>) -> Result<Self, Vec<String>> {
        let visible = |space: &&Space| permit.limits().iter().all(|limit| limit.space == space.head.id);
        let found = match name {
            Some(_) => state.space_named(name).filter(visible),
            None => state.spaces.values().find(visible),
        };
        let Some(found) = found else {
            return Err(state
                .spaces
                .values()
                .filter(visible)
                .map(|space| space.head.name.to_string())
                .collect());
        };
        let seen = (!permit.limits().is_empty()).then(|| Arc::new(limited::space(found, permit.limits())));
        Ok(Self { space: found.head.id, seen, permit: permit.clone(), state })
    }

    pub const fn space_id(&self) -> SpaceId {
        self.space
    }

    /// What is seen of it.
    pub fn space(&self) -> &Space {
        self.seen.as_deref().unwrap_or_else(|| self.whole())
    }

    /// All of the space, for who decides or has no limit.
    pub(crate) fn whole(&self) -> &Space {
        self.state.space(self.space).expect("it was found in this very state")
    }

    /// Whether there is no limit: then what is not of the space, such as the record, may be looked at too.
    pub const fn is_whole(&self) -> bool {
        self.seen.is_none()
    }

    /// The whole state, for who has no limit: the record of the installation is of everybody's things.
    pub fn expect_whole(&self) -> Result<&State, Problem> {
        let refused = || {
            let text = "this is about everybody's things, and your token is limited to some tenants";
            Problem::new(ProblemKind::NotAuthorised, text)
        };
        if self.is_whole() { Ok(&self.state) } else { Err(refused()) }
    }

    /// What is seen of the record. It has to be shown each record in order, from the first one on.
    pub fn records(&self) -> SeenRecords<'_> {
        SeenRecords::new(self)
    }

    /// Says so where nobody is named for whom something is asked: that something is done for no tenant is nothing that
    /// who is limited sees.
    pub fn expect_named(&self, tenant: bool) -> Result<(), Problem> {
        if tenant || self.is_whole() {
            return Ok(());
        }
        Err(Problem::usage("no tenant is named; say for whom with --tenant"))
    }

    /// The number of the last record. It tells how much everybody does: nothing to be shown to who is limited, to whom
    /// records are told by numbers of their own ([`Self::records`]).
    pub fn record(&self) -> u64 {
        self.state.number
    }

    /// What it was opened with.
    pub const fn permit(&self) -> &PersonPermit {
        &self.permit
    }

    /// The space of a record: this one, and for who has no limit any other.
    pub fn space_of_id(&self, id: SpaceId) -> Option<&Space> {
        match self.seen.as_deref() {
            Some(seen) => Some(seen).filter(|_| id == self.space),
            None => self.state.space(id),
        }
    }

    /// The name of a target that is seen, wherever it is.
    pub fn target_name(&self, id: TargetId) -> Option<String> {
        let space = if self.is_whole() { self.state.space_of(id)? } else { self.space() };
        space.targets.get(id).map(|target| target.name.to_string())
    }

    /// The token that looks, and, for who has no limit, every other.
    pub fn tokens(&self) -> impl Iterator<Item = &ApiToken> {
        self.state.tokens.values().filter(|token| self.sees_token(token.id))
    }

    /// A token that is seen.
    pub fn token(&self, id: TokenId) -> Option<&ApiToken> {
        self.state.tokens.get(&id).filter(|_| self.sees_token(id))
    }

    fn sees_token(&self, id: TokenId) -> bool {
        self.is_whole() || id == self.permit.token()
    }

    /// Why a target does not belong to a step, as it is in truth.
    pub fn target_rules(&self, target: TargetId, question: &Question<'_>) -> Vec<TargetRule> {
        // That a machine takes part in untenanted work is nothing that who is limited sees, nor what one is now that they
        // only remember.
        let is_left = self.space().targets.get(target).is_some_and(Target::is_only_remembered);
        let space = if question.tenant.is_some() && !is_left { self.whole() } else { self.space() };
        let target = space.targets.get(target);
        target.map(|target| matching::refusals(space, target, question)).unwrap_or_default()
    }

    /// Why a release may not go to an environment for a tenant, as it is in truth.
    pub fn judge(
        &self,
        project: &Project,
        release: &Release,
        environment: EnvironmentId,
        tenant: &Tenant,
    ) -> Vec<TenantRefusal> {
        let whole = self.whole();
        let (project, release) = (whole.projects.get(project.id), whole.releases.get(&release.id));
        let (Some(project), Some(release)) = (project, release) else { return Vec::new() };
        plan::judge(whole, self.space(), project, release, environment, Some(tenant.id))
    }
}
