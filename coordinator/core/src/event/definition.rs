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
/// onto the former of them. After the semicolon stands a part that is told in pieces, by a patch of its own.
macro_rules! patch {
    (
        $(#[$doc:meta])* $patch:ident of $thing:ident($id:ty) {
            $($part:ident: $type:ty),* $(,)? $(; $(#[$how:meta])* $pieces:ident: $inner:ty)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct $patch {
            pub id: $id,
            $(#[serde(default, skip_serializing_if = "Option::is_none")] pub $part: Option<$type>,)*
            $($(#[$how])* pub $pieces: $inner,)?
        }

        impl $patch {
            /// What makes `after` of `before`.
            pub fn between(before: Option<&$thing>, after: &$thing) -> Self {
                let new = |same: Option<bool>| !same.unwrap_or(false);
                Self {
                    id: after.id,
                    $($part: new(before.map(|before| before.$part == after.$part)).then(|| after.$part.clone()),)*
                    $($pieces: <$inner>::between(before.map(|before| &before.$pieces), &after.$pieces),)?
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
                    $($pieces: self.$pieces.onto(before.map(|before| &before.$pieces)),)?
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

patch! {
    /// What is new of a tenant. Its values are told one by one: there may be many, and each may be sealed.
    TenantPatch of Tenant(TenantId) {
        slug: Slug, name: DisplayName, enabled: bool, key: KeyId, tags: BTreeSet<TagId>,
        projects: BTreeMap<ProjectId, BTreeSet<EnvironmentId>>;
        #[serde(default, skip_serializing_if = "ValuesPatch::is_empty")] values: ValuesPatch
    }
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

    fn between(before: Option<&TenantValues>, after: &TenantValues) -> Self {
        let old = |place| before.and_then(|before| before.get(place));
        let news = after.iter().filter(|(place, value)| old(*place) != Some(*value));
        let set = news.map(|((template, environment), value)| (*template, *environment, value.clone()));
        let known = before.into_iter().flat_map(|before| before.keys());
        let removed = known.filter(|place| !after.contains_key(*place)).copied();
        Self { set: set.collect(), removed: removed.collect() }
    }

    fn onto(&self, before: Option<&TenantValues>) -> TenantValues {
        let mut values = before.cloned().unwrap_or_default();
        for place in &self.removed {
            values.remove(place);
        }
        for (template, environment, value) in &self.set {
            values.insert((*template, *environment), value.clone());
        }
        values
    }
}
