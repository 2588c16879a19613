//! Deploying a package: unpacked beside the current release, hooks, one atomic switch, and back after a failure.
//!
//! What has been done is read off the disk (the hooks' folders, the link `current`), so a crash at any moment leaves a
//! course that goes on or goes back, never a release half activated.

mod disk;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use windlass_agent_core::course::{Next, PackageCourse, Stage};
use windlass_agent_packages::{switch, unswitch};
use windlass_protocol::message::{Outcome, PackageReference, RunWork};

use super::Order;
use super::place;
use super::room;
use super::run::Ground;
use super::script::{self, Process, Ran};
use disk::{Fresh, Place};

/// A release being deployed.
struct Release<'a> {
    order: &'a Order,
    work: &'a RunWork,
    ground: &'a Ground,
    place: Place,
}

pub(super) async fn deploy(
    order: &Order,
    work: &RunWork,
    ground: &Ground,
    package: &PackageReference,
    substitute: &[String],
) -> anyhow::Result<Option<Outcome>> {
    let release = Release::prepare(order, work, ground, package, substitute).await?;
    loop {
        let course = release.course().await?;
        match course.next() {
            Next::Run(stage) => match release.run_hook(stage).await? {
                Ran::Ended(_) => {}
                // Withdrawn before the hook began: as if it had been stopped, so that what was begun goes back.
                Ran::Withdrawn if course.ended.is_empty() && !course.switched => return Ok(None),
                Ran::Withdrawn => return Ok(Some(release.go_back().await?)),
            },
            Next::Switch => release.switch_to(Some(release.place.link_text())).await?,
            Next::SwitchBack => release.switch_to(release.place.before.clone()).await?,
            Next::Over(outcome) => {
                if outcome == Outcome::Succeeded {
                    let (place, keep) = (release.place.clone(), work.keep);
                    blocking(move || disk::clean_up(&place, keep)).await?;
                    room::keep_within_limit(&release.order.agent);
                }
                return Ok(Some(outcome));
            }
        }
    }
}

/// Work on the disk, off the threads that must not wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await?
}

impl<'a> Release<'a> {
    /// Unpacks the package, unless a try before this one did.
    async fn prepare(
        order: &'a Order,
        work: &'a RunWork,
        ground: &'a Ground,
        package: &PackageReference,
        substitute: &[String],
    ) -> anyhow::Result<Self> {
        let fresh = Fresh {
            cache: order.agent.cache.clone(),
            manifest: package.manifest,
            version: package.version.clone(),
            step: ground.folders.step.clone(),
            note: order.agent.ledger().folder(order.id()).join("release"),
            unpacking: place::unpacking(&ground.folders.step, order.id()),
            account: ground.account,
            substitute: substitute.to_vec(),
            variables: Arc::clone(&ground.variables),
        };
        let variables = Arc::clone(&ground.variables);
        let prepare = move || {
            let place = fresh.prepare()?;
            // A hook whose text cannot be made fails the step now, when there is nothing to take back.
            for stage in disk::hooks(&place) {
                let (text, shell) = disk::read_hook(&place.folder(), stage)?;
                variables.render(&text, Some(shell)).with_context(|| format!("the hook {}", stage.name()))?;
            }
            Ok(place)
        };
        let place = blocking(prepare).await?;
        order.agent.ledger().note_release(&place.folder(), package.manifest)?;
        Ok(Self { order, work, ground, place })
    }

    async fn course(&self) -> anyhow::Result<PackageCourse> {
        let mut ended = Vec::new();
        for stage in [Stage::PreDeploy, Stage::Deploy, Stage::PostDeploy, Stage::DeployFailed] {
            if let Some(outcome) = script::finished(self.order, stage, self.work).await? {
                ended.push((stage, outcome));
            }
        }
        let place = self.place.clone();
        let (hooks, switched) = blocking(move || Ok((disk::hooks(&place), place.is_current()?))).await?;
        Ok(PackageCourse { hooks, ended, switched })
    }

    async fn run_hook(&self, stage: Stage) -> anyhow::Result<Ran> {
        let folder = self.place.folder();
        let looked = folder.clone();
        let (text, shell) = blocking(move || disk::read_hook(&looked, stage)).await?;
        let process = Process {
            stage,
            shell,
            body: self.ground.variables.render(&text, Some(shell))?,
            folder: &folder,
            home: &self.ground.folders.home,
            account: self.ground.account,
        };
        script::run(self.order, self.work, &self.ground.variables, process).await
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

    async fn go_back(&self) -> anyhow::Result<Outcome> {
        if self.course().await?.switched {
            self.switch_to(self.place.before.clone()).await?;
        }
        Ok(Outcome::Stopped)
    }
}
