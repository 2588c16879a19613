//! From the state back to documents: exactly what `apply` reads, so that applying it again changes nothing.

mod project;
mod query;
mod tenant;
mod variables;

use windlass_api::documents::{
    Document, EnvironmentDocument, LibrarySetDocument, LifecycleDocument, PhaseText, TagSelection,
    TagSetDocument, TagText,
};
use windlass_api::error::Problem;
use windlass_coordinator_core::catalogue::unknown;
use windlass_coordinator_core::in_kind;
use windlass_coordinator_core::kinds::Kind;
use windlass_coordinator_core::model::{Environment, LibrarySet, Lifecycle, PhaseRule, TagSet};
use windlass_coordinator_core::state::Space;
use windlass_protocol::ids::EnvironmentId;

pub use query::query_text;
pub use tenant::{tag_texts, tenant_document};

use super::display;
use super::heavy::Wanted;

/// Every document of a space, or those of one kind, each after those that it refers to.
pub(super) fn export(space: &Space, kind: Option<&str>, wanted: &Wanted) -> Result<Vec<Document>, Problem> {
    if let Some(kind) = kind {
        return of_kind(space, kind, wanted);
    }
    let all = Document::KINDS.into_iter().map(|kind| of_kind(space, kind, wanted));
    Ok(all.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// A kind as people get it.
pub(in crate::http) trait Shown: Kind {
    /// The document that `apply` reads.
    fn document(&self, space: &Space) -> Document;

    /// What a table shows beside the name.
    fn summary(&self, space: &Space) -> String;

    /// Those of a space, as they are exported.
    fn in_order(space: &Space) -> Vec<&Self> {
        Self::of(space).by_name().collect()
    }
}

/// Every document of one kind, in the order of their names.
fn of_kind(space: &Space, kind: &str, wanted: &Wanted) -> Result<Vec<Document>, Problem> {
    in_kind!(kind,
        Kind => Kind::in_order(space).into_iter().map(|found| {
            wanted.expect()?;
            Ok(found.document(space))
        }).collect(),
        other => Err(no_such_kind(other)))
}

/// The document of the thing that `name` names.
pub fn one(space: &Space, kind: &str, name: &str) -> Result<Document, Problem> {
    in_kind!(kind,
        Kind => Ok(Kind::of(space).find(name)?.document(space)),
        other => Err(no_such_kind(other)))
}

/// The sentence for a kind that documents do not have.
pub fn no_such_kind(kind: &str) -> Problem {
    Problem::usage(unknown("kind", kind, Document::KINDS.into_iter()))
}

impl Shown for Environment {
    fn document(&self, _: &Space) -> Document {
        Document::Environment(EnvironmentDocument {
            name: self.name.to_string(),
            slug: Some(self.slug.to_string()),
            description: self.description.clone(),
            order: Some(self.order),
        })
    }

    fn summary(&self, _: &Space) -> String {
        self.description.clone()
    }

    fn in_order(space: &Space) -> Vec<&Self> {
        space.environments_in_order()
    }
}

impl Shown for TagSet {
    fn document(&self, _: &Space) -> Document {
        let tags =
            self.tags.iter().map(|tag| TagText { name: tag.name.to_string(), colour: tag.colour.clone() });
        Document::TagSet(TagSetDocument {
            name: self.name.to_string(),
            slug: Some(self.slug.to_string()),
            selection: if self.single { TagSelection::Single } else { TagSelection::Multi },
            tags: tags.collect(),
        })
    }

    fn summary(&self, _: &Space) -> String {
        self.tags.iter().map(|tag| tag.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl Shown for Lifecycle {
    fn document(&self, space: &Space) -> Document {
        let name = |id: &EnvironmentId| display::name(&space.environments, *id);
        let phases = self.phases.iter().map(|phase| PhaseText {
            name: phase.name.clone(),
            environments: phase.environments.iter().map(name).collect(),
            optional: phase.rule == PhaseRule::Optional,
            minimum: match phase.rule {
                PhaseRule::AtLeast(minimum) => Some(minimum),
                PhaseRule::All | PhaseRule::Optional => None,
            },
            unseen: phase.unseen,
        });
        Document::Lifecycle(LifecycleDocument {
            name: self.name.to_string(),
            slug: Some(self.slug.to_string()),
            phases: phases.collect(),
        })
    }

    fn summary(&self, _: &Space) -> String {
        if self.phases.is_empty() {
            return "one phase per environment".to_owned();
        }
        self.phases.iter().map(|phase| phase.name.as_str()).collect::<Vec<_>>().join(" → ")
    }
}

impl Shown for LibrarySet {
    fn document(&self, space: &Space) -> Document {
        Document::LibrarySet(LibrarySetDocument {
            name: self.name.to_string(),
            slug: Some(self.slug.to_string()),
            templates: variables::templates(&self.templates),
            variables: variables::variables(space, &self.variables, &[]),
        })
    }

    fn summary(&self, _: &Space) -> String {
        format!("{} templates, {} variables", self.templates.len(), self.variables.len())
    }
}
