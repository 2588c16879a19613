//! What has to be looked at again because something that it rests on has changed (SEMANTICS 3, "While it runs").

use std::collections::BTreeSet;
use std::sync::Arc;

use windlass_protocol::ids::{DeploymentId, TargetId};

use super::space::Space;
use crate::kinds::Kind;
use crate::model::{Advertisement, Deployment, Environment, TagSet, Tenant};

impl Space {
    /// Whether anything of a deployment is to be looked at again.
    pub(crate) fn is_unsettled(&self, id: DeploymentId) -> bool {
        self.unsettled.range((id, None)..).next().is_some_and(|(of, _)| *of == id)
    }

    /// What runs for a tenant rests on its tags and on its own connection; what waits, on its being enabled.
    pub(super) fn unsettle_tenant(&mut self, before: &Tenant, after: &Tenant) {
        let retagged = before.tags != after.tags;
        if retagged || before.projects != after.projects {
            let running = self.indexes.running.get(&Some(after.id)).into_iter().flatten();
            let running: Vec<_> = running.filter_map(|id| self.deployments.get(id)).cloned().collect();
            let touched = |of: &&Arc<Deployment>| retagged || !after.is_connected(of.project, of.environment);
            for deployment in running.iter().filter(touched) {
                self.unsettled.extend(deployment.parts.keys().map(|target| (deployment.id, Some(*target))));
            }
        }
        if before.enabled && !after.enabled {
            let keys = self.indexes.keys.get(&Some(after.id)).into_iter().flatten();
            self.unsettled.extend(keys.flat_map(|(_, turns)| turns.waiting.values().map(|id| (*id, None))));
        }
    }

    /// What runs on a target rests on its scope.
    pub(super) fn unsettle_target(&mut self, id: TargetId) {
        let parts = self.indexes.parts.get(&id).into_iter().flatten();
        self.unsettled.extend(parts.map(|deployment| (*deployment, Some(id))));
    }

    /// Another machine has taken the place of a target: nothing that was done there for what runs is done on this one. What
    /// was not begun there, it begins like any other.
    pub(super) fn replace_machine(&mut self, id: TargetId) {
        let running: Vec<_> = self.indexes.parts.get(&id).into_iter().flatten().copied().collect();
        for deployment in running {
            let deployment = self.deployments.get_mut(&deployment).map(Arc::make_mut);
            let begun = deployment.filter(|deployment| deployment.graph.has_begun(id));
            if let Some(part) = begun.and_then(|deployment| deployment.parts.get_mut(&id)) {
                part.replaced = true;
            }
        }
        self.unsettle_target(id);
    }

    /// Tenants are called something else, made or gone: agents' words mean others than before.
    pub(super) fn unsettle_tenants_words(&mut self, before: Option<&Tenant>, after: Option<&Tenant>) {
        let renamed = self.renamed(before, after).into_iter().map(Some);
        let running = renamed.filter_map(|flow| self.indexes.running.get(&flow)).flatten();
        self.unsettle_said(running.copied().collect(), |said| said.tenants.is_some());
    }

    /// The same of environments.
    pub(super) fn unsettle_environments_words(
        &mut self,
        before: Option<&Environment>,
        after: Option<&Environment>,
    ) {
        let renamed = self.renamed(before, after);
        let within = |id: &&DeploymentId| {
            self.deployments.get(*id).is_some_and(|deployment| renamed.contains(&deployment.environment))
        };
        let running = self.indexes.running.values().flatten().filter(within);
        self.unsettle_said(running.copied().collect(), |said| said.environments.is_some());
    }

    /// The same of tag sets and their tags: whoever carries one of them may be anybody.
    pub(super) fn unsettle_tags_words(&mut self, before: Option<&TagSet>, after: Option<&TagSet>) {
        let has = |tag: &crate::model::Tag| {
            let tags = after.into_iter().flat_map(|set| &set.tags);
            tags.into_iter().any(|known| known.id == tag.id && known.name.folded() == tag.name.folded())
        };
        let lost = !before.into_iter().flat_map(|set| &set.tags).all(has);
        if !lost && self.renamed(before, after).is_empty() {
            return;
        }
        let tenanted = self.indexes.running.iter().filter(|(flow, _)| flow.is_some());
        let running = tenanted.flat_map(|(_, running)| running.iter().copied());
        self.unsettle_said(running.collect(), |said| said.tenant_tags.is_some());
    }

    /// The things that words mean, or do not mean any more, since one of them is called something else: that one, and those
    /// that had its words. Names go before slugs ([`crate::catalogue::Catalogue::named`]), so a new thing can take the word
    /// that another one is known by.
    fn renamed<T: Kind>(&self, before: Option<&T>, after: Option<&T>) -> BTreeSet<T::Id> {
        let words = |thing: &T| [thing.id().to_string(), thing.name().folded(), thing.slug().to_string()];
        if before.map(words) == after.map(words) {
            return BTreeSet::new();
        }
        let things = [before, after].into_iter().flatten();
        let had = |thing: &T| words(thing).map(|word| T::of(self).named(&word).map(T::id));
        things.flat_map(|thing| had(thing).into_iter().flatten().chain([thing.id()])).collect()
    }

    /// Has the parts of what runs looked at again on those targets whose agents say something of this.
    fn unsettle_said(&mut self, running: Vec<DeploymentId>, says: fn(&Advertisement) -> bool) {
        for id in running {
            let Some(deployment) = self.deployments.get(&id) else { continue };
            let said =
                |target: &TargetId| self.targets.get(*target).is_some_and(|target| says(&target.advertised));
            let parts: Vec<_> = deployment.parts.keys().copied().filter(said).collect();
            self.unsettled.extend(parts.into_iter().map(|target| (id, Some(target))));
        }
    }
}
