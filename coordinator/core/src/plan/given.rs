//! What the targets of a step are given of variables, looked up once for all that are given the same: targets of a step with
//! the same roles, and tenants of a request that do not differ in what a value depends on.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use windlass_api::error::Problem;
use windlass_protocol::ids::{EnvironmentId, StepId, TargetId};

use super::layout::{LaidStep, Layout};
use crate::model::{Release, Step, Target, Tenant, TenantValues};
use crate::scope;
use crate::variables::{Context, Dependence, Dependencies, Needs, Resolution, missing, resolve};

/// What the targets of a step are given.
pub(super) struct Given<'a> {
    /// What is given to some of them alike, in the order in which they come first.
    pub(super) alike: Vec<Alike<'a>>,
    /// Which of that each target is given, by its place in the step.
    pub(super) of: Vec<usize>,
}

/// What some targets of a step are given alike.
pub(super) struct Alike<'a> {
    found: Rc<Found<'a>>,
    /// The tenant's own values, which nobody shares.
    values: Option<&'a TenantValues>,
}

/// What was looked up for the first whom it concerns, and holds for all who are given the same, whichever tenant's they are.
struct Found<'a> {
    number: usize,
    target: TargetId,
    roles: BTreeSet<String>,
    /// The variables that the step needs, and what each comes to.
    variables: Vec<(String, Resolution<'a>)>,
}

impl<'a> Alike<'a> {
    /// Equal for all who are given the same of the same step, but for the tenants' own values.
    pub(super) fn number(&self) -> usize {
        self.found.number
    }

    /// The variables that the step needs, and what each comes to for this tenant.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, Resolution<'a>)> {
        self.found.variables.iter().map(|(name, found)| (name.as_str(), found.of_tenant(self.values)))
    }

    pub(super) fn roles(&self) -> &BTreeSet<String> {
        &self.found.roles
    }

    /// What it is resolved for.
    pub(super) fn context<'b>(&'b self, layout: &Layout<'b>, step: &'b Step) -> Context<'b, 'b> {
        layout.context(step, (self.found.target, &self.found.roles))
    }
}

/// What was looked up for deployments of one release.
pub(super) struct Lookups<'a> {
    release: &'a Release,
    dependencies: Dependencies<'a>,
    /// Environments and tenants by what makes a difference, numbered as they came.
    groups: BTreeMap<Dependence, Group>,
    /// Sets of roles, numbered as they came.
    role_sets: BTreeMap<BTreeSet<String>, usize>,
    found: BTreeMap<Asked, Rc<Found<'a>>>,
    /// Groups and answers so far, whether they are remembered or not.
    numbered: usize,
    /// About how much is remembered.
    held: usize,
}

/// Variables that are remembered for whom else they may concern, some hundred bytes each.
const MOST_HELD: usize = 1 << 18;

/// Variables that the steps of one deployment are given, counted once for all targets that are given the same.
const MOST_GIVEN: usize = 1 << 20;

/// Who differs in nothing.
struct Group {
    number: usize,
    missing: Rc<[String]>,
}

/// What was asked for: the group, the step, the roles, and the target where a value names it.
type Asked = (usize, StepId, usize, Option<TargetId>);

impl<'a> Lookups<'a> {
    /// For deployments of `release`.
    pub(super) fn of(release: &'a Release) -> Self {
        Self {
            release,
            dependencies: Dependencies::of(&release.snapshot),
            groups: BTreeMap::new(),
            role_sets: BTreeMap::new(),
            found: BTreeMap::new(),
            numbered: 0,
            held: 0,
        }
    }

    /// The templates that lack a value.
    pub(super) fn missing(&mut self, environment: EnvironmentId, tenant: Option<&Tenant>) -> Rc<[String]> {
        self.let_go();
        Rc::clone(&self.group(environment, tenant).missing)
    }

    /// What the targets of each step are given.
    pub(super) fn given(
        &mut self,
        layout: &Layout<'a>,
        steps: &[LaidStep<'a>],
    ) -> Result<Vec<Given<'a>>, Problem> {
        self.let_go();
        let group = self.group(layout.environment, layout.tenant).number;
        let most = self.held + MOST_GIVEN;
        steps.iter().map(|laid| self.given_of(group, layout, laid, most)).collect()
    }

    /// Forgets what is remembered where that is too much.
    fn let_go(&mut self) {
        if self.held > MOST_HELD {
            self.groups.clear();
            self.found.clear();
            self.held = 0;
        }
    }

    fn group(&mut self, environment: EnvironmentId, tenant: Option<&Tenant>) -> &Group {
        let (numbered, held, release) = (&mut self.numbered, &mut self.held, self.release);
        let size = self.dependencies.size();
        self.groups.entry(self.dependencies.on(environment, tenant)).or_insert_with(|| {
            let context = Context::of(&release.snapshot, environment, tenant);
            let missing: Rc<[String]> = missing(&context).into();
            *numbered += 1;
            *held += size + missing.len();
            Group { number: *numbered, missing }
        })
    }

    /// The same of one step, as long as no more than `most` is held.
    fn given_of(
        &mut self,
        group: usize,
        layout: &Layout<'a>,
        laid: &LaidStep<'a>,
        most: usize,
    ) -> Result<Given<'a>, Problem> {
        let values = layout.tenant.map(|tenant| &tenant.values);
        let mut given = Given { alike: Vec::new(), of: Vec::with_capacity(laid.targets.len()) };
        let mut places = BTreeMap::new();
        for target in &laid.targets {
            let found = self.find(group, layout, laid.step, target);
            let place = *places.entry(found.number).or_insert(given.alike.len());
            if place == given.alike.len() {
                given.alike.push(Alike { found: Rc::clone(found), values });
            }
            given.of.push(place);
            if self.held > most {
                return Err(Problem::conflict(format!(
                    "its steps would be given more than {MOST_GIVEN} values, since their targets are of many kinds or have \
                     values of their own; deploy to fewer targets at once"
                )));
            }
        }
        Ok(given)
    }

    fn find(&mut self, group: usize, layout: &Layout<'a>, step: &'a Step, target: &Target) -> &Rc<Found<'a>> {
        let roles = scope::roles(target);
        let role_set = match self.role_sets.get(roles.as_ref()) {
            Some(number) => *number,
            None => {
                let number = self.role_sets.len();
                self.role_sets.insert(roles.clone().into_owned(), number);
                number
            }
        };
        let (numbered, held) = (&mut self.numbered, &mut self.held);
        let asked = (group, step.id, role_set, self.dependencies.on_target(target.id).then_some(target.id));
        self.found.entry(asked).or_insert_with(|| {
            let context = layout.context(step, (target.id, &roles));
            let names = Needs::of(&step.needs, &context).names.into_values();
            let variables =
                names.map(|name| (resolve(&name, &context), name)).map(|(found, name)| (name, found));
            let variables: Vec<_> = variables.collect();
            *numbered += 1;
            *held += 1 + variables.len();
            Rc::new(Found { number: *numbered, target: target.id, roles: roles.into_owned(), variables })
        })
    }
}
