//! Deploying a package: unpacked beside the current release, hooks, one atomic switch, and back after a failure.
//!
//! What has been done is read off the disk (the hooks' folders, the link `current`), so a crash at any moment leaves a
//! course that goes on or goes back, never a release half activated.

mod disk;
mod hooks;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use windlass_agent_core::course::{Next, PackageCourse, Stage};
use windlass_agent_packages::{CacheError, switch, unswitch};
use windlass_protocol::message::{Outcome, PackageReference, RunWork};

use super::environment::StepEnvironment;
use super::script::{self, Process, Ran};
use super::{TaskContext, fetch, folders, notes, room};
use disk::{Fresh, ReleaseFolder};
use hooks::Hook;

/// How often a package is pulled again that is gone from the cache, or damaged, when it is needed.
const PULLS: usize = 3;

/// A release being deployed.
struct Release<'a> {
    context: &'a TaskContext,
    work: &'a RunWork,
    environment: &'a StepEnvironment,
    place: ReleaseFolder,
    hooks: Vec<Hook>,
}

pub(super) async fn deploy(
    context: &TaskContext,
    work: &RunWork,
    environment: &StepEnvironment,
    package: &PackageReference,
    substitute: &[String],
) -> anyhow::Result<Option<Outcome>> {
    let fresh = Arc::new(fresh(context, environment, package, substitute));
    let chosen = Arc::clone(&fresh);
    let place = blocking(move || chosen.place()).await?;
    let mut release = Release { context, work, environment, place, hooks: Vec::new() };
    if !release.fill(&fresh, package).await? {
        return release.withdrawn().await;
    }
    loop {
        match release.course().await?.next() {
            Next::Run(stage) => match release.run_hook(stage).await? {
                Ran::Ended(_) => {}
                Ran::Withdrawn => return release.withdrawn().await,
            },
            Next::Switch => release.switch_to(Some(release.place.link_text())).await?,
            Next::SwitchBack => release.switch_to(release.place.before.clone()).await?,
            Next::Over(outcome) => {
                if outcome == Outcome::Succeeded {
                    release.clean_up().await;
                }
                return Ok(Some(outcome));
            }
        }
    }
}

fn fresh(
    context: &TaskContext,
    environment: &StepEnvironment,
    package: &PackageReference,
    substitute: &[String],
) -> Fresh {
    Fresh {
        cache: context.agent.cache.clone(),
        manifest: package.manifest,
        version: package.version.clone(),
        step: environment.folders.step.clone(),
        note: context.agent.ledger().folder(context.id()).join("release"),
        unpacking: folders::unpacking(&environment.folders.step, context.id()),
        account: environment.account,
        substitute: substitute.to_vec(),
        variables: Arc::clone(&environment.variables),
    }
}

/// Work on the disk, off the threads that must not wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await?
}

impl Release<'_> {
    /// Puts the package's tree into its place and reads its hooks, unless a try before this one did. A package that is
    /// gone from the cache meanwhile, or damaged, is pulled again. False: withdrawn before it came.
    async fn fill(&mut self, fresh: &Arc<Fresh>, package: &PackageReference) -> anyhow::Result<bool> {
        let mut pulls = 0;
        loop {
            let (filling, place) = (Arc::clone(fresh), self.place.clone());
            match blocking(move || filling.fill(&place)).await {
                Ok(hooks) => self.hooks = hooks,
                Err(why) if pulls < PULLS && is_mended_by_a_pull(&why) => {
                    pulls += 1;
                    tracing::warn!(why = format!("{why:#}"), "a step's package is pulled again");
                    tokio::select! {
                        () = self.context.withdrawal() => return Ok(false),
                        fetched = fetch::fetch_one(self.context, package) => fetched?,
                    };
                    continue;
                }
                Err(why) => return Err(why),
            }
            self.context.agent.ledger().note_release(&self.place.folder(), package.manifest)?;
            return Ok(true);
        }
    }

    async fn course(&self) -> anyhow::Result<PackageCourse> {
        let mut ended = Vec::new();
        for stage in [Stage::PreDeploy, Stage::Deploy, Stage::PostDeploy, Stage::DeployFailed] {
            if let Some(outcome) = script::finished(self.context, stage, self.work).await? {
                ended.push((stage, outcome));
            }
        }
        let place = self.place.clone();
        let switched = blocking(move || place.is_current()).await?;
        let hooks = self.hooks.iter().map(|hook| hook.stage).collect();
        Ok(PackageCourse { hooks, ended, switched })
    }

    async fn run_hook(&self, stage: Stage) -> anyhow::Result<Ran> {
        let folder = self.place.folder();
        let hook = self.hooks.iter().find(|hook| hook.stage == stage).context("only hooks are run")?;
        let process = Process {
            stage,
            shell: hook.shell,
            body: hook.text.clone(),
            folder: &folder,
            home: &self.environment.folders.home,
            account: self.environment.account,
        };
        script::run(self.context, self.work, &self.environment.variables, process).await
    }

    /// Makes a release the current one, or none where there was none before.
    async fn switch_to(&self, link: Option<String>) -> anyhow::Result<()> {
        let current: PathBuf = self.place.current();
        blocking(move || match link {
            Some(link) => Ok(switch(&current, &link)?),
            None => Ok(unswitch(&current)?),
        })
        .await
    }

    /// Withdrawn before the next hook began: as if it had been stopped, so that what was begun goes back.
    async fn withdrawn(&self) -> anyhow::Result<Option<Outcome>> {
        let course = self.course().await?;
        if course.ended.is_empty() && !course.switched {
            return Ok(None);
        }
        if course.switched {
            self.switch_to(self.place.before.clone()).await?;
        }
        Ok(Some(Outcome::Stopped))
    }

    /// Makes room after a success. It is one by now, whatever becomes of this: what can't be done is in the step's log.
    async fn clean_up(&self) {
        let (place, keep) = (self.place.clone(), self.work.keep);
        let undone = blocking(move || Ok(disk::clean_up(&place, keep))).await;
        let warnings = undone.unwrap_or_else(|why| vec![format!("old releases are not removed: {why:#}")]);
        notes::write(self.context, warnings).await;
        room::keep_within_limit(&self.context.agent);
    }
}

fn is_mended_by_a_pull(why: &anyhow::Error) -> bool {
    why.downcast_ref::<CacheError>().is_some_and(CacheError::is_mended_by_a_pull)
}
