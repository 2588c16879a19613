//! Documents: `apply`, all or nothing, and the deletion of what documents define.
//!
//! A document names things; a definition holds ids. Here names become ids, what is there keeps its id, and what is
//! equal to what is there makes no event, so that applying an export changes nothing.

mod delete;
mod environment;
mod filled;
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
use windlass_protocol::ids::{KeyId, TenantId};

pub(super) use delete::delete;
pub(super) use project::check_package_id;
pub(super) use references::{ReferenceScope, refuse_if_used, users_of_target};

use super::{Draft, Reply};
use crate::catalogue::Catalogue;
use crate::event::{Defined, DefinitionEvent};
use crate::kinds::Kind;
use crate::names::PendingTenants;

/// A kind with its document: what that defines, and what refers to what is defined.
trait Documented: Kind + Defined {
    type Document;

    /// The thing that a document defines, in the place of what is there.
    fn define(
        draft: &mut Draft<'_>,
        document: &Self::Document,
        context: &DefinitionContext<'_>,
    ) -> Result<Self, Problem>;

    /// What refers to it, so that it is not deleted.
    fn users(&self, moment: ReferenceScope<'_>) -> Vec<String>;

    /// The data key that goes with it when it is deleted, and whose that is.
    fn destroys(&self) -> Option<(TenantId, KeyId)> {
        None
    }
}

/// What comes with a document.
struct DefinitionContext<'a> {
    /// Tenants that the documents beside it are about to make.
    pending: &'a PendingTenants,
    /// The data key of what is made, where it needs one.
    key: Option<KeyId>,
}

pub(super) fn apply(
    draft: &mut Draft<'_>,
    request: &ApplyRequest,
    keys: &BTreeMap<usize, KeyId>,
) -> Result<Reply, Problem> {
    draft.instead("apply it in parts");
    refuse_doubles(&request.documents)?;
    let pending = names::pending_tenants(draft, &request.documents);
    let mut order: Vec<_> = request.documents.iter().enumerate().collect();
    order.sort_by_key(|(index, placed)| (dependency_order(&placed.document), *index));
    let mut changes = BTreeMap::new();
    for (index, placed) in order {
        let change = apply_one(draft, &placed.document, &pending, keys.get(&index).copied())
            .map_err(|problem| problem.at(&placed.place))?;
        // Not only in the end: others wait for as long as this is decided.
        draft.refuse_too_much()?;
        let (kind, name) = (placed.document.kind().to_owned(), placed.document.name().to_owned());
        changes.insert(index, AppliedChange { kind, name, change });
    }
    for placed in &request.documents {
        let said = format!("{} `{}`", placed.document.kind(), placed.document.name());
        filled::refuse_unfit(draft, &placed.document)
            .map_err(|problem| problem.at(&said).at(&placed.place))?;
    }
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
    define_in_table(draft, document, &DefinitionContext { pending, key }).map_err(within)
}

macro_rules! define_in_table {
    ($($kind:ident($id:ident, $patch:ident) in $field:ident = $word:literal,)+) => {
        fn define_in_table(
            draft: &mut Draft<'_>,
            document: &Document,
            context: &DefinitionContext<'_>,
        ) -> Result<ChangeKind, Problem> {
            match document {
                $(Document::$kind(document) => define::<crate::model::$kind>(draft, document, context),)+
            }
        }
    };
}
for_each_kind!(define_in_table);

/// Puts a thing in the place of what is there, if it is another one, and says what it is to it.
fn define<T: Documented>(
    draft: &mut Draft<'_>,
    document: &T::Document,
    context: &DefinitionContext<'_>,
) -> Result<ChangeKind, Problem> {
    let new = T::define(draft, document, context)?;
    let known = T::of(draft.space());
    let change = compare(known, &new)?;
    if change != ChangeKind::Unchanged {
        let definition = T::patch(known.get(new.id()), &new);
        draft.emit(DefinitionEvent::Defined { definition });
    }
    Ok(change)
}

/// What `new` is to what is there; its slug and name must be free.
fn compare<T: Kind>(catalogue: &Catalogue<T>, new: &T) -> Result<ChangeKind, Problem> {
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
