//! The digest of a plan: over everything that the plan means but time and presence (SEMANTICS 8, `--expect`).
//!
//! It is taken over identities and not over what is printed: another machine of the same name, or another secret behind
//! the same mask, is another plan. Sensitive values count by their digests, which are keyed with a key of their tenant.

use serde::Serialize;
use windlass_api::plan::{TargetRule, TenantRule};
use windlass_protocol::digest::Hasher;

use super::given::{Alike, Given};
use super::layout::{LaidStep, Layout};
use super::request::{Pair, Resolved};
use crate::matching::{LooksAt, looks_at};
use crate::model::StoredValue;
use crate::state::Space;
use crate::variables::Resolution;

/// Targets that are looked at for these beside those that get the step, of each kind that may be near.
pub(super) const LOOKED_AT: usize = 100;

/// What a plan means, as far as it has been told.
pub(super) struct Identity {
    hasher: Hasher,
    /// What is told at the moment.
    line: Vec<u8>,
}

impl Identity {
    /// A plan of this request.
    pub(super) fn of(resolved: &Resolved<'_>) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(b"windlass plan 2\n");
        let mut identity = Self { hasher, line: Vec::new() };
        let Resolved { project, release, only_targets, excluded_targets, skipped_steps, .. } = resolved;
        identity.tell(&("request", release.id, project.id, &project.slug, &project.name));
        // Targets may come before it starts: the same ones now do not make the same request.
        identity.tell(&("limits", only_targets, excluded_targets, skipped_steps));
        identity
    }

    fn tell(&mut self, part: &impl Serialize) {
        self.line.clear();
        write_line(&mut self.line, part);
        self.hasher.update(&self.line);
    }

    pub(super) fn left_out(&mut self, pair: Pair, rules: &[TenantRule]) {
        self.tell(&("left-out", pair.environment, pair.tenant, rules));
    }

    pub(super) fn deployment(
        &mut self,
        space: &Space,
        pair: Pair,
        layout: &Layout<'_>,
        laid: &[LaidStep<'_>],
        given: &[Given<'_>],
        most_out: usize,
    ) {
        self.tell(&("deployment", pair.environment, pair.tenant));
        // What folders on targets and what scripts see is called so.
        let environment = space.environments.get(pair.environment).map(|found| (&found.slug, &found.name));
        let tenant = layout.tenant.map(|tenant| (&tenant.slug, &tenant.name));
        self.tell(&("called", &space.head.slug, &space.head.name, environment, tenant));
        for (step, given) in laid.iter().zip(given) {
            let package = layout.release.packages.get(&step.step.id).map(|package| package.manifest);
            self.tell(&("step", step.step.id, step.skipped, package));
            let alike: Vec<_> = given.alike.iter().map(variables).collect();
            for (target, of) in step.targets.iter().zip(&given.of) {
                let key = target.key.public_key;
                self.tell(&("target", target.id, &target.name, key, target.advertised.isolation));
                self.hasher.update(&alike[*of]);
            }
            self.targets_out(space, layout, step, most_out);
        }
    }

    /// The nearest targets that get nothing of a step though they serve the tenant there, which everybody sees who may see
    /// the deployment. Of the others that a plan shows, nobody who is limited may learn by a digest.
    fn targets_out(&mut self, space: &Space, layout: &Layout<'_>, laid: &LaidStep<'_>, most: usize) {
        if !laid.is_judged() {
            return;
        }
        let serving = space.serving(layout.tenant);
        let near = serving.iter().copied().flatten().take(laid.targets.len() + LOOKED_AT);
        let rules = near.filter_map(|id| {
            let target = space.targets.get(*id)?;
            let rules = layout.refusals(space, target, laid.step);
            let near = !rules.is_empty() && rules.iter().all(|rule| serves(*rule));
            near.then_some((target, rules))
        });
        for (target, rules) in rules.take(most) {
            self.tell(&("out", target.id, &target.name, rules));
        }
    }

    pub(super) fn digest(self) -> String {
        format!("sha256:{}", self.hasher.finish())
    }
}

/// Whether a target that is left out by this rule may serve the tenant in the environment all the same.
const fn serves(rule: TargetRule) -> bool {
    match looks_at(rule) {
        LooksAt::Environment | LooksAt::Tenancy | LooksAt::Tenant => false,
        LooksAt::TargetAlone | LooksAt::Step | LooksAt::Request => true,
    }
}

/// Each part is told as JSON on a line: what is in one cannot be taken for what is in two.
fn write_line(lines: &mut Vec<u8>, part: &impl Serialize) {
    serde_json::to_writer(&mut *lines, part).expect("ids, rules and digests are JSON");
    lines.push(b'\n');
}

fn variables(alike: &Alike<'_>) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, resolution) in alike.variables() {
        let Resolution::Value(candidate, _) = resolution else { continue };
        // The same text is another thing where it is the tenant's own.
        let why = (candidate.source, candidate.rank.in_words());
        match candidate.value {
            StoredValue::Plain(text) => write_line(&mut lines, &("plain", name, text, why)),
            StoredValue::Sealed(sealed) => {
                write_line(&mut lines, &("sealed", name, sealed.key, sealed.digest, why));
            }
        }
    }
    lines
}
