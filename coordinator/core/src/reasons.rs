//! Why things end as they do, as sentences. The record holds rules and ids; who reads them gets the names of today.

use windlass_api::plan::{StepRule, TenantRule};
use windlass_protocol::ids::{StepId, TargetId};
use windlass_protocol::message::Refusal;

use crate::model::{Deployment, EndReason, Failure, Removal, RunOutcome, Unknown};
use crate::plan::target_reason;
use crate::state::Space;

/// Why a deployment ended as it did.
pub fn end(space: &Space, deployment: &Deployment, why: &EndReason) -> String {
    let target = |id: TargetId| target_name(space, deployment, id);
    let step = |id: StepId| step_name(space, deployment, id);
    match why {
        EndReason::Done => "every step succeeded on every target".to_owned(),
        EndReason::NothingToDo => nothing_to_do(space, deployment),
        EndReason::Cancelled => "somebody cancelled it".to_owned(),
        EndReason::TenantDisabled => "the tenant was disabled".to_owned(),
        EndReason::Gone => "its release or project was deleted".to_owned(),
        EndReason::Refused { rules } => {
            let first = rules.first().map_or("it may not be deployed", |rule| tenant_rule(*rule));
            format!("no longer allowed when its turn came: {first}")
        }
        EndReason::Unfit { problem } => problem.clone(),
        EndReason::FetchFailed { target: id, outcome } => {
            let target = target(*id);
            let how = match outcome {
                RunOutcome::Failed(why) => failure(why),
                other => outcome_in_words(other, &target).unwrap_or_default(),
            };
            format!("fetching packages failed on {target}: {how}")
        }
        EndReason::StepFailed { step: which, target: id, outcome } => {
            let (how, target) = (how(outcome).unwrap_or_default(), target(*id));
            format!("step `{}` {how} on {target}{}", step(*which), to_look_after(outcome, &target))
        }
        EndReason::NoTargetLeft { step: which, removed, more } => {
            let listed = removed
                .iter()
                .map(|(id, why)| format!("{} ({})", target(*id), removal(space, deployment, *id, *why)));
            let listed: Vec<_> = listed.collect();
            let more = if *more > 0 { format!(" and {more} more") } else { String::new() };
            let step = step(*which);
            format!("step `{step}` has no target left; scope-removed: {}{more}", listed.join(", "))
        }
    }
}

/// Which targets were out is not recorded; what the request left out is, and the rest can be asked for.
fn nothing_to_do(space: &Space, deployment: &Deployment) -> String {
    let targets = deployment.excluded_targets.iter().filter_map(|id| space.targets.get(*id));
    let targets = targets.map(|target| format!("the target {}", target.name));
    // A step that who asks does not see is none.
    let release = space.releases.get(&deployment.release()).into_iter();
    let steps = release.flat_map(|release| &release.snapshot.steps);
    let skipped = steps.filter(|step| deployment.skipped_steps.contains(&step.id));
    let steps = skipped.map(|step| format!("the step {}", step.name));
    let limited = deployment.only_targets.as_ref().map(|_| "all targets but those that it names".to_owned());
    let left: Vec<_> = targets.chain(steps).chain(limited).collect();
    if left.is_empty() {
        return "no step had a target; why a target is left out, `windlass explain target` tells".to_owned();
    }
    format!(
        "no step had a target; the request left out {}; why others are, `windlass explain target` tells of each",
        left.join(", ")
    )
}

/// Why a target gets nothing more of a deployment.
pub fn removal(space: &Space, deployment: &Deployment, target: TargetId, why: Removal) -> String {
    match why {
        Removal::NoPart => "it has no part in the deployment".to_owned(),
        Removal::TargetDeleted => "the target was deleted".to_owned(),
        Removal::AnotherMachine => "another machine was enrolled in its place".to_owned(),
        Removal::TenantDeleted => "the tenant was deleted".to_owned(),
        Removal::Disconnected => "the tenant was disconnected".to_owned(),
        Removal::ReleaseDeleted => "the release was deleted".to_owned(),
        Removal::Step { step, rule } => {
            let name = step_name(space, deployment, step);
            match rule {
                StepRule::StepEnvironment => format!("the step `{name}` no longer runs in the environment"),
                StepRule::StepTenant => format!("the step `{name}` no longer runs for the tenant"),
                StepRule::StepSkipped => format!("the step `{name}` is skipped"),
                StepRule::StepDisabled => format!("the step `{name}` is disabled"),
                StepRule::NoTarget => format!("no target belongs to the step `{name}` any more"),
            }
        }
        Removal::Target { rule } => match space.targets.get(target) {
            Some(known) => format!("the target {}", target_reason(rule, space, known)),
            // It was deleted since then, or is nothing that who asks sees any more.
            None => "the target no longer belongs to it".to_owned(),
        },
    }
}

