//! Lifecycles. An environment is named in at most one phase.

use std::collections::BTreeSet;

use windlass_api::documents::{LifecycleDocument, PhaseText};
use windlass_api::error::Problem;
use windlass_protocol::DisplayName;
use windlass_protocol::ids::{EnvironmentId, LifecycleId};

use super::super::Draft;
use super::names;
use super::references::{ReferenceScope, users_of_lifecycle};
use super::{DefinitionContext, Documented};
use crate::model::{Lifecycle, Phase, PhaseRule};

impl Documented for Lifecycle {
    type Document = LifecycleDocument;

    fn define(
        draft: &mut Draft<'_>,
        document: &LifecycleDocument,
        _: &DefinitionContext<'_>,
    ) -> Result<Self, Problem> {
        define(draft, document)
    }

    fn users(&self, moment: ReferenceScope<'_>) -> Vec<String> {
        users_of_lifecycle(moment.space(), self.id)
    }
}

fn define(draft: &mut Draft<'_>, document: &LifecycleDocument) -> Result<Lifecycle, Problem> {
    let (name, slug) = names::named(&document.name, document.slug.as_deref())?;
    let mut named = BTreeSet::new();
    let phases = document.phases.iter().map(|phase| {
        define_phase(draft, phase, &mut named)
            .map_err(|problem| problem.at(&format!("phase `{}`", phase.name)))
    });
    let phases = phases.collect::<Result<_, _>>()?;
    let existing = draft.space().lifecycles.called(&document.name).map(|existing| existing.id);
    let id = existing.unwrap_or_else(|| LifecycleId::from_bytes(draft.fresh.bytes()));
    Ok(Lifecycle { id, slug, name, phases })
}

fn define_phase(
    draft: &Draft<'_>,
    text: &PhaseText,
    named: &mut BTreeSet<EnvironmentId>,
) -> Result<Phase, Problem> {
    let name: DisplayName = text.name.parse().map_err(|why| Problem::usage(format!("its name: {why}")))?;
    if text.unseen {
        return Err(Problem::usage("it is `unseen`: the lifecycle was exported by who sees nothing of it"));
    }
    let mut environments = Vec::new();
    for name in &text.environments {
        let environment = draft.space().environments.find(name)?;
        if !named.insert(environment.id) {
            let text = format!(
                "the environment `{}` is named twice; an environment has one phase",
                environment.name
            );
            return Err(Problem::usage(text));
        }
        environments.push(environment.id);
    }
    let rule = match (text.optional, text.minimum) {
        (true, Some(_)) => return Err(Problem::usage("`optional` and `minimum` exclude each other")),
        (false, Some(0)) => {
            return Err(Problem::usage("`minimum` is at least 1; write `optional: true` instead of 0"));
        }
        (true, None) => PhaseRule::Optional,
        (false, Some(minimum)) => PhaseRule::AtLeast(minimum),
        (false, None) => PhaseRule::All,
    };
    Ok(Phase { name: name.into(), environments, rule, unseen: false })
}
