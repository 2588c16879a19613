//! Documents: `apply`, all or nothing, and the deletion of what documents define.
//!
//! A document names things; a definition holds ids. Here names become ids, what is there keeps its id, and what is
//! equal to what is there makes no event, so that applying an export changes nothing.

mod delete;
mod differences;
mod environment;
mod filled;
mod library;
mod lifecycle;
mod names;
mod project;
mod references;
mod tags;
mod tenant;
mod tenants;
mod variables;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use windlass_api::answers::{AppliedChange, ChangeKind, ChangedField, FieldChange};
use windlass_api::documents::Document;
use windlass_api::error::Problem;
use windlass_api::requests::{ApplyRequest, PlacedDocument};
use windlass_protocol::ids::{KeyId, TenantId};

pub(super) use delete::delete;
use differences::{Difference, Names};
pub(super) use project::check_package_id;
pub(super) use references::{ReferenceScope, refuse_if_used, users_of_target};
pub(super) use tenants::change as change_tenants;

use super::{Draft, Reply};
use crate::catalogue::Catalogue;
use crate::event::{Defined, DefinitionEvent};
use crate::kinds::Kind;
use crate::names::PendingTenants;

/// Parts that are told of one document; of the others it is told how many there are.
const MOST_TOLD_OF_DOCUMENT: usize = 20;
/// And of all documents together: the answer to a request that may be repeated stands in the journal.
const MOST_TOLD: usize = 2000;

/// A kind with its document: what that defines, and what refers to what is defined.
trait Documented: Kind + Defined + Serialize {
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
    /// Whether what a document leaves out stays.
    only_add: bool,
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
        draft.expect_wanted()?;
        let key = keys.get(&index).copied();
        let context = DefinitionContext { pending: &pending, key, only_add: request.only_add };
        let change =
            apply_one(draft, &placed.document, &context).map_err(|problem| problem.at(&placed.place))?;
        // Not only in the end: others wait for as long as this is decided.
        draft.refuse_too_much()?;
        changes.insert(index, change);
    }
    for placed in &request.documents {
        draft.expect_wanted()?;
        let said = format!("{} `{}`", placed.document.kind(), placed.document.name());
        filled::refuse_unfit(draft, &placed.document)
            .map_err(|problem| problem.at(&said).at(&placed.place))?;
    }
    let of = request.documents.iter().map(|placed| (placed.document.kind(), placed.document.name()));
    Ok(told(draft, of.zip(changes.into_values())))
}

/// The answer that tells of changes, each with the kind and the name of what it changes.
fn told<'a>(draft: &Draft<'_>, changes: impl Iterator<Item = ((&'a str, &'a str), Change)>) -> Reply {
    let mut left = MOST_TOLD;
    let names = [draft.space_before(), draft.space()].map(Names::of);
    let told = changes.map(|((kind, name), change)| {
        let told = change.told(&names, kind, name, left);
        left -= told.fields.len();
        told
    });
    Reply::Applied(told.collect())
}

/// What a document does to a thing.
struct Change {
    kind: ChangeKind,
    renamed_from: Option<String>,
    differences: Vec<Difference>,
}

impl Change {
    /// As it is told, with at most so many of its parts.
    fn told(&self, [before, after]: &[Names<'_>; 2], kind: &str, name: &str, most: usize) -> AppliedChange {
        let most = most.min(MOST_TOLD_OF_DOCUMENT);
        let fields = self.differences.iter().take(most);
        let fields = fields.map(|found| found.told(before, after));
        let mut fields: Vec<_> = fields.collect();
        fields.sort_by(|one, other| in_order(one).cmp(&in_order(other)));
        AppliedChange {
            kind: kind.to_owned(),
            name: name.to_owned(),
            change: self.kind,
            renamed_from: self.renamed_from.clone(),
            fields,
            more: self.differences.len().saturating_sub(most),
        }
    }
}

/// Secrets that are gone first, then what else is gone, and what is new at the end.
fn in_order(field: &ChangedField) -> (bool, Reverse<FieldChange>, &str) {
    (field.secrets_removed == 0, Reverse(field.change), &field.field)
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
    context: &DefinitionContext<'_>,
) -> Result<Change, Problem> {
    let said = format!("{} `{}`", document.kind(), document.name());
    let within = |problem: Problem| problem.at(&said);
    if context.only_add && !matches!(document, Document::Tenant(_)) {
        return Err(within(Problem::usage("only tenants are added to; apply this with `windlass apply`")));
    }
    define_in_table(draft, document, context).map_err(within)
}

macro_rules! define_in_table {
    ($($kind:ident($id:ident, $patch:ident) in $field:ident = $word:literal,)+) => {
        fn define_in_table(
            draft: &mut Draft<'_>,
            document: &Document,
            context: &DefinitionContext<'_>,
        ) -> Result<Change, Problem> {
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
) -> Result<Change, Problem> {
    let new = T::define(draft, document, context)?;
    put(draft, &new)
}

/// Puts a thing in the place of what is there, if it is another one.
fn put<T: Documented>(draft: &mut Draft<'_>, new: &T) -> Result<Change, Problem> {
    let known = T::of(draft.space());
    let kind = compare(known, new)?;
    let old = known.get(new.id());
    let differences = match old {
        Some(old) if kind == ChangeKind::Changed => differences::between(&written(old), &written(new)),
        _ => Vec::new(),
    };
    let renamed_from = old.filter(|old| old.name() != new.name()).map(|old| old.name().to_string());
    if kind != ChangeKind::Unchanged {
        let definition = T::patch(old, new);
        draft.emit(DefinitionEvent::Defined { definition });
    }
    Ok(Change { kind, renamed_from, differences })
}

fn written<T: Serialize>(thing: &T) -> Value {
    serde_json::to_value(thing).expect("a thing has nothing that JSON cannot hold")
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
        None if new.name().as_str().parse::<T::Id>().is_ok() => {
            let text = format!(
                "the name `{}` reads like an id; whoever writes it would mean another thing",
                new.name()
            );
            return Err(Problem::usage(text));
        }
        None => ChangeKind::Created,
        Some(old) if old == new => ChangeKind::Unchanged,
        Some(_) => ChangeKind::Changed,
    })
}
