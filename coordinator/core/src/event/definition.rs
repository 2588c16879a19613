//! What documents define. An event carries what changed of a thing: a part that is left out stays as it was.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use windlass_api::documents::Tenancy;
use windlass_protocol::ids::{
    EnvironmentId, KeyId, LibrarySetId, LifecycleId, ProjectId, TagId, TagSetId, TemplateId, TenantId,
};
use windlass_protocol::{DisplayName, Slug};

use crate::model::{
    Environment, LibrarySet, Lifecycle, Phase, Project, RetiredTemplate, Step, StoredValue, Tag, TagSet,
    Template, Tenant, TenantValues, Variable,
};
use crate::state::Caps;

/// What happened to what documents define.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum DefinitionEvent {
    /// Something was defined, or defined anew.
    Defined { definition: Definition },
    /// Something was deleted; nothing referred to it.
    Deleted {
        definition: DefinitionId,
        /// Its name at that time.
        name: String,
    },
    /// How much may run at once was set.
    CapsSet {
        /// From now on.
        caps: Caps,
    },
    /// The data key of a tenant that was deleted is destroyed: no sensitive value that was sealed with it can be read
    /// any more, wherever it stands (SEMANTICS 11).
    KeyDestroyed {
        key: KeyId,
        /// Whose it was.
        tenant: TenantId,
    },
}

macro_rules! definitions {
    ($($kind:ident($id:ident, $patch:ident) in $field:ident = $word:literal,)+) => {
        /// What is new of a thing that documents define. Of a thing that was not there, everything is.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Definition {
            $($kind($patch)),+
        }

        /// What names such a thing.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum DefinitionId {
            $($kind($id)),+
        }
    };
}
for_each_kind!(definitions);

/// What documents define.
pub trait Defined: Sized {
    /// What makes `after` of `before`.
    fn patch(before: Option<&Self>, after: &Self) -> Definition;
}

/// The type of what an event says of a thing: its id, and each part that is new. Between two states of the thing, and
/// onto the former of them.
macro_rules! patch {
    ($(#[$doc:meta])* $patch:ident of $thing:ident($id:ty) { $($part:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct $patch {
            pub id: $id,
            $(#[serde(default, skip_serializing_if = "Option::is_none")] pub $part: Option<$type>,)*
        }

        impl $patch {
            /// What makes `after` of `before`.
            pub fn between(before: Option<&$thing>, after: &$thing) -> Self {
                let new = |same: Option<bool>| !same.unwrap_or(false);
                Self {
                    id: after.id,
                    $($part: new(before.map(|before| before.$part == after.$part)).then(|| after.$part.clone()),)*
                }
            }

            /// The thing with what is new of it; `None` where it was not there and a part is left out.
            pub fn onto(&self, before: Option<&$thing>) -> Option<$thing> {
                Some($thing {
                    id: self.id,
                    $($part: match (&self.$part, before) {
                        (Some(new), _) => new.clone(),
                        (None, Some(before)) => before.$part.clone(),
                        (None, None) => return None,
                    },)*
                })
            }
        }

        impl Defined for $thing {
            fn patch(before: Option<&Self>, after: &Self) -> Definition {
                Definition::$thing($patch::between(before, after))
            }
        }
    };
}

patch! {
    EnvironmentPatch of Environment(EnvironmentId) {
        slug: Slug, name: DisplayName, description: String, order: u32,
    }
}

patch! {
    TagSetPatch of TagSet(TagSetId) { slug: Slug, name: DisplayName, single: bool, tags: Vec<Tag> }
}

patch! {
    LifecyclePatch of Lifecycle(LifecycleId) { slug: Slug, name: DisplayName, phases: Vec<Phase> }
}

patch! {
    LibrarySetPatch of LibrarySet(LibrarySetId) {
        slug: Slug, name: DisplayName, templates: Vec<Template>, retired: Vec<RetiredTemplate>,
        variables: Vec<Variable>,
    }
}

patch! {
    ProjectPatch of Project(ProjectId) {
        slug: Slug, name: DisplayName, tenancy: Tenancy, lifecycle: LifecycleId, library_sets: Vec<LibrarySetId>,
        templates: Vec<Template>, retired: Vec<RetiredTemplate>, variables: Vec<Variable>, steps: Vec<Step>,
    }
}

/// What is new of a tenant. Its values are told one by one: there may be many, and each may be sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TenantPatch {
    pub id: TenantId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<Slug>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<DisplayName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeSet<TagId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub projects: Option<BTreeMap<ProjectId, BTreeSet<EnvironmentId>>>,
    #[serde(default, skip_serializing_if = "ValuesPatch::is_empty")]
    pub values: ValuesPatch,
}

/// What is new of a tenant's values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValuesPatch {
    /// Values that are new, or others than before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<(TemplateId, Option<EnvironmentId>, StoredValue)>,
    /// Those that are there no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<(TemplateId, Option<EnvironmentId>)>,
}

impl ValuesPatch {
    fn is_empty(&self) -> bool {
        self.set.is_empty() && self.removed.is_empty()
    }

    fn between(before: &TenantValues, after: &TenantValues) -> Self {
        let news = after.iter().filter(|(place, value)| before.get(*place) != Some(*value));
        let set = news.map(|((template, environment), value)| (*template, *environment, value.clone()));
        let removed = before.keys().filter(|place| !after.contains_key(*place)).copied();
        Self { set: set.collect(), removed: removed.collect() }
    }

    fn onto(&self, values: &mut TenantValues) {
        for place in &self.removed {
            values.remove(place);
        }
        for (template, environment, value) in &self.set {
            values.insert((*template, *environment), value.clone());
        }
    }
}

impl TenantPatch {
    /// What makes `after` of `before`.
    pub fn between(before: Option<&Tenant>, after: &Tenant) -> Self {
        fn new<T: Clone + PartialEq>(before: Option<&T>, after: &T) -> Option<T> {
            (before != Some(after)).then(|| after.clone())
        }
        Self {
            id: after.id,
            slug: new(before.map(|before| &before.slug), &after.slug),
            name: new(before.map(|before| &before.name), &after.name),
            enabled: new(before.map(|before| &before.enabled), &after.enabled),
            key: new(before.map(|before| &before.key), &after.key),
            tags: new(before.map(|before| &before.tags), &after.tags),
            projects: new(before.map(|before| &before.projects), &after.projects),
            values: ValuesPatch::between(
                &before.map(|before| before.values.clone()).unwrap_or_default(),
                &after.values,
            ),
        }
    }

    /// The tenant with what is new of it; `None` where it was not there and a part is left out.
    pub fn onto(&self, before: Option<&Tenant>) -> Option<Tenant> {
        let mut values = before.map(|before| before.values.clone()).unwrap_or_default();
        self.values.onto(&mut values);
        Some(Tenant {
            id: self.id,
            slug: self.slug.clone().or_else(|| before.map(|before| before.slug.clone()))?,
            name: self.name.clone().or_else(|| before.map(|before| before.name.clone()))?,
            enabled: self.enabled.or_else(|| before.map(|before| before.enabled))?,
            key: self.key.or_else(|| before.map(|before| before.key))?,
            tags: self.tags.clone().or_else(|| before.map(|before| before.tags.clone()))?,
            projects: self.projects.clone().or_else(|| before.map(|before| before.projects.clone()))?,
            values,
        })
    }
}

impl Defined for Tenant {
    fn patch(before: Option<&Self>, after: &Self) -> Definition {
        Definition::Tenant(TenantPatch::between(before, after))
    }
}
