//! What could not be carried out, and so is refused in plans and deployments alike.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use windlass_api::error::Problem;
use windlass_protocol::ids::ReleaseId;
use windlass_protocol::limits;
use windlass_protocol::names::fold;

use super::given::{Alike, Given, Lookups};
use super::layout::{LaidStep, Layout};
use crate::model::{CodeNames, Release, Step, StepAction};
use crate::variables::{Candidate, Inserted, Resolution, data_as_code, shell};

/// Steps on targets that one deployment may be: how it starts is one record.
const MOST_RUNS: usize = 50_000;

/// Bytes of that record, as far as they grow with targets and roles: below what the coordinator records of one thing.
const MOST_START_BYTES: usize = 6 << 20;

/// Bytes of a target's id in a record.
const ID_BYTES: usize = "\"target-00000000000000000000000000\",".len();

/// How often a start names a target at most, for each step that it runs: with the step, with fetching, with its roles.
const NAMED: usize = 3;

/// What of each step of a release is run: the same for whomever it is deployed.
pub(super) struct Code<'a> {
    /// In the order of the steps.
    names: Vec<Cow<'a, CodeNames>>,
    /// What was looked at and is no data as code: what was given, after which steps that set something.
    passed: BTreeSet<(usize, Vec<usize>)>,
    /// About how much that is.
    held: usize,
}

/// Numbers that are remembered of what was looked at.
const MOST_HELD: usize = 1 << 20;

impl<'a> Code<'a> {
    pub(super) fn of(release: &'a Release) -> Self {
        let names = release.snapshot.steps.iter().map(|step| code(release, step)).collect();
        Self { names, passed: BTreeSet::new(), held: 0 }
    }

    /// Refuses what could not be carried out: more than one record holds of how a deployment starts, a name with two equal
    /// values, more values than a target is sent for one step, and a tenant's value or an output variable put bare into a
    /// script or a hook.
    pub(super) fn check(
        &mut self,
        layout: &Layout<'_>,
        steps: &[LaidStep<'_>],
        given: &[Given<'_>],
    ) -> Result<(), Problem> {
        check_start(steps, given)?;
        let (mut outputs, mut set_by) = (BTreeSet::new(), Vec::new());
        for (place, ((laid, given), code)) in steps.iter().zip(given).zip(&self.names).enumerate() {
            if laid.skipped.is_some() {
                continue;
            }
            for alike in &given.alike {
                check_names(laid.step, alike)?;
                let looked_at = (alike.number(), set_by.clone());
                if self.passed.contains(&looked_at) {
                    continue;
                }
                if let Some(inserted) = data_as_code(code, &outputs, &alike.context(layout, laid.step)) {
                    return Err(as_code(laid.step, &inserted));
                }
                if self.held > MOST_HELD {
                    self.passed.clear();
                    self.held = 0;
                }
                self.held += 1 + set_by.len();
                self.passed.insert(looked_at);
            }
            if !code.sets.is_empty() {
                outputs.extend(code.sets.iter().map(|name| fold(name)));
                set_by.push(place);
            }
        }
        Ok(())
    }
}

/// The checks of deployments of several releases, one after the other: what was looked up for one holds for those that
/// follow, as long as nothing of what values depend on changes.
#[derive(Default)]
pub struct Checks<'a>(BTreeMap<ReleaseId, (Lookups<'a>, Code<'a>)>);

impl<'a> Checks<'a> {
    /// Refuses what could not be carried out of one deployment.
    pub fn check(&mut self, layout: &Layout<'a>, steps: &[LaidStep<'a>]) -> Result<(), Problem> {
        let release = layout.release;
        let new = || (Lookups::of(release), Code::of(release));
        let (lookups, code) = self.0.entry(release.id).or_insert_with(new);
        let given = lookups.given(layout, steps)?;
        code.check(layout, steps, &given)
    }
}

/// Refuses a start that is more than one record: of too many runs, or on targets of too many kinds, since it names the
/// roles of each kind.
fn check_start(steps: &[LaidStep<'_>], given: &[Given<'_>]) -> Result<(), Problem> {
    let runs: usize = steps.iter().map(|laid| laid.targets.len()).sum();
    if runs > MOST_RUNS {
        return Err(Problem::conflict(format!(
            "its steps would run {runs} times, on all targets together, and those of a deployment at most {MOST_RUNS} \
             times; deploy to fewer targets at once"
        )));
    }
    let kinds: BTreeSet<_> = given.iter().flat_map(|given| &given.alike).map(Alike::roles).collect();
    let quoted = |role: &String| role.len() + role.matches(['"', '\\']).count() + "\"\",".len();
    let bytes = runs * NAMED * ID_BYTES + kinds.iter().copied().flatten().map(quoted).sum::<usize>();
    if bytes <= MOST_START_BYTES {
        return Ok(());
    }
    let (targets, most) = (kinds.len(), MOST_START_BYTES >> 20);
    Err(Problem::conflict(format!(
        "its targets have {targets} different sets of roles, and with all of them its start is more than the {most} MiB \
         that are recorded at once; deploy to fewer targets at once, or let them have fewer roles"
    )))
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
    for (name, resolution) in alike.variables() {
        match resolution {
            Resolution::Ambiguous(one, two) => return Err(ambiguous(step, name, &one, &two)),
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
    let Inserted { name, data, misplaced, after } = inserted;
    let (step, as_code) = (&step.name, format!("puts {data} into {place} as code"));
    if let Some(stays) = after {
        return Problem::conflict(format!(
            "step `{step}`: nothing defines `{stays}`, so it stays as it is written, and behind it inserting `{name}` puts \
             {data} into {place} where its filter does not protect; define `{stays}`, or take it out"
        ));
    }
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
