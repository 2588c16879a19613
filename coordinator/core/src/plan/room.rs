//! How much a plan prints: a plan is made of as many deployments, steps, targets and variables as somebody asks for, and
//! what it says lies in memory until who asked has taken it.

use std::collections::BTreeMap;

use serde::Serialize;
use windlass_api::json;
use windlass_api::plan::{PlannedDeployment, PlannedPlace, PlannedStep};
use windlass_protocol::Digest;
use windlass_protocol::digest::Hasher;

/// Bytes of what a plan tells of its deployments, as JSON. Which ones there are is told of all.
pub(super) const PLAN_BYTES: usize = 8 << 20;

/// As long as no more than that is told, each deployment has all its steps, whoever's say the same: who reads an answer by
/// a program looks no further than there. Only longer ones tell what is alike once.
const WHOLE_BYTES: usize = 1 << 20;

/// The room that a plan has left, and what stands in it.
pub(super) struct Room {
    left: usize,
    /// Where steps were printed first, by the digest of all that they say.
    printed: BTreeMap<Digest, PlannedPlace>,
    /// Deployments that are not printed with all their steps.
    cut: usize,
}

/// Steps of one deployment while they are printed.
pub(super) struct Steps {
    printed: Vec<(PlannedStep, usize)>,
    left: usize,
    more: usize,
}

impl Room {
    pub(super) const fn new() -> Self {
        Self { left: PLAN_BYTES, printed: BTreeMap::new(), cut: 0 }
    }

    /// Room for the steps of a deployment: as large as all, for they may turn out to be printed already. There is none once
    /// a deployment had to be cut.
    pub(super) const fn steps(&self) -> Steps {
        Steps { printed: Vec::new(), left: if self.cut == 0 { PLAN_BYTES } else { 0 }, more: 0 }
    }

    /// Whether something fits that is told beside deployments.
    pub(super) fn take(&mut self, part: &impl Serialize) -> bool {
        take(&mut self.left, part)
    }

    /// Puts steps into their deployment: in a plan that is long already those of an earlier one where they say the same,
    /// else as many as fit.
    pub(super) fn keep(&mut self, steps: Steps, deployment: &mut PlannedDeployment) {
        let Steps { printed, mut more, .. } = steps;
        let place =
            PlannedPlace { environment: deployment.environment.clone(), tenant: deployment.tenant.clone() };
        if more == 0 && !printed.is_empty() && PLAN_BYTES - self.left >= WHOLE_BYTES {
            let digest = digest(&printed);
            if let Some(first) = self.printed.get(&digest) {
                deployment.steps_as = Some(first.clone());
                return;
            }
            self.printed.insert(digest, place);
        }
        let steps = printed.len();
        let fitting = printed.into_iter().map_while(|(step, bytes)| {
            self.left = self.left.checked_sub(bytes)?;
            Some(step)
        });
        deployment.steps.extend(fitting);
        more += steps - deployment.steps.len();
        self.cut += usize::from(more > 0);
        deployment.more_steps = more;
    }

    /// What the plan does not say, as a sentence.
    pub(super) fn told(&self, deployments: usize) -> Option<String> {
        (self.cut > 0).then(|| {
            format!(
                "{} of {deployments} deployments are printed without all their steps, since a plan says at most {} MiB; \
                 name fewer tenants, environments or targets to read of these; the digest stands for all of it",
                self.cut,
                PLAN_BYTES >> 20
            )
        })
    }
}

impl Steps {
    /// Prints the next step, unless there is no room: then none after it is printed either.
    pub(super) fn print(&mut self, print: impl FnOnce(&mut usize) -> Option<PlannedStep>) {
        let before = self.left;
        let step = if self.more == 0 && before > 0 { print(&mut self.left) } else { None };
        match step {
            Some(step) => self.printed.push((step, before - self.left)),
            None => self.more += 1,
        }
    }
}

/// The part, if there is room for it.
pub(super) fn fitting<T: Serialize>(left: &mut usize, part: T) -> Option<T> {
    take(left, &part).then_some(part)
}

/// Takes the room that a part needs as JSON; false where there is not enough.
fn take(left: &mut usize, part: &impl Serialize) -> bool {
    let bytes = json::bytes(part);
    let fits = bytes <= *left;
    *left = left.saturating_sub(bytes + ",".len());
    fits
}

fn digest(steps: &[(PlannedStep, usize)]) -> Digest {
    let mut hasher = Hasher::new();
    for (step, _) in steps {
        serde_json::to_writer(&mut hasher, step).expect("what a plan says is JSON");
    }
    hasher.finish()
}
