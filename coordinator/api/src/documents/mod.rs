//! The documents that `apply` reads and `export` writes (SURFACE, "Files that `apply` reads").
//!
//! One file a kind. Unknown keys are errors. Names refer to other documents or to what exists already.

mod project;
mod tenant;
mod value;
mod variables;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

pub use project::{PackageText, ProjectDocument, ScriptText, ShellName, StepDocument, Tenancy};
pub use tenant::{OwnerValues, TenantDocument};
pub use value::ValueText;
pub use variables::{Control, ScopedValueText, TemplateText};

/// What every document has.
trait Named {
    /// The name of the thing that it defines.
    fn name(&self) -> &str;

    /// Every value in it, to be replaced: secrets are sealed before anything is decided.
    fn values_mut(&mut self) -> Vec<&mut ValueText> {
        Vec::new()
    }
}

/// What reads the document of a kind that is known by then.
pub trait ReadDocument {
    /// Why it can't be read.
    type Error;

    /// Reads it.
    fn read<T: DeserializeOwned>(self) -> Result<T, Self::Error>;
}

/// The table of kinds. Whatever has to be said of every kind is said here, of all of them.
macro_rules! documents {
    ($($(#[$about:meta])* $kind:ident($document:ident) = $word:tt),+ $(,)?) => {
        /// One document.
        #[derive(Clone, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        pub enum Document {
            $($(#[$about])* #[serde(rename = $word)] $kind($document)),+
        }

        closed_list! {
            /// A kind of document.
            DefinitionKind { $($(#[$about])* $kind = $word),+ }
        }

        impl Document {
            /// The kinds that exist, as they are written; each after those that it refers to.
            pub const KINDS: [&'static str; DefinitionKind::ALL.len()] = [$($word),+];

            /// The document's kind, as it is written.
            pub const fn kind(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => $word),+
                }
            }

            /// Reads a document of the kind that is written so; `None` where there is no such kind.
            pub fn read<R: ReadDocument>(kind: &str, reader: R) -> Option<Result<Self, R::Error>> {
                Some(match kind {
                    $($word => reader.read().map(Self::$kind),)+
                    _ => return None,
                })
            }

            fn inner(&self) -> &dyn Named {
                match self {
                    $(Self::$kind(document) => document),+
                }
            }

            fn inner_mut(&mut self) -> &mut dyn Named {
                match self {
                    $(Self::$kind(document) => document),+
                }
            }
        }

        /// Each kind's document with its `kind` beside the keys: a reference to the document would refuse the `kind`, as
        /// it refuses every key that it does not know.
        impl PartialSchema for Document {
            fn schema() -> RefOr<Schema> {
                let mut one_of = OneOfBuilder::new().description(Some("One document."));
                for (kind, schema) in [$(($word, $document::schema())),+] {
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
                $($document::schemas(schemas);)+
            }
        }
    };
}

documents! {
    /// An environment.
    Environment(EnvironmentDocument) = "environment",
    /// A tag set.
    TagSet(TagSetDocument) = "tag-set",
    /// A lifecycle.
    Lifecycle(LifecycleDocument) = "lifecycle",
    /// A library set.
    LibrarySet(LibrarySetDocument) = "library-set",
    /// A project.
    Project(ProjectDocument) = "project",
    /// A tenant.
    Tenant(TenantDocument) = "tenant",
}

impl Document {
    /// The document's name.
    pub fn name(&self) -> &str {
        self.inner().name()
    }

    /// Every value in the document, to be replaced: secrets are sealed before anything is decided.
    pub fn values_mut(&mut self) -> Vec<&mut ValueText> {
        self.inner_mut().values_mut()
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

impl Named for EnvironmentDocument {
    fn name(&self) -> &str {
        &self.name
    }
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

impl Named for TagSetDocument {
    fn name(&self) -> &str {
        &self.name
    }
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

impl Named for LifecycleDocument {
    fn name(&self) -> &str {
        &self.name
    }
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
    /// Whether who asked sees no environment of the lifecycle's phases, and this stands for them. It is told, and cannot
    /// be applied.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unseen: bool,
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

impl Named for LibrarySetDocument {
    fn name(&self) -> &str {
        &self.name
    }

    fn values_mut(&mut self) -> Vec<&mut ValueText> {
        variables::values_mut(&mut self.templates, &mut self.variables)
    }
}

// serde calls it with a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
pub(crate) fn is_false(value: &bool) -> bool {
    !value
}
