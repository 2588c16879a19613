//! The digest of a plan: over everything that the plan means but time and presence (SEMANTICS 8, `--expect`).
//!
//! It is taken over identities and not over what is printed: another machine of the same name, or another secret behind
//! the same mask, is another plan. Sensitive values count by their digests, which are keyed with a key of their tenant.

use std::collections::BTreeMap;

use serde::Serialize;
use windlass_api::error::Problem;
use windlass_api::plan::TargetRule;
use windlass_api::requests::DeployRequest;
use windlass_protocol::digest::Hasher;
use windlass_protocol::{Digest, Timestamp};

use super::given::{Alike, Given};
use super::layout::{LaidStep, Layout};
use super::request::{Pair, Resolved, resolve};
use super::tenants::{Admitted, TenantRefusal, Wanted, admitted_shown};
use crate::matching::{LooksAt, looks_at};
use crate::model::StoredValue;
use crate::sight::Sight;
use crate::state::Space;
use crate::variables::Resolution;

/// Targets that are looked at for these beside those that get the step, of each kind that may be near.
pub(super) const LOOKED_AT: usize = 100;

/// Most targets that are told of those that get nothing of a step.
const MOST_OUT: usize = 20;

/// As many are told of a step in all deployments of a plan together.
const MOST_OUT_IN_ALL: usize = 1000;

/// Most targets that are told of those that get nothing of a step, in a plan for so many deployments.
pub(super) fn most_out(resolved: &Resolved<'_>) -> usize {
    MOST_OUT.min(MOST_OUT_IN_ALL / resolved.pairs.len().max(1))
}

/// Digests that are remembered for whom else they may concern.
const MOST_HELD: usize = 1 << 16;

/// The digest of the plan that `request` has now, as somebody sees it; nothing is printed for it.
pub fn digest_in_sight(
    sight: &Sight,
    request: &DeployRequest,
    now: Timestamp,
    wanted: Wanted<'_>,
) -> Result<String, Problem> {
    let resolved = resolve(sight.space(), request)?;
    sight.expect_named(resolved.pairs.iter().all(|pair| pair.tenant.is_some()))?;
    Ok(admit(sight.whole(), &resolved.on(sight.whole())?, now, wanted)?.1)
}

/// Which pairs of a request may be deployed, as [`admitted`](super::admitted) says, if the plan is the expected one.
pub fn expected(
    space: &Space,
    resolved: &Resolved<'_>,
    now: Timestamp,
    expected: &str,
) -> Result<Admitted, Problem> {
    let (admitted, digest) = admit(space, resolved, now, &|| Ok(()))?;
    refuse_another(&digest, expected)?;
    Ok(admitted)
}

/// Refuses to deploy where the plan is another one than was looked at.
pub fn refuse_another(digest: &str, expected: &str) -> Result<(), Problem> {
    if digest == expected {
        return Ok(());
    }
    Err(Problem::conflict(format!(
        "the plan is another one now, {digest} instead of {expected}; look at it again with --plan"
    )))
}

fn admit(
    space: &Space,
    resolved: &Resolved<'_>,
    now: Timestamp,
    wanted: Wanted<'_>,
) -> Result<(Admitted, String), Problem> {
    let mut identity = Identity::of(resolved);
    let admitted = admitted_shown(space, space, resolved, now, wanted, |pair, layout, laid, given| {
        identity.deployment(space, pair, layout, laid, given);
    })?;
    let digest = identity.digest(&admitted);
    Ok((admitted, digest))
}

/// What a plan means, as far as it has been told.
pub(super) struct Identity {
    hasher: Hasher,
    /// What is told at the moment.
    line: Vec<u8>,
    most_out: usize,
    /// The digests of what is given alike, by its number, where nothing of it is a tenant's own.
    given: BTreeMap<usize, Digest>,
}

impl Identity {
    /// A plan of this request.
    pub(super) fn of(resolved: &Resolved<'_>) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(b"windlass plan 3\n");
        let (line, most_out, given) = (Vec::new(), most_out(resolved), BTreeMap::new());
        let mut identity = Self { hasher, line, most_out, given };
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

    fn left_out(&mut self, pair: Pair, refusals: &[TenantRefusal]) {
        let rules: Vec<_> = refusals.iter().map(|refusal| refusal.rule).collect();
        self.tell(&("left-out", pair.environment, pair.tenant, rules));
    }

    pub(super) fn deployment(
        &mut self,
        space: &Space,
        pair: Pair,
        layout: &Layout<'_>,
        laid: &[LaidStep<'_>],
        given: &[Given<'_>],
    ) {
        self.tell(&("deployment", pair.environment, pair.tenant));
        // What folders on targets and what scripts see is called so.
        let environment = space.environments.get(pair.environment).map(|found| (&found.slug, &found.name));
        let tenant = layout.tenant.map(|tenant| (&tenant.slug, &tenant.name));
        self.tell(&("called", &space.head.slug, &space.head.name, environment, tenant));
        for (step, given) in laid.iter().zip(given) {
            let package = layout.release.packages.get(&step.step.id).map(|package| package.manifest);
            self.tell(&("step", step.step.id, step.skipped, package));
            let alike: Vec<_> = given.alike.iter().map(|alike| self.variables(alike)).collect();
            for (target, of) in step.targets.iter().zip(&given.of) {
                let key = target.key.public_key;
                let isolation = target.advertised.isolation;
                self.tell(&("target", target.id, &target.name, key, isolation, alike[*of]));
            }
            self.targets_out(space, layout, step);
        }
    }

    /// The nearest targets that get nothing of a step though they serve the tenant there, which everybody sees who may see
    /// the deployment. Of the others that a plan shows, nobody who is limited may learn by a digest.
    fn targets_out(&mut self, space: &Space, layout: &Layout<'_>, laid: &LaidStep<'_>) {
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
        for (target, rules) in rules.take(self.most_out) {
            self.tell(&("out", target.id, &target.name, rules));
        }
    }

    /// The digest of what each given thing comes to: of texts that are much longer than it.
    fn variables(&mut self, alike: &Alike<'_>) -> Digest {
        if let Some(known) = self.given.get(&alike.number()) {
            return *known;
        }
        let (mut hasher, mut anybodys) = (Hasher::new(), true);
        for (name, resolution) in alike.variables() {
            let Resolution::Value(candidate, _) = resolution else { continue };
            anybodys &= !candidate.is_data();
            // The same text is another thing where it is the tenant's own.
            let why = (candidate.source, candidate.rank.in_words());
            self.line.clear();
            match candidate.value {
                StoredValue::Plain(text) => write_line(&mut self.line, &("plain", name, text, why)),
                StoredValue::Sealed(sealed) => {
                    write_line(&mut self.line, &("sealed", name, sealed.key, sealed.digest, why));
                }
            }
            hasher.update(&self.line);
        }
        let digest = hasher.finish();
        if anybodys {
            if self.given.len() >= MOST_HELD {
                self.given.clear();
            }
            self.given.insert(alike.number(), digest);
        }
        digest
    }

    /// The digest of the plan, with whom it leaves out.
    pub(super) fn digest(mut self, admitted: &Admitted) -> String {
        admitted.left_out.iter().for_each(|(pair, refusals)| self.left_out(*pair, refusals));
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
