//! The digest of a plan: over everything that the plan means but time and presence (SEMANTICS 8, `--expect`).
//!
//! It is taken over identities and not over what is printed: another machine of the same name, or another secret behind
//! the same mask, is another plan. Sensitive values count by their digests, which are keyed with a key of their tenant.

use serde::Serialize;
use windlass_api::plan::TenantRule;
use windlass_protocol::digest::Hasher;

use super::layout::{LaidStep, Layout};
use super::request::{Pair, Resolved};
use crate::model::StoredValue;
use crate::scope;
use crate::variables::{Needs, Resolution, resolve};

/// What a plan means, as far as it has been told.
pub(super) struct Identity(Hasher);

impl Identity {
    /// A plan of this request.
    pub(super) fn of(resolved: &Resolved<'_>) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(b"windlass plan 1\n");
        let mut identity = Self(hasher);
        identity.tell(&(resolved.project.id, resolved.release.id));
        identity
    }

    /// Each part is told as JSON on a line: what is in one cannot be taken for what is in two.
    fn tell(&mut self, part: &impl Serialize) {
        self.0.update(serde_json::to_vec(part).expect("ids, rules and digests are JSON"));
        self.0.update(b"\n");
    }

    pub(super) fn left_out(&mut self, pair: Pair, rules: &[TenantRule]) {
        self.tell(&("left-out", pair.environment, pair.tenant, rules));
    }

    pub(super) fn deployment(&mut self, pair: Pair, layout: &Layout<'_>, laid: &[LaidStep<'_>]) {
        self.tell(&("deployment", pair.environment, pair.tenant));
        for step in laid {
            let package = layout.release.packages.get(&step.step.id).map(|package| package.manifest);
            self.tell(&("step", step.step.id, step.skipped, package));
            for target in &step.targets {
                let key = target.key.public_key;
                self.tell(&("target", target.id, key));
                self.variables(layout, step, target);
            }
        }
    }

    fn variables(&mut self, layout: &Layout<'_>, step: &LaidStep<'_>, target: &crate::model::Target) {
        let none = imbl::OrdMap::new();
        let values = layout.tenant.map_or(&none, |tenant| &tenant.values);
        let roles = scope::roles(target);
        let context = layout.context(values, Some(step.step), Some((target.id, &roles)));
        for name in Needs::of(&step.step.needs, &context).names.into_values() {
            let Resolution::Value(candidate, _) = resolve(&name, &context) else { continue };
            match candidate.value {
                StoredValue::Plain(text) => self.tell(&("plain", name, text)),
                StoredValue::Sealed(sealed) => self.tell(&("sealed", name, sealed.key, sealed.digest)),
            }
        }
    }

    pub(super) fn digest(self) -> String {
        format!("sha256:{}", self.0.finish())
    }
}
