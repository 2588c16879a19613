//! Deploying a package: unpacked beside the current release, hooks, one atomic switch, and back after a failure.
//!
//! What has been done is read off the disk (the hooks' folders, the link `current`), so a crash at any moment leaves a
//! course that goes on or goes back, never a release half activated.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use windlass_agent_core::course::{Next, PackageCourse, Stage};
use windlass_agent_packages::{Unpack, publish, remove_others, switch};
use windlass_protocol::message::{Outcome, PackageReference, RunWork};
use windlass_templates::Shell;

use super::Order;
use super::place;
use super::run::Ground;
use super::script::{self, Process, Ran};

/// Bytes that stay free on the disk whatever is deployed.
const RESERVE: u64 = 64 << 20;
/// Bytes of a file in which variables are substituted.
const SUBSTITUTED_BYTES: u64 = 4 << 20;

/// A release being deployed.
struct Release<'a> {
    order: &'a Order,
    work: &'a RunWork,
    ground: &'a Ground,
    /// Its name below `releases`.
    name: String,
    /// The link's text before this deployment, written down before anything is switched.
    before: Option<String>,
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
            Next::Switch => release.switch_to(Some(release.link_text())).await?,
            Next::SwitchBack => release.switch_to(release.before.clone()).await?,
            Next::Over(outcome) => {
                if outcome == Outcome::Succeeded {
                    release.clean_up().await?;
                }
                return Ok(Some(outcome));
            }
        }
    }
}

fn releases(ground: &Ground) -> PathBuf {
    ground.folders.step.join("releases")
}

fn current(ground: &Ground) -> PathBuf {
    ground.folders.step.join("current")
}

