//! What else changes in a space when one of the things that documents define does.

use super::Space;
use crate::kinds::Kind;
use crate::model::{Environment, LibrarySet, Lifecycle, Project, TagSet, Tenant};

/// A kind with what is computed from its things.
pub(super) trait Indexed: Kind {
    /// Puts right what is computed of `before`, and of this in its place. Nothing is, unless the kind says so.
    fn reindex(&self, _space: &mut Space, _before: Option<&Self>) {}

    /// Forgets what was computed of this, which is gone.
    fn forget(&self, _space: &mut Space) {}
}

impl Indexed for Environment {
    fn reindex(&self, space: &mut Space, before: Option<&Self>) {
        space.unsettle_environments_words(before, Some(self));
    }

    fn forget(&self, space: &mut Space) {
        space.unsettle_environments_words(Some(self), None);
    }
}

impl Indexed for Lifecycle {}
impl Indexed for LibrarySet {}
impl Indexed for Project {}

impl Indexed for TagSet {
    fn reindex(&self, space: &mut Space, before: Option<&Self>) {
        space.reindex_tags(before, Some(self));
        space.unsettle_tags_words(before, Some(self));
    }

    fn forget(&self, space: &mut Space) {
        space.reindex_tags(Some(self), None);
        space.unsettle_tags_words(Some(self), None);
    }
}

impl Indexed for Tenant {
    fn reindex(&self, space: &mut Space, before: Option<&Self>) {
        space.reindex_tenant(before, Some(self));
        space.unsettle_tenants_words(before, Some(self));
        if let Some(before) = before {
            space.unsettle_tenant(before, self);
        }
    }

    fn forget(&self, space: &mut Space) {
        space.reindex_tenant(Some(self), None);
        space.unsettle_tenants_words(Some(self), None);
        space.finished.orphan(self.id);
        space.forget_finished();
    }
}
