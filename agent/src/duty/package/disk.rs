//! What a package step does on the disk. Everything here waits for it: call it from threads that may.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use windlass_agent_core::course::Stage;
use windlass_agent_packages::{Cache, Unpack, publish, remove_others};
use windlass_protocol::Digest;
use windlass_segments::fail;
use windlass_supervisor::Account;
use windlass_templates::Shell;

use crate::durable;
use crate::duty::place;
use crate::duty::variables::Variables;

/// Bytes that stay free on the disk whatever is deployed.
const RESERVE: u64 = 64 << 20;
/// Bytes of a file in which variables are substituted.
const SUBSTITUTED_BYTES: u64 = 4 << 20;

/// The stages that a package may have a hook for.
const STAGES: [Stage; 4] = [Stage::PreDeploy, Stage::Deploy, Stage::PostDeploy, Stage::DeployFailed];

/// Where a release lies.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The step's folder.
    step: PathBuf,
    /// The release's name below `releases`.
    name: String,
    /// The text of the link `current` before this deployment, written down before anything is switched.
    pub(super) before: Option<String>,
}

impl Place {
    fn releases(&self) -> PathBuf {
        self.step.join("releases")
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.releases().join(&self.name)
    }

    pub(super) fn current(&self) -> PathBuf {
        self.step.join("current")
    }

    pub(super) fn link_text(&self) -> String {
        format!("releases/{}", self.name)
    }

    pub(super) fn is_current(&self) -> anyhow::Result<bool> {
        Ok(read_link(&self.current())?.as_deref() == Some(&self.link_text()))
    }
}

fn read_link(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_link(path) {
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(why).with_context(|| format!("{} is in the way: it is no link", path.display())),
        Ok(target) => Ok(Some(target.to_string_lossy().into_owned())),
    }
}

/// What a new release is made of.
pub(super) struct Fresh {
    pub(super) cache: Cache,
    pub(super) manifest: Digest,
    pub(super) version: String,
    pub(super) step: PathBuf,
    /// Where the release's name is written down.
    pub(super) note: PathBuf,
    /// Where it is unpacked before it has its name.
    pub(super) unpacking: PathBuf,
    pub(super) account: Option<Account>,
    pub(super) substitute: Vec<String>,
    pub(super) variables: Arc<Variables>,
}

impl Fresh {
    /// Unpacks the package under a name of its own, unless a try before this one did.
    pub(super) fn prepare(self) -> anyhow::Result<Place> {
        place::structure(&self.step.join("releases"), self.account)?;
        let (name, before) = self.choose()?;
        let place = Place { step: self.step.clone(), name, before };
        if !place.folder().exists() {
            self.unpack(&place)?;
        }
        Ok(place)
    }

    /// The release's name and the release before it: as noted, or chosen now and noted.
    fn choose(&self) -> anyhow::Result<(String, Option<String>)> {
        match fs::read(&self.note) {
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
                let name = free_name(&self.step.join("releases"), &self.version)?;
                let chosen = (name, read_link(&self.step.join("current"))?);
                durable::write(&self.note, &serde_json::to_vec(&chosen)?, "release-note")?;
                Ok(chosen)
            }
            read => {
                let text = read.with_context(|| format!("cannot read {}", self.note.display()))?;
                serde_json::from_slice(&text).with_context(|| format!("{} is damaged", self.note.display()))
            }
        }
    }

    fn unpack(&self, place: &Place) -> anyhow::Result<()> {
        if self.unpacking.exists() {
            fs::remove_dir_all(&self.unpacking)?;
        }
        let owner = self.account.map(|account| (account.uid, account.gid));
        self.cache.unpack(self.manifest, &self.unpacking, &Unpack { owner, reserve: RESERVE })?;
        self.write_values()?;
        publish(&self.unpacking, &place.folder())?;
        Ok(())
    }

    /// Writes values into the files that the step names. They are owner-only, as all files of a release are.
    fn write_values(&self) -> anyhow::Result<()> {
        let root = &self.unpacking;
        if self.substitute.is_empty() {
            return Ok(());
        }
        for path in files_below(root)? {
            // A hook is rendered when it runs, for its shell. Done here as well, what values insert would become its text.
            if STAGES.iter().any(|stage| hook(root, *stage).is_some_and(|(hook, _)| hook == path)) {
                continue;
            }
            let below = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            if !self.substitute.iter().any(|pattern| windlass_protocol::pattern::matches(pattern, &below)) {
                continue;
            }
            if fs::metadata(&path)?.len() > SUBSTITUTED_BYTES {
                bail!("{below} is too large for substitution; it may have {SUBSTITUTED_BYTES} bytes");
            }
            let text = fs::read_to_string(&path)
                .with_context(|| format!("{below} is named for substitution, but is no UTF-8 text"))?;
            let rendered = self.variables.render(&text, None)?;
            if rendered != text {
                // The content is replaced, not the file: owner and mode stay.
                fs::write(&path, rendered)?;
                fail::point("substitute-before-sync");
                fs::File::open(&path)?.sync_all()?;
                fail::point("substitute-after-sync");
            }
        }
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

/// The hooks that a release has.
pub(super) fn hooks(place: &Place) -> Vec<Stage> {
    let folder = place.folder();
    STAGES.into_iter().filter(|stage| hook(&folder, *stage).is_some()).collect()
}

/// The text of a hook, and what runs it.
pub(super) fn read_hook(release: &Path, stage: Stage) -> anyhow::Result<(String, Shell)> {
    let (path, shell) = hook(release, stage).context("the hook was there a moment ago")?;
    let text =
        fs::read_to_string(&path).with_context(|| format!("the hook {} is no text", path.display()))?;
    Ok((text, shell))
}

/// The file of a hook at a package's root, and what runs it.
fn hook(release: &Path, stage: Stage) -> Option<(PathBuf, Shell)> {
    let endings = [("sh", Shell::Bash), ("bash", Shell::Bash), ("py", Shell::Python), ("ps1", Shell::Pwsh)];
    endings.into_iter().find_map(|(ending, shell)| {
        let path = release.join(format!("{}.{ending}", stage.name()));
        fs::symlink_metadata(&path).is_ok_and(|found| found.is_file()).then_some((path, shell))
    })
}

/// Removes releases that nobody goes back to: all but this one, the one before, and the newest `keep` of the others.
pub(super) fn clean_up(place: &Place, keep: u16) -> anyhow::Result<()> {
    let releases = place.releases();
    let mut names: Vec<(std::time::SystemTime, String)> = Vec::new();
    for entry in fs::read_dir(&releases)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push((entry.metadata()?.modified()?, name));
        }
    }
    names.sort();
    let kept = names.into_iter().rev().map(|(_, name)| name).take(usize::from(keep) + 1);
    let before = place.before.as_deref().and_then(|link| link.strip_prefix("releases/")).map(str::to_owned);
    let keep: Vec<String> = kept.chain([place.name.clone()]).chain(before).collect();
    let keep: Vec<&str> = keep.iter().map(String::as_str).collect();
    remove_others(&releases, &keep)?;
    Ok(())
}