fn read_link(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_link(path) {
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(why).with_context(|| format!("{} is in the way: it is no link", path.display())),
        Ok(target) => Ok(Some(target.to_string_lossy().into_owned())),
    }
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
        let releases = releases(ground);
        place::structure(&releases, ground.account)?;
        let note = order.agent.ledger().folder(order.id()).join("release");
        let (name, before) = match fs::read(&note) {
            Ok(text) => serde_json::from_slice::<(String, Option<String>)>(&text)?,
            Err(_) => {
                let chosen = (free_name(&releases, &package.version)?, read_link(&current(ground))?);
                let partial = note.with_extension("partial");
                fs::write(&partial, serde_json::to_vec(&chosen)?)?;
                fs::File::open(&partial)?.sync_all()?;
                fs::rename(&partial, &note)?;
                chosen
            }
        };
        let release = Self { order, work, ground, name, before };
        if !release.folder().exists() {
            release.unpack(package, substitute).await?;
        }
        Ok(release)
    }

    fn folder(&self) -> PathBuf {
        releases(self.ground).join(&self.name)
    }

    fn link_text(&self) -> String {
        format!("releases/{}", self.name)
    }

    async fn unpack(&self, package: &PackageReference, substitute: &[String]) -> anyhow::Result<()> {
        let into = releases(self.ground).join(format!(".unpacking-{}", self.order.id()));
        let (agent, manifest, folder) = (self.order.agent.clone(), package.manifest, into.clone());
        let owner = self.ground.account.map(|account| (account.uid, account.gid));
        let unpacked = tokio::task::spawn_blocking(move || {
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            agent.cache.unpack(manifest, &folder, &Unpack { owner, reserve: RESERVE })?;
            anyhow::Ok(())
        });
        unpacked.await??;
        self.substitute(&into, substitute)?;
        publish(&into, &self.folder())?;
        Ok(())
    }

    /// Writes values into the files that the step names. They are owner-only, as all files of a release are.
    fn substitute(&self, root: &Path, patterns: &[String]) -> anyhow::Result<()> {
        if patterns.is_empty() {
            return Ok(());
        }
        for path in files_below(root)? {
            let below = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            if !patterns.iter().any(|pattern| glob(pattern, &below)) {
                continue;
            }
            if fs::metadata(&path)?.len() > SUBSTITUTED_BYTES {
                bail!("{below} is too large for substitution; it may have {SUBSTITUTED_BYTES} bytes");
            }
            let text = fs::read_to_string(&path)
                .with_context(|| format!("{below} is named for substitution, but is no UTF-8 text"))?;
            let rendered = self.ground.variables.render(&text, None)?;
            if rendered != text {
                // The content is replaced, not the file: owner and mode stay.
                fs::write(&path, rendered)?;
                fs::File::open(&path)?.sync_all()?;
            }
        }
        Ok(())
    }

    async fn course(&self) -> anyhow::Result<PackageCourse> {
        let folder = self.folder();
        let mut hooks = Vec::new();
        let mut ended = Vec::new();
        for stage in [Stage::PreDeploy, Stage::Deploy, Stage::PostDeploy, Stage::DeployFailed] {
            if hook(&folder, stage).is_some() {
                hooks.push(stage);
            }
            if let Some(outcome) = script::finished(self.order, stage, self.work).await? {
                ended.push((stage, outcome));
            }
        }
        let switched = read_link(&current(self.ground))?.as_deref() == Some(&self.link_text());
        Ok(PackageCourse { hooks, ended, switched })
    }

    async fn run_hook(&self, stage: Stage) -> anyhow::Result<Ran> {
        let folder = self.folder();
        let (path, shell) = hook(&folder, stage).context("the hook was there a moment ago")?;
        let text =
            fs::read_to_string(&path).with_context(|| format!("the hook {} is no text", path.display()))?;
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
        let current = current(self.ground);
        let switched = tokio::task::spawn_blocking(move || match link {
            Some(link) => switch(&current, &link).map_err(anyhow::Error::from),
            None => {
                fs::remove_file(&current)?;
                Ok(())
            }
        });
        switched.await?
    }

    async fn go_back(&self) -> anyhow::Result<Outcome> {
        if self.course().await?.switched {
            self.switch_to(self.before.clone()).await?;
        }
        Ok(Outcome::Stopped)
    }

    /// Removes releases that nobody goes back to: all but this one, the one before, and a few more.
    async fn clean_up(&self) -> anyhow::Result<()> {
        let releases = releases(self.ground);
        let mut names: Vec<(std::time::SystemTime, String)> = Vec::new();
        for entry in fs::read_dir(&releases)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') {
                names.push((entry.metadata()?.modified()?, name));
            }
        }
        names.sort();
        let kept = names.into_iter().rev().map(|(_, name)| name).take(usize::from(self.work.keep) + 1);
        let before =
            self.before.as_deref().and_then(|link| link.strip_prefix("releases/")).map(str::to_owned);
        let keep: Vec<String> = kept.chain([self.name.clone()]).chain(before).collect();
        let removed = tokio::task::spawn_blocking(move || {
            let keep: Vec<&str> = keep.iter().map(String::as_str).collect();
            remove_others(&releases, &keep)
        });
        removed.await??;
        Ok(())
    }
}

/// `<version>-<n>`, the first that is free. A version is checked again here: it becomes a part of a path.
fn free_name(releases: &Path, version: &str) -> anyhow::Result<String> {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+');
    if version.is_empty() || version.starts_with('.') || !version.bytes().all(harmless) {
        bail!("`{version}` is no version that could name a folder");
    }
    let names = (1u32..).map(|number| format!("{version}-{number}"));
    let mut free = names.skip_while(|name| releases.join(name).exists());
    free.next().context("there are no numbers left")
}

/// The file of a hook at a package's root, and what runs it.
fn hook(release: &Path, stage: Stage) -> Option<(PathBuf, Shell)> {
    let endings = [("sh", Shell::Bash), ("bash", Shell::Bash), ("py", Shell::Python), ("ps1", Shell::Pwsh)];
    endings.into_iter().find_map(|(ending, shell)| {
        let path = release.join(format!("{}.{ending}", stage.name()));
        fs::symlink_metadata(&path).is_ok_and(|found| found.is_file()).then_some((path, shell))
    })
}

/// Regular files below a folder that nobody else can write to yet.
fn files_below(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    Ok(files)
}

/// Whether a path matches a pattern: `*` within a folder, `**` across folders, `?` one character.
fn glob(pattern: &str, path: &str) -> bool {
    windlass_protocol::pattern::matches(pattern, path)
}