/// How a run ended otherwise than well on the target of this name, and what is to be done about it there; `None` where it
/// ended well.
pub fn outcome_in_words(outcome: &RunOutcome, target: &str) -> Option<String> {
    how(outcome).map(|how| how + &to_look_after(outcome, target))
}

/// What is said after how it ended, where somebody has to look at the machine.
fn to_look_after(outcome: &RunOutcome, target: &str) -> String {
    match outcome {
        RunOutcome::Unknown(why) if why.may_still_run() => {
            format!("; it may still run on {target}: look there")
        }
        _ => String::new(),
    }
}

fn how(outcome: &RunOutcome) -> Option<String> {
    match outcome {
        RunOutcome::Succeeded => None,
        RunOutcome::Failed(why) => Some(format!("failed ({})", failure(why))),
        RunOutcome::TimedOut => Some("ran out of time".to_owned()),
        RunOutcome::Stopped => Some("was stopped".to_owned()),
        RunOutcome::UnknownForWhatever => Some("ended nobody knows how".to_owned()),
        RunOutcome::Unknown(why) => Some(format!("ended nobody knows how ({})", unknown(*why))),
    }
}

const fn unknown(why: Unknown) -> &'static str {
    match why {
        Unknown::SupervisorGone => "its supervisor was gone",
        Unknown::StateLost => "the agent has lost what it knew of it",
        Unknown::Offline => "the target is offline and did not tell its end in time",
        Unknown::CertificateExpired => "the target's certificate expired before it told its end",
        Unknown::NotTold => "the target did not tell its end in time",
    }
}

/// Why a run failed.
pub fn failure(why: &Failure) -> String {
    match why {
        Failure::Said(text) | Failure::Undeliverable(text) => text.clone(),
        Failure::Refused(refusal) => format!("the agent refused: {}", refusal_in_words(*refusal)),
        Failure::Offline => "the target did not come in time (offline)".to_owned(),
        Failure::CertificateExpired => {
            "the target did not renew its certificate in time (expired)".to_owned()
        }
        Failure::Expired => "the target did not begin it in time".to_owned(),
    }
}

const fn refusal_in_words(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NotForThisTarget => "the assignment names another target",
        Refusal::BadSignature => "the assignment's signature is not the coordinator's",
        Refusal::OldGeneration => "the assignment is older than what the agent has acted upon (a replay)",
        Refusal::ChangedContent => "the same assignment came twice with different contents",
        Refusal::Expired => "the assignment came too late",
        Refusal::OutsideConfiguration => "the machine's own configuration does not admit it",
        Refusal::OtherTenant => "the agent cannot switch users and serves another tenant already",
        Refusal::Unsupported => "the agent cannot read the assignment, which may be of a newer version",
    }
}

/// A rule that leaves a tenant out, as a sentence without names.
pub const fn tenant_rule(rule: TenantRule) -> &'static str {
    match rule {
        TenantRule::NotConnected => "the tenant is not connected to the environment",
        TenantRule::TenantDisabled => "the tenant is disabled",
        TenantRule::Lifecycle => "the lifecycle does not let the release go there",
        TenantRule::MissingVariable => "values are missing",
        TenantRule::Tenancy => "the project's tenancy does not allow it",
    }
}

/// What a target is called: its name now, or in the deployment where it is not there, or not seen, any more.
pub fn target_name(space: &Space, deployment: &Deployment, id: TargetId) -> String {
    let then = || deployment.parts.get(&id).map(|part| part.name.to_string());
    let now = space.targets.get(id).map(|target| target.name.to_string());
    now.or_else(then).unwrap_or_else(|| "a deleted target".to_owned())
}

fn step_name(space: &Space, deployment: &Deployment, id: StepId) -> String {
    let release = space.releases.get(&deployment.release());
    let step = release.and_then(|release| release.snapshot.steps.iter().find(|step| step.id == id));
    step.map_or_else(|| "a deleted step".to_owned(), |step| step.name.to_string())
}
