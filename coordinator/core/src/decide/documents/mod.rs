//! Documents: `apply`, all or nothing, and the deletion of what documents define.
//!
//! A document names things; a definition holds ids. Here names become ids, what is there keeps its id, and what is
//! equal to what is there makes no event, so that applying an export changes nothing.

mod delete;
mod environment;
mod library;
mod lifecycle;
mod names;
mod project;
mod references;
mod tags;
mod tenant;
mod variables;

use std::collections::BTreeMap;

use windlass_api::answers::{AppliedChange, ChangeKind};
use windlass_api::documents::Document;
use windlass_api::error::Problem;
use windlass_api::requests::{ApplyRequest, PlacedDocument};
use windlass_protocol::ids::KeyId;

pub(super) use delete::delete;
pub(super) use project::check_package_id;
pub(super) use references::{Moment, refuse_if_used, users_of_target};

use super::recheck;
use super::{Draft, Reply};
use crate::catalogue::{Catalogue, Named};
use crate::event::{Definition, Event};
use crate::names::PendingTenants;

pub(super) fn apply(
    draft: &mut Draft<'_>,
    request: &ApplyRequest,
    keys: &BTreeMap<usize, KeyId>,
) -> Result<Reply, Problem> {
    refuse_doubles(&request.documents)?;
    let pending = names::pending_tenants(draft, &request.documents);
    let mut order: Vec<_> = request.documents.iter().enumerate().collect();
    order.sort_by_key(|(index, placed)| (dependency_order(&placed.document), *index));
    let mut changes = BTreeMap::new();
    for (index, placed) in order {
        let change = apply_one(draft, &placed.document, &pending, keys.get(&index).copied())
            .map_err(|problem| problem.at(&placed.place))?;
        let (kind, name) = (placed.document.kind().to_owned(), placed.document.name().to_owned());
        changes.insert(index, AppliedChange { kind, name, change });
    }
    recheck::queued_for_disabled_tenants(draft);
    recheck::everything_running(draft);
    Ok(Reply::Applied(changes.into_values().collect()))
}

/// What a document refers to stands before it.
fn dependency_order(document: &Document) -> usize {
    Document::KINDS.iter().position(|kind| *kind == document.kind()).unwrap_or(Document::KINDS.len())
}

fn refuse_doubles(documents: &[PlacedDocument]) -> Result<(), Problem> {
    let mut seen: BTreeMap<(&str, String), &str> = BTreeMap::new();
    for placed in documents {
        let key = (placed.document.kind(), windlass_protocol::names::fold(placed.document.name()));
        if let Some(other) = seen.insert(key, &placed.place) {
            let (kind, name) = (placed.document.kind(), placed.document.name());
            let text = format!("the {kind} `{name}` is defined twice; the other time at {other}");
            return Err(Problem::usage(text).at(&placed.place));
        }
    }
    Ok(())
}

fn apply_one(
    draft: &mut Draft<'_>,
    document: &Document,
    pending: &PendingTenants,
    key: Option<KeyId>,
) -> Result<ChangeKind, Problem> {
    let said = format!("{} `{}`", document.kind(), document.name());
    let within = |problem: Problem| problem.at(&said);
    let definition = match document {
        Document::Environment(document) => environment::define(draft, document).map(Definition::Environment),
        Document::TagSet(document) => tags::define(draft, document).map(Definition::TagSet),
        Document::Lifecycle(document) => lifecycle::define(draft, document).map(Definition::Lifecycle),
        Document::LibrarySet(document) => library::define(draft, document).map(Definition::LibrarySet),
        Document::Project(document) => project::define(draft, document, pending).map(Definition::Project),
        Document::Tenant(document) => tenant::define(draft, document, pending, key).map(Definition::Tenant),
    };
    let definition = definition.map_err(within)?;
    let space = draft.space();
    let change = match &definition {
        Definition::Environment(new) => compare(&space.environments, new),
        Definition::TagSet(new) => compare(&space.tag_sets, new),
        Definition::Lifecycle(new) => compare(&space.lifecycles, new),
        Definition::LibrarySet(new) => compare(&space.library_sets, new),
        Definition::Project(new) => compare(&space.projects, new),
        Definition::Tenant(new) => compare(&space.tenants, new),
    }
    .map_err(within)?;
    if change != ChangeKind::Unchanged {
        draft.emit(Event::Defined { definition });
    }
    Ok(change)
}

/// What `new` is to what is there; its slug and name must be free.
fn compare<T: Named + PartialEq>(catalogue: &Catalogue<T>, new: &T) -> Result<ChangeKind, Problem> {
    if let Some(other) = catalogue.clash(new.id(), new.slug(), new.name()) {
        let (kind, slug) = (T::KIND, new.slug());
        return Err(Problem::conflict(format!(
            "the {kind} `{}` has this name or the slug `{slug}` already; give this one a `slug` of its own",
            other.name()
        )));
    }
    Ok(match catalogue.get(new.id()) {
        None => ChangeKind::Created,
        Some(old) if old == new => ChangeKind::Unchanged,
        Some(_) => ChangeKind::Changed,
    })
}
