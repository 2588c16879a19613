//! The documents that `apply` reads and `export` writes (SURFACE, "Files that `apply` reads").
//!
//! One file a kind. Unknown keys are errors. Names refer to other documents or to what exists already.

mod project;
mod tenant;
mod value;
mod variables;

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

pub use project::{PackageText, ProjectDocument, ScriptText, ShellName, StepDocument, Tenancy};
pub use tenant::{OwnerValues, TenantDocument};
pub use value::ValueText;
pub use variables::{Control, ScopedValueText, TemplateText};

/// One document.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Document {
    /// An environment.
    Environment(EnvironmentDocument),
    /// A tag set.
    TagSet(TagSetDocument),
    /// A lifecycle.
    Lifecycle(LifecycleDocument),
    /// A library set.
    LibrarySet(LibrarySetDocument),
    /// A project.
    Project(ProjectDocument),
    /// A tenant.
    Tenant(TenantDocument),
}

impl Document {
    /// The kinds that exist, as they are written.
    pub const KINDS: [&'static str; 6] =
        ["environment", "tag-set", "lifecycle", "library-set", "project", "tenant"];

    /// The document's kind, as it is written.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Environment(_) => "environment",
            Self::TagSet(_) => "tag-set",
            Self::Lifecycle(_) => "lifecycle",
            Self::LibrarySet(_) => "library-set",
            Self::Project(_) => "project",
            Self::Tenant(_) => "tenant",
        }
    }

    /// Every value in the document, to be replaced: secrets are sealed before anything is decided.
    pub fn values_mut(&mut self) -> Vec<&mut ValueText> {
        match self {
            Self::Environment(_) | Self::TagSet(_) | Self::Lifecycle(_) => Vec::new(),
            Self::LibrarySet(set) => variables::values_mut(&mut set.templates, &mut set.variables),
            Self::Project(project) => variables::values_mut(&mut project.templates, &mut project.variables),
            Self::Tenant(tenant) => tenant.values.values_mut().flat_map(OwnerValues::values_mut).collect(),
        }
    }

    /// The document's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Environment(document) => &document.name,
            Self::TagSet(document) => &document.name,
            Self::Lifecycle(document) => &document.name,
            Self::LibrarySet(document) => &document.name,
            Self::Project(document) => &document.name,
            Self::Tenant(document) => &document.name,
        }
    }
}

/// Each kind's document with its `kind` beside the keys: a reference to the document would refuse the `kind`, as it
/// refuses every key that it does not know.
impl PartialSchema for Document {
    fn schema() -> RefOr<Schema> {
        let mut one_of = OneOfBuilder::new().description(Some("One document."));
        for (kind, schema) in Self::KINDS.into_iter().zip([
            EnvironmentDocument::schema(),
            TagSetDocument::schema(),
            LifecycleDocument::schema(),
            LibrarySetDocument::schema(),
            ProjectDocument::schema(),
            TenantDocument::schema(),
        ]) {
            let RefOr::T(Schema::Object(mut document)) = schema else { continue };
            let named = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([kind]));
            document.properties.insert("kind".to_owned(), named.into());
            document.required.push("kind".to_owned());
            one_of = one_of.item(document);
        }
        one_of.into()
    }
}

impl ToSchema for Document {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        EnvironmentDocument::schemas(schemas);
        TagSetDocument::schemas(schemas);
        LifecycleDocument::schemas(schemas);
        LibrarySetDocument::schemas(schemas);
        ProjectDocument::schemas(schemas);
        TenantDocument::schemas(schemas);
    }
}

/// An environment, such as Production.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EnvironmentDocument {
    /// Display name.
    pub name: String,
    /// Slug; made from the name where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// A sentence for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where it stands among the environments; new ones come last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<u32>,
}

/// A tag set: tags in order, with colours.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TagSetDocument {
    /// Display name.
    pub name: String,
    /// Slug; made from the name where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// `multi`, or `single`: a tenant carries at most one tag of it.
    #[serde(default, rename = "type")]
    pub selection: TagSelection,
    /// The tags, in order.
    pub tags: Vec<TagText>,
}

/// How many tags of a set a tenant may carry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TagSelection {
    /// Any number.
    #[default]
    Multi,
    /// At most one.
    Single,
}

/// A tag.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TagText {
    /// Its name, without a slash.
    pub name: String,
    /// `#rrggbb`.
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "color")]
    pub colour: Option<String>,
}

/// A lifecycle: phases in order (SEMANTICS 4). Without phases, each environment is one.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LifecycleDocument {
    /// Display name.
    pub name: String,
    /// Slug; made from the name where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// The phases, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<PhaseText>,
}

/// A phase of a lifecycle.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PhaseText {
    /// Its name.
    pub name: String,
    /// Its environments; none stands for all that no earlier phase names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
    /// Whether later phases do not wait for it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
    /// How many of its environments must have succeeded; all where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<u32>,
}

/// A library set: variables and templates that several projects include.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LibrarySetDocument {
    /// Display name.
    pub name: String,
    /// Slug; made from the name where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// What each tenant must fill, once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<TemplateText>,
    /// Variables and their values.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub variables: std::collections::BTreeMap<String, Vec<ScopedValueText>>,
}

// serde calls it with a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
pub(crate) fn is_false(value: &bool) -> bool {
    !value
}
