//! The digest of a plan: over everything that the plan means but time and presence (SEMANTICS 8, `--expect`).
//!
//! It is taken over identities and not over what is printed: another machine of the same name, or another secret behind
//! the same mask, is another plan. Sensitive values count by their digests, which are keyed with a key of their tenant.

use serde::Serialize;
use windlass_api::plan::TenantRule;
use windlass_protocol::digest::Hasher;

use super::given::{Alike, Given};
use super::layout::{LaidStep, Layout};
use super::request::{Pair, Resolved};
use crate::model::StoredValue;
use crate::variables::Resolution;

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
        hasher.update(b"windlass plan 1\n");
        let mut identity = Self { hasher, line: Vec::new() };
        identity.tell(&(resolved.project.id, resolved.release.id));
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
        pair: Pair,
        layout: &Layout<'_>,
        laid: &[LaidStep<'_>],
        given: &[Given<'_>],
    ) {
        self.tell(&("deployment", pair.environment, pair.tenant));
        for (step, given) in laid.iter().zip(given) {
            let package = layout.release.packages.get(&step.step.id).map(|package| package.manifest);
            self.tell(&("step", step.step.id, step.skipped, package));
            let alike: Vec<_> = given.alike.iter().map(variables).collect();
            for (target, of) in step.targets.iter().zip(&given.of) {
                let key = target.key.public_key;
                self.tell(&("target", target.id, key));
                self.hasher.update(&alike[*of]);
            }
        }
    }

    pub(super) fn digest(self) -> String {
        format!("sha256:{}", self.hasher.finish())
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
        match candidate.value {
            StoredValue::Plain(text) => write_line(&mut lines, &("plain", name, text)),
            StoredValue::Sealed(sealed) => {
                write_line(&mut lines, &("sealed", name, sealed.key, sealed.digest));
            }
        }
    }
    lines
}
