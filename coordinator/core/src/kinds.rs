//! The kinds of things that documents define. Each stands in one table: its type, the type of its ids, where a space
//! keeps it, and how documents write it. Whatever has to be done for every kind is made from the table.

use crate::catalogue::{Catalogue, Named};
use crate::event::DefinitionId;
use crate::state::Space;

/// A kind of thing that documents define.
pub trait Kind: Named + PartialEq {
    /// As documents write it.
    const WORD: &'static str;
    fn of(space: &Space) -> &Catalogue<Self>;
    /// Those of a space, to be changed.
    fn of_mut(space: &mut Space) -> &mut Catalogue<Self>;
    /// What names one in an event.
    fn definition(id: Self::Id) -> DefinitionId;
}

/// The table, given to a macro.
macro_rules! for_each_kind {
    ($then:ident $($more:tt)*) => {
        $then! {
            $($more)*
            Environment(EnvironmentId, EnvironmentPatch) in environments = "environment",
            TagSet(TagSetId, TagSetPatch) in tag_sets = "tag-set",
            Lifecycle(LifecycleId, LifecyclePatch) in lifecycles = "lifecycle",
            LibrarySet(LibrarySetId, LibrarySetPatch) in library_sets = "library-set",
            Project(ProjectId, ProjectPatch) in projects = "project",
            Tenant(TenantId, TenantPatch) in tenants = "tenant",
        }
    };
}

macro_rules! kinds {
    ($($kind:ident($id:ident, $patch:ident) in $field:ident = $word:literal,)+) => {
        $(impl Kind for crate::model::$kind {
            const WORD: &'static str = $word;

            fn of(space: &Space) -> &Catalogue<Self> {
                &space.$field
            }

            fn of_mut(space: &mut Space) -> &mut Catalogue<Self> {
                &mut space.$field
            }

            fn definition(id: Self::Id) -> DefinitionId {
                DefinitionId::$kind(id)
            }
        })+
    };
}
for_each_kind!(kinds);

macro_rules! make_in_kind {
    ($dollar:tt $($kind:ident($id:ident, $patch:ident) in $field:ident = $word:literal,)+) => {
        /// `in_kind!(word, Kind => with the type of the kind that is written so, other => where there is none)`.
        #[macro_export]
        macro_rules! in_kind {
            ($dollar word:expr, $dollar name:ident => $dollar then:expr, $dollar other:ident => $dollar else:expr $dollar (,)?) => {
                match $dollar word {
                    $($word => {
                        type $dollar name = $crate::model::$kind;
                        $dollar then
                    })+
                    $dollar other => $dollar else,
                }
            };
        }
    };
}
for_each_kind!(make_in_kind $);
