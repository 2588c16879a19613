//! What could not be carried out, and so is refused in plans and deployments alike.

use std::borrow::Cow;
use std::collections::BTreeSet;

use windlass_api::error::Problem;
use windlass_protocol::limits;
use windlass_protocol::names::fold;

use super::given::{Alike, Given, given};
use super::layout::{LaidStep, Layout};
use crate::model::{CodeNames, Release, Step, StepAction};
use crate::variables::{Candidate, Inserted, Resolution, data_as_code, shell};

/// Steps on targets that one deployment may be: how it starts is one record.
const MOST_RUNS: usize = 50_000;

/// What of each step of a release is run, in order: the same for whomever it is deployed.
pub(super) struct Code<'a>(Vec<Cow<'a, CodeNames>>);

impl<'a> Code<'a> {
    pub(super) fn of(release: &'a Release) -> Self {
        Self(release.snapshot.steps.iter().map(|step| code(release, step)).collect())
    }

    /// Refuses what could not be carried out: more steps on targets than a deployment may be, a name with two equal
    /// values, more values than a target is sent for one step, and a tenant's value or an output variable put bare into a
    /// script or a hook.
    pub(super) fn check(&self, steps: &[LaidStep<'_>], given: &[Given<'_>]) -> Result<(), Problem> {
        let runs: usize = steps.iter().map(|laid| laid.targets.len()).sum();
        if runs > MOST_RUNS {
            return Err(Problem::conflict(format!(
                "its steps would run {runs} times, on all targets together, and those of a deployment at most {MOST_RUNS} \
                 times; deploy to fewer targets at once"
            )));
        }
        let mut outputs = BTreeSet::new();
        for ((laid, given), code) in steps.iter().zip(given).zip(&self.0) {
            if laid.skipped.is_some() {
                continue;
            }
            for alike in &given.alike {
                check_names(laid.step, alike)?;
                if let Some(inserted) = data_as_code(code, &outputs, &alike.context) {
                    return Err(as_code(laid.step, &inserted));
                }
            }
            outputs.extend(code.sets.iter().map(|name| fold(name)));
        }
        Ok(())
    }
}

/// Refuses what could not be carried out of one deployment.
pub fn check(layout: &Layout<'_>, steps: &[LaidStep<'_>]) -> Result<(), Problem> {
    given(layout, steps, |given| Code::of(layout.release).check(steps, given))
}

fn ambiguous(step: &Step, name: &str, one: &Candidate<'_>, two: &Candidate<'_>) -> Problem {
    let scope = one.rank.in_words();
    let scoped = if scope.is_empty() { "unscoped".to_owned() } else { format!("scoped by {scope}") };
    Problem::conflict(format!(
        "step `{}`: `{name}` has two values that nothing tells apart, both {scoped}; scope one of them closer ({:?}, {:?})",
        step.name, one.source, two.source,
    ))
}

fn check_names(step: &Step, alike: &Alike<'_>) -> Result<(), Problem> {
    let mut bytes = 0;
    for (name, resolution) in &alike.variables {
        match resolution {
            Resolution::Ambiguous(one, two) => return Err(ambiguous(step, name, one, two)),
            Resolution::Value(candidate, _) => {
                bytes += name.len() + candidate.value.most_bytes() + limits::VARIABLE_OVERHEAD_BYTES;
            }
            Resolution::Undefined => {}
        }
    }
    if bytes > limits::STEP_VARIABLES_BYTES {
        return Err(Problem::conflict(format!(
            "step `{}` needs {bytes} bytes of variables, and a step is given at most {}; let it need fewer, or put \
             what is large into its package",
            step.name,
            limits::STEP_VARIABLES_BYTES
        )));
    }
    Ok(())
}

/// What of a step is run: its script, or the hooks of its package.
fn code<'a>(release: &'a Release, step: &Step) -> Cow<'a, CodeNames> {
    match &step.action {
        StepAction::Script(body) => Cow::Owned(CodeNames::of(&body.text, shell(body.shell))),
        StepAction::Package { .. } => release
            .packages
            .get(&step.id)
            .map_or_else(|| Cow::Owned(CodeNames::default()), |package| Cow::Borrowed(&package.hooks)),
    }
}

fn as_code(step: &Step, inserted: &Inserted<'_>) -> Problem {
    let place = match &step.action {
        StepAction::Script(_) => "the script",
        StepAction::Package { .. } => "a hook of its package",
    };
    let Inserted { name, data, misplaced } = inserted;
    let (step, as_code) = (&step.name, format!("puts {data} into {place} as code"));
    Problem::conflict(match (name.strip_suffix('['), misplaced) {
        (Some(list), false) => {
            format!(
                "step `{step}`: inserting what `{list}` has {as_code}; let it pass last through `| Quoted`"
            )
        }
        (None, false) => format!(
            "step `{step}`: `#{{{name}}}` {as_code}; write `#{{{name} | Quoted}}` or \
             `$(get_windlassvariable \"{name}\")`"
        ),
        (list, true) => {
            let named = list.map_or_else(|| format!("`{name}`"), |list| format!("what `{list}` has"));
            format!(
                "step `{step}`: inserting {named} puts {data} into {place} where its filter does not protect; let it be \
                 an argument of its own, outside of quotes, comments and here-documents, or ask for it with \
                 `get_windlassvariable`"
            )
        }
    })
}
