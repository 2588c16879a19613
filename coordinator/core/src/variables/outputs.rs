//! Which output variables a step is given: those that steps before it set, as far as it reads them (SEMANTICS 6).

use windlass_protocol::ids::{StepId, TargetId};

use super::{Needs, shadows};
use crate::graph::WorkKind;
use crate::model::{Deployment, Snapshot, StoredValue};

/// The output variables that a step reads on a target, by full name, `Windlass.Action[Step].Output[Target].Name`, and
/// those of the target by their own name as well, unless something defines that. Of two with one name the later counts.
///
/// Only what the nodes before the step set is there. These are over when the step is assigned, so that its assignment
/// has the same content whenever it is asked for (SEMANTICS 3, "While it runs"); what runs beside it, the step itself
/// on other targets among it, may set something at any moment.
pub fn outputs<'d>(
    deployment: &'d Deployment,
    snapshot: &Snapshot,
    (step, target): (StepId, TargetId),
    needs: &Needs,
) -> Vec<(String, &'d StoredValue)> {
    let mut read = Vec::new();
    let Some(place) = deployment.graph.place_of(WorkKind::Run(step)) else { return read };
    let before = deployment.graph.before(place);
    let steps = before.into_iter().filter_map(|place| deployment.graph.node(place)?.plot.work.step());
    for id in steps {
        let Some(of_step) = snapshot.steps.iter().find(|known| known.id == id) else { continue };
        let first = (id, TargetId::from_bytes([0; 16]), String::new());
        let set = deployment.outputs.range(first..).take_while(|((of, _, _), _)| *of == id);
        for ((_, on, name), value) in set {
            let Some(part) = deployment.parts.get(on) else { continue };
            let full = format!("Windlass.Action[{}].Output[{}].{name}", of_step.name, part.name);
            read.extend(needs.reads_output(&full).then_some((full, value)));
            if *on == target && needs.reads_output(name) && !shadows(snapshot, name) {
                read.push((name.clone(), value));
            }
        }
    }
    read
}
