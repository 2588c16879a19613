//! What is seen of deployments while they run: bars where somebody watches, and a line for each change everywhere.

use std::collections::BTreeMap;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use windlass_api::answers::{
    DeploymentStepView, DeploymentTargetView, DeploymentView, FetchStatus, StepStatus,
};

use crate::output::{bytes, is_watched, note};

/// Where progress is shown.
pub struct Screen {
    bars: Option<MultiProgress>,
    fetching: BTreeMap<(String, String), ProgressBar>,
    said: BTreeMap<(String, String), String>,
}

impl Screen {
    /// A screen on standard error.
    pub fn new() -> Self {
        Self { bars: is_watched().then(MultiProgress::new), fetching: BTreeMap::new(), said: BTreeMap::new() }
    }

    /// Says a line above the bars.
    pub fn say(&self, text: &str) {
        match &self.bars {
            // Where the terminal is gone, so is who would read it.
            Some(bars) => drop(bars.println(text)),
            None => note(text),
        }
    }

    /// Takes the bars away; what was said stays.
    pub fn clear(&mut self) {
        self.fetching.clear();
        if let Some(bars) = &self.bars {
            let _ = bars.clear();
        }
    }

    /// Shows what is new in a deployment.
    pub fn see(&mut self, view: &DeploymentView) {
        for text in self.news(view) {
            self.say(&text);
        }
        for target in &view.targets {
            self.bar(&view.item.id, target);
        }
    }

    /// The lines for what changed since the last look.
    fn news(&mut self, view: &DeploymentView) -> Vec<String> {
        let place = match &view.item.tenant {
            Some(tenant) => format!("{} / {tenant}", view.item.environment),
            None => view.item.environment.clone(),
        };
        let id = &view.item.id;
        let mut lines = Vec::new();
        let mut tell = |key: String, text: String, said: &mut BTreeMap<(String, String), String>| {
            let key = (id.clone(), key);
            if said.get(&key) != Some(&text) {
                lines.push(format!("{place}: {text}"));
                said.insert(key, text);
            }
        };
        for wait in &view.waits {
            tell(format!("wait {}", wait.reason), format!("waits, {}", wait.reason), &mut self.said);
        }
        for target in &view.targets {
            let text = match target.fetch {
                FetchStatus::Done => {
                    let traffic = traffic(target).map(|text| format!(", {text}")).unwrap_or_default();
                    format!("packages are on {}{traffic}", target.target)
                }
                FetchStatus::Failed => {
                    let reason = target.reason.as_deref().unwrap_or_default();
                    format!("packages could not be fetched on {}: {reason}", target.target)
                }
                _ => continue,
            };
            tell(format!("fetch {}", target.target), text, &mut self.said);
        }
        let begun = |step: &&DeploymentStepView| {
            !matches!(step.state, StepStatus::Waiting | StepStatus::NotReached | StepStatus::Assigned)
        };
        for step in view.steps.iter().filter(begun) {
            let reason = step.reason.as_ref().map(|reason| format!(", {reason}")).unwrap_or_default();
            let text = format!("{} on {}: {}{reason}", step.step, step.target, step.state);
            tell(format!("step {} {}", step.step, step.target), text, &mut self.said);
        }
        if view.item.is_over() {
            let reason = view.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            tell("end".to_owned(), format!("{}{reason}", view.item.state), &mut self.said);
        }
        lines
    }

    /// One bar for each target that fetches.
    fn bar(&mut self, deployment: &str, target: &DeploymentTargetView) {
        let Some(bars) = &self.bars else { return };
        let key = (deployment.to_owned(), target.target.clone());
        let come = target.moved.zip(target.saved).map(|(moved, saved)| moved.saturating_add(saved));
        // How far it is, is not told to everybody.
        let Some(come) = come.filter(|_| target.fetch == FetchStatus::Assigned && target.total > 0) else {
            if let Some(bar) = self.fetching.remove(&key) {
                bar.finish_and_clear();
            }
            return;
        };
        let bar = self.fetching.entry(key).or_insert_with(|| {
            let bar = bars.add(ProgressBar::new(target.total));
            match ProgressStyle::with_template("{prefix} {wide_bar} {percent}% {msg}") {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
            .with_prefix(target.target.clone())
        });
        bar.set_length(target.total);
        bar.set_position(come);
        bar.set_message(traffic(target).unwrap_or_default());
    }
}

/// What travelled to a target and what did not have to, where that is told.
fn traffic(target: &DeploymentTargetView) -> Option<String> {
    let (moved, saved) = target.moved.zip(target.saved)?;
    Some(format!("moved {}, saved {}", bytes(moved), bytes(saved)))
}

#[cfg(test)]
mod tests {
    use windlass_api::answers::{DeploymentItem, DeploymentStatus, WaitView};
    use windlass_api::plan::WaitRule;

    use super::*;

    fn view(state: DeploymentStatus, step: StepStatus, waits: &[&str]) -> DeploymentView {
        DeploymentView {
            item: DeploymentItem {
                id: "deployment-1".to_owned(),
                project: "Synergy".to_owned(),
                release: "1".to_owned(),
                environment: "Staging".to_owned(),
                tenant: Some("Customer-1".to_owned()),
                state,
                created: String::new(),
            },
            reason: None,
            ended: None,
            waits: waits
                .iter()
                .map(|reason| WaitView {
                    rule: WaitRule::Offline,
                    reason: (*reason).to_owned(),
                    since: None,
                    until: None,
                    by: None,
                    advice: None,
                })
                .collect(),
            steps: vec![DeploymentStepView {
                step: "Website".to_owned(),
                target: "web-1".to_owned(),
                state: step,
                reason: None,
                since: None,
                until: None,
                lines: None,
            }],
            targets: Vec::new(),
        }
    }

    #[test]
    fn every_change_is_said_once() {
        let mut screen = Screen { bars: None, fetching: BTreeMap::new(), said: BTreeMap::new() };
        let offline = ["target `web-1` is not connected"];
        assert_eq!(
            screen.news(&view(DeploymentStatus::Fetching, StepStatus::Waiting, &offline)),
            ["Staging / Customer-1: waits, target `web-1` is not connected"]
        );
        assert!(screen.news(&view(DeploymentStatus::Fetching, StepStatus::Waiting, &offline)).is_empty());
        assert_eq!(
            screen.news(&view(DeploymentStatus::Running, StepStatus::Running, &[])),
            ["Staging / Customer-1: Website on web-1: running"]
        );
        assert_eq!(
            screen.news(&view(DeploymentStatus::Succeeded, StepStatus::Succeeded, &[])),
            ["Staging / Customer-1: Website on web-1: succeeded", "Staging / Customer-1: succeeded"]
        );
    }
}
