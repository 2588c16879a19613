//! Secrets of documents are sealed before anything is decided, each with the key of whom it belongs to.

use std::collections::{BTreeMap, BTreeSet};

use windlass_api::documents::{Document, ValueText};
use windlass_api::error::{Problem, ProblemKind};
use windlass_api::requests::ApplyRequest;
use windlass_api::sealed::Sealed;
use windlass_coordinator_core::state::Space;
use windlass_coordinator_core::variables::KnownNames;
use windlass_protocol::ids::{KeyId, ValueId};
use windlass_protocol::{Digest, Secret, limits};

use crate::engine::random;
use crate::vault::{Vault, VaultError};

/// What is said of a value that seems to refer to what is not defined. It must not say the name, which may be a part of
/// the secret.
const UNKNOWN: &str = "a sensitive value has `#{…}` in it with a name that nothing defines, and no such variable will \
                       travel with it; if it is meant, define that variable and then set the value again, or list it \
                       in the `needs` of the steps; if not, write `##{`";

/// What sealing came to.
#[derive(Default)]
pub struct SealedDocuments {
    /// The data keys of tenants that the documents make, by place in the list.
    pub keys: BTreeMap<usize, KeyId>,
    /// Values that are allowed, but worth a second look.
    pub warnings: Vec<String>,
}

/// Seals every secret of `request` in place, with keys that are made for its new tenants, whether or not they have secrets
/// yet. Waits for the disk. A rehearsal leaves no key behind.
pub fn seal(vault: &Vault, space: &Space, request: &mut ApplyRequest) -> Result<SealedDocuments, Problem> {
    let mut result = SealedDocuments::default();
    for (index, placed) in request.documents.iter_mut().enumerate() {
        let what = named(&placed.document);
        for value in placed.document.values_mut() {
            let ValueText::Secret(secret) = value else { continue };
            check(secret).map_err(|problem| problem.at(&what).at(&placed.place))?;
            if secret.reveal().chars().count() < limits::SECRET_CHARACTERS {
                let text = "a sensitive value of less than 4 characters cannot be masked in output";
                result.warnings.push(format!("{what}: {text}"));
            }
        }
        if let Document::Tenant(tenant) = &placed.document
            && space.tenants.called(&tenant.name).is_none()
        {
            result.keys.insert(index, KeyId::from_bytes(random()));
        }
    }
    if !request.dry_run {
        let made = vault.make(&result.keys.values().copied().collect::<Vec<_>>());
        made.map_err(|why| {
            // Some of them may be there.
            vault.answered(result.keys.values().copied(), 0);
            tracing::error!(%why, "keys of new tenants cannot be made");
            match why {
                VaultError::Full { .. } => Problem::new(
                    ProblemKind::DiskFull,
                    "the keys of new tenants cannot be made: the coordinator's disk is full",
                ),
                _ => {
                    Problem::failed("the keys of new tenants cannot be made; the coordinator's log tells why")
                }
            }
        })?;
    }
    if let Err(problem) = seal_values(vault, space, request, &mut result) {
        vault.answered(result.keys.into_values(), 0);
        return Err(problem);
    }
    Ok(result)
}

/// Seals every secret, each with the key of its document.
fn seal_values(
    vault: &Vault,
    space: &Space,
    request: &mut ApplyRequest,
    result: &mut SealedDocuments,
) -> Result<(), Problem> {
    let known: Vec<_> =
        request.documents.iter().map(|placed| known(space, &placed.document, request)).collect();
    for ((index, placed), known) in request.documents.iter_mut().enumerate().zip(known) {
        let new = result.keys.get(&index).copied();
        let key = match &placed.document {
            Document::Tenant(tenant) => new.or_else(|| Some(space.tenants.called(&tenant.name)?.key)),
            _ => None,
        };
        let key = key.unwrap_or(space.head.key);
        let what = named(&placed.document);
        for value in placed.document.values_mut() {
            let ValueText::Secret(secret) = value else { continue };
            let mut sealed = if request.dry_run && new.is_some() {
                unopenable(key)
            } else {
                vault.seal(key, secret).map_err(|why| not_sealed(key, &why).at(&what).at(&placed.place))?
            };
            // What a tenant's value refers to is never followed, so nothing of its text has to stand in the record.
            if let Some(known) = &known {
                let told = known.told(secret.reveal());
                sealed.references = told.references;
                if told.more {
                    result.warnings.push(format!("{what}: {UNKNOWN}"));
                }
            }
            *value = ValueText::Sealed(sealed);
        }
    }
    Ok(())
}

/// What secrets of a document may be told to refer to; nothing is, of a tenant's.
fn known(space: &Space, document: &Document, request: &ApplyRequest) -> Option<KnownNames> {
    let others = request.documents.iter().map(|placed| &placed.document);
    (!matches!(document, Document::Tenant(_))).then(|| KnownNames::of(space, document, others))
}

fn named(document: &Document) -> String {
    format!("{} `{}`", document.kind(), document.name())
}

fn not_sealed(key: KeyId, why: &VaultError) -> Problem {
    if let VaultError::Destroyed(_) = why {
        return Problem::conflict(
            "its key was destroyed; delete it, if it is still there, and define it anew",
        );
    }
    tracing::error!(%key, %why, "a sensitive value cannot be sealed");
    match why {
        VaultError::Missing { .. } => {
            Problem::failed("its key is missing; the coordinator's log tells which file to restore")
        }
        _ => Problem::failed("a sensitive value cannot be sealed; the coordinator's log tells why"),
    }
}

fn check(secret: &Secret) -> Result<(), Problem> {
    if secret.reveal().is_empty() {
        return Err(Problem::usage("a sensitive value is empty; leave the value out instead"));
    }
    if secret.reveal().len() > limits::VARIABLE_BYTES {
        return Err(Problem::usage(format!("a value has at most {} bytes", limits::VARIABLE_BYTES)));
    }
    Ok(())
}

/// What stands for a value that a rehearsal must not seal: its tenant has no key yet.
fn unopenable(key: KeyId) -> Sealed {
    let value = ValueId::from_bytes(random());
    let (ciphertext, references) = (String::new(), BTreeSet::new());
    Sealed { key, value, ciphertext, digest: Digest::from_bytes(random()), references }
}
