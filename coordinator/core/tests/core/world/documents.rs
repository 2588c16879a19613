//! The documents that worlds are made of.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use windlass_api::documents::{Document, ValueText};
use windlass_api::requests::PlacedDocument;
use windlass_coordinator_core::model::Sealed;
use windlass_coordinator_core::variables::KnownNames;
use windlass_protocol::Digest;
use windlass_protocol::ids::{KeyId, ValueId};

use super::World;

impl World {
    /// Seals every `{secret: …}`, as the edge does before anything is decided; keys of tenants that are made so, by place.
    pub(super) fn seal(&mut self, documents: &mut [PlacedDocument]) -> BTreeMap<usize, KeyId> {
        let mut keys = BTreeMap::new();
        let all = || documents.iter().map(|placed| &placed.document);
        let names = |document: &Document| match document {
            Document::Tenant(_) => None,
            _ => Some(KnownNames::of(self.space(), document, all())),
        };
        let names: Vec<_> = all().map(names).collect();
        for (place, placed) in documents.iter_mut().enumerate() {
            let known = match &placed.document {
                Document::Tenant(tenant) => self.space().tenants.named(&tenant.name).map(|tenant| tenant.key),
                _ => Some(self.space().head.key),
            };
            for value in placed.document.values_mut() {
                let ValueText::Secret(secret) = value else { continue };
                let key = known.or_else(|| keys.get(&place).copied());
                let key = key.unwrap_or_else(|| KeyId::from_bytes(self.bytes()));
                if known.is_none() {
                    keys.insert(place, key);
                }
                let digest = Digest::of(format!("{key} {}", secret.reveal()));
                let (value_id, ciphertext) = (ValueId::from_bytes(self.bytes()), "c2VhbGVk".to_owned());
                let told = names[place].as_ref().map(|names| names.told(secret.reveal()));
                let references = told.map(|told| told.references).unwrap_or_default();
                *value = ValueText::Sealed(Sealed { key, value: value_id, ciphertext, digest, references });
            }
        }
        keys
    }
}

/// Testing, Staging, Production; Ring/Canary, Ring/Stable, Tier/Gold; tenants Alpha (Canary, Gold), Beta (Stable),
/// Gamma (nothing); the project Web, of one script for role `web`, to which Alpha and Beta are connected everywhere.
pub fn small() -> World {
    let mut world = World::new();
    world.apply(&[
        json!({"kind": "environment", "name": "Testing"}),
        json!({"kind": "environment", "name": "Staging"}),
        json!({"kind": "environment", "name": "Production"}),
        json!({"kind": "tag-set", "name": "Ring", "tags": [{"name": "Canary"}, {"name": "Stable"}]}),
        json!({"kind": "tag-set", "name": "Tier", "type": "single", "tags": [{"name": "Gold"}, {"name": "Iron"}]}),
        json!({"kind": "lifecycle", "name": "Free", "phases": [
            {"name": "Anywhere", "environments": ["Testing", "Staging", "Production"]}]}),
        project("Web", json!([script("Install", "echo installed")])),
        tenant("Alpha", json!(["Ring/Canary", "Tier/Gold"]), json!({"Web": ["Testing", "Staging", "Production"]})),
        tenant("Beta", json!(["Ring/Stable"]), json!({"Web": ["Testing", "Staging", "Production"]})),
        tenant("Gamma", json!([]), json!({})),
    ]);
    world
}

/// A project with a free lifecycle, for everybody.
pub fn project(name: &str, steps: Value) -> Value {
    json!({"kind": "project", "name": name, "tenancy": "tenanted-or-untenanted", "lifecycle": "Free", "steps": steps})
}

fn script(name: &str, body: &str) -> Value {
    json!({"name": name, "roles": ["web"], "script": {"body": body}})
}

fn tenant(name: &str, tags: Value, projects: Value) -> Value {
    json!({"kind": "tenant", "name": name, "tags": tags, "projects": projects})
}
