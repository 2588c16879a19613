//! A plan as people read it.

use windlass_api::plan::{Plan, PlannedDeployment, PlannedStep, StepState, TargetState};

use crate::output::Table;

/// The plan as text: per deployment its steps, targets and variables, and what is left out.
pub fn text(plan: &Plan) -> String {
    let mut lines = vec![format!("{} {}", plan.project, plan.release)];
    for deployment in &plan.deployments {
        lines.push(String::new());
        lines.extend(deployment_lines(deployment));
    }
    if !plan.left_out.is_empty() {
        let mut table = Table::new(&["left out", "tenant", "rule", "reason"]);
        for left in &plan.left_out {
            let tenant = left.tenant.clone().unwrap_or_else(|| "untenanted".to_owned());
            table.row(vec![left.environment.clone(), tenant, left.rule.to_string(), left.reason.clone()]);
        }
        lines.extend([String::new(), table.to_string()]);
    }
    if plan.deployments.is_empty() {
        lines.extend([String::new(), "nothing would be deployed".to_owned()]);
    }
    if let Some(cut) = &plan.cut {
        lines.extend([String::new(), cut.clone()]);
    }
    lines.extend([String::new(), format!("plan {}", plan.digest)]);
    lines.join("\n")
}

/// Why a plan would deploy nothing, as one sentence: no step of any deployment has a target that gets it. `None` where one
/// has.
pub fn nothing(plan: &Plan) -> Option<String> {
    // What is not printed is not known to be nothing.
    if plan.deployments.iter().any(|deployment| deployment.more_steps > 0) {
        return None;
    }
    let mut steps = plan.deployments.iter().flat_map(|deployment| &deployment.steps).peekable();
    if let Some(left) = plan.left_out.first().filter(|_| plan.deployments.is_empty()) {
        let tenant = left.tenant.as_ref().map(|tenant| format!(" for {tenant}")).unwrap_or_default();
        return Some(format!("{}{tenant}: {}", left.environment, left.reason));
    }
    if steps.peek().is_none() {
        return Some("the release has no steps".to_owned());
    }
    // A step that may have no target is skipped.
    if steps.clone().any(|step| step.state == StepState::Run) {
        return None;
    }
    let out = |step: &&PlannedStep| step.targets.iter().any(|target| target.reason.is_some());
    let step = steps.clone().find(out).or_else(|| steps.next())?;
    let reason = step.reason.as_deref().unwrap_or("it is skipped");
    let target = step.targets.iter().find_map(|target| Some((&target.target, target.reason.as_ref()?)));
    let target = target.map(|(name, reason)| format!("; target `{name}` {reason}")).unwrap_or_default();
    Some(format!("step `{}`: {reason}{target}", step.name))
}

fn deployment_lines(deployment: &PlannedDeployment) -> Vec<String> {
    let tenant = deployment.tenant.as_deref().unwrap_or("untenanted");
    let mut lines = vec![format!("{} / {tenant}", deployment.environment)];
    for wait in &deployment.waits {
        lines.push(format!("  waits: {}", wait.reason));
    }
    for step in &deployment.steps {
        lines.extend(step_lines(step));
    }
    if let Some(first) = &deployment.steps_as {
        let tenant = first.tenant.as_deref().unwrap_or("untenanted");
        lines.push(format!("  the same as {} / {tenant}", first.environment));
    }
    if deployment.more_steps > 0 {
        lines.push(format!("  more steps, which are not printed: {}", deployment.more_steps));
    }
    lines
}

fn step_lines(step: &PlannedStep) -> Vec<String> {
    let package = step.package.as_ref().map(|package| format!(" ({package})")).unwrap_or_default();
    let mut lines = match (step.state, &step.reason) {
        (StepState::Run, _) => vec![format!("  {}{package}", step.name)],
        (StepState::Skipped, reason) => {
            vec![format!("  {}{package}: skipped, {}", step.name, reason.as_deref().unwrap_or_default())]
        }
    };
    for target in &step.targets {
        let reason = target.reason.as_deref().unwrap_or_default();
        let note = target.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
        lines.push(match target.state {
            TargetState::In => format!("    in   {}{note}", target.target),
            TargetState::Out => format!("    out  {}: {reason}", target.target),
        });
    }
    if step.more_targets > 0 {
        lines.push(format!(
            "    out  {} more of the environment; why, `windlass explain target` tells",
            step.more_targets
        ));
    }
    for variable in &step.variables {
        let on = variable.target.as_ref().map(|target| format!(" on {target}")).unwrap_or_default();
        let value = match &variable.value {
            Some(value) => value.replace(char::is_control, " "),
            None => "–".to_owned(),
        };
        lines.push(format!("    {}{on} = {value}  [{}]", variable.name, variable.source));
    }
    lines.extend(step.malformed.iter().map(|place| format!("    warning: {place}")));
    if !step.substitutes.is_empty() {
        lines.push(format!("    writes values into {}", step.substitutes.join(", ")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_printed_elsewhere_or_not_at_all_is_said() {
        let step = json!({"name": "Install", "state": "run", "rule": null, "reason": null, "targets": []});
        let plan = json!({"digest": "sha256:d", "project": "Web", "release": "1.0.0", "left_out": [],
            "cut": "2 of 3 deployments are printed without all their steps",
            "deployments": [
                {"environment": "Live", "tenant": "Alpha", "steps": [step], "more_steps": 4},
                {"environment": "Live", "tenant": "Beta", "steps": [], "steps_as": {"environment": "Live", "tenant": "Alpha"}},
                {"environment": "Live", "tenant": null, "steps": [], "more_steps": 1}]});
        let lines = [
            "Web 1.0.0",
            "",
            "Live / Alpha",
            "  Install",
            "  more steps, which are not printed: 4",
            "",
            "Live / Beta",
            "  the same as Live / Alpha",
            "",
            "Live / untenanted",
            "  more steps, which are not printed: 1",
            "",
            "2 of 3 deployments are printed without all their steps",
            "",
            "plan sha256:d",
        ];
        assert_eq!(text(&serde_json::from_value(plan).unwrap()), lines.join("\n"));
    }
}
