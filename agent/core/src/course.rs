//! What a step does next: the stages of an action, and how each ended.
//!
//! The agent asks again after everything that happens and after every restart; what has been done is read off the
//! disk, so the answer does not depend on memory.

use windlass_protocol::message::Outcome;

/// A process of a step, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The script of a script step.
    Script,
    /// A package's hook before the deployment.
    PreDeploy,
    /// A package's hook that deploys.
    Deploy,
    /// A package's hook after the switch.
    PostDeploy,
    /// A package's hook after a failure.
    DeployFailed,
}

impl Stage {
    /// The name of its folder, and of the hook's file without the ending.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Script => "Script",
            Self::PreDeploy => "PreDeploy",
            Self::Deploy => "Deploy",
            Self::PostDeploy => "PostDeploy",
            Self::DeployFailed => "DeployFailed",
        }
    }
}

/// What is known of a package step's stages, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageCourse {
    /// The hooks that the package has.
    pub hooks: Vec<Stage>,
    pub ended: Vec<(Stage, Outcome)>,
    /// Whether the new release is the current one.
    pub switched: bool,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Run this hook.
    Run(Stage),
    /// Make the new release the current one.
    Switch,
    /// Make the old release the current one again.
    SwitchBack,
    Over(Outcome),
}

impl PackageCourse {
    /// PreDeploy, Deploy, then the switch, then PostDeploy; after a failure DeployFailed and the switch back.
    pub fn next(&self) -> Next {
        if let Some((_, failure)) = self.ended.iter().find(|(_, outcome)| *outcome != Outcome::Succeeded) {
            return self.after_failure(failure);
        }
        let due = |stage: &Stage| self.hooks.contains(stage) && !self.has_ended(*stage);
        for stage in [Stage::PreDeploy, Stage::Deploy] {
            if due(&stage) {
                return Next::Run(stage);
            }
        }
        if !self.switched {
            return Next::Switch;
        }
        if due(&Stage::PostDeploy) { Next::Run(Stage::PostDeploy) } else { Next::Over(Outcome::Succeeded) }
    }

    fn after_failure(&self, failure: &Outcome) -> Next {
        if self.switched {
            return Next::SwitchBack;
        }
        if self.hooks.contains(&Stage::DeployFailed) && !self.has_ended(Stage::DeployFailed) {
            return Next::Run(Stage::DeployFailed);
        }
        Next::Over(failure.clone())
    }

    fn has_ended(&self, stage: Stage) -> bool {
        self.ended.iter().any(|(ended, _)| *ended == stage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Outcome {
        Outcome::Failed { reason: "exit code 1".to_owned() }
    }

    /// Plays a course to its end, with these stages failing, and writes down what was done.
    fn play(hooks: &[Stage], failing: &[Stage]) -> (Vec<Next>, bool) {
        let mut course = PackageCourse { hooks: hooks.to_vec(), ended: Vec::new(), switched: false };
        let mut done = Vec::new();
        for _ in 0..20 {
            let next = course.next();
            done.push(next.clone());
            match next {
                Next::Run(stage) => {
                    let outcome = if failing.contains(&stage) { failed() } else { Outcome::Succeeded };
                    course.ended.push((stage, outcome));
                }
                Next::Switch => course.switched = true,
                Next::SwitchBack => course.switched = false,
                Next::Over(_) => return (done, course.switched),
            }
        }
        panic!("a course ends: {done:?}");
    }

    #[test]
    fn a_package_without_hooks_is_switched_to() {
        assert_eq!(play(&[], &[]), (vec![Next::Switch, Next::Over(Outcome::Succeeded)], true));
    }

    #[test]
    fn every_failure_ends_with_the_old_release_current_and_each_hook_run_once() {
        let all = [Stage::PreDeploy, Stage::Deploy, Stage::PostDeploy, Stage::DeployFailed];
        for failing in [Stage::PreDeploy, Stage::Deploy, Stage::PostDeploy] {
            let (done, switched) = play(&all, &[failing]);
            assert!(!switched, "{failing:?}: {done:?}");
            assert_eq!(done.last(), Some(&Next::Over(failed())));
            assert!(done.contains(&Next::Run(Stage::DeployFailed)), "{failing:?}: {done:?}");
            for stage in all {
                assert!(done.iter().filter(|next| **next == Next::Run(stage)).count() <= 1);
            }
        }
        let (done, switched) = play(&all, &[]);
        assert!(switched && !done.contains(&Next::Run(Stage::DeployFailed)));
    }
}
