//! What a package step does on the disk. Everything here waits for it: call it from threads that may.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use windlass_agent_packages::{Cache, Rewrite, Unpack, publish, remove_folder, remove_others};
use windlass_protocol::Digest;
use windlass_supervisor::Account;

use super::hooks::{self, Hook};
use crate::durable;
use crate::tasks::folders;
use crate::tasks::variables::Variables;

/// Bytes that stay free on the disk whatever is deployed.
const RESERVE: u64 = 64 << 20;
/// Bytes of a file in which variables are substituted.
const SUBSTITUTED_BYTES: u64 = 4 << 20;

/// Where a release lies.
#[derive(Debug, Clone)]
pub(super) struct ReleaseFolder {
    /// The step's folder.
    step: PathBuf,
    /// The release's name below `releases`.
    name: String,
    /// The text of the link `current` before this deployment, written down before anything is switched.
    pub(super) before: Option<String>,
}

impl ReleaseFolder {
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
    /// Where the release is to lie, under a name of its own: as noted, or chosen now and noted.
    pub(super) fn place(&self) -> anyhow::Result<ReleaseFolder> {
        folders::structure(&self.step.join("releases"), self.account)?;
        let (name, before) = match fs::read(&self.note) {
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
                let name = free_name(&self.step.join("releases"), &self.version)?;
                let chosen = (name, read_link(&self.step.join("current"))?);
                durable::write(&self.note, &serde_json::to_vec(&chosen)?, "release-note")?;
                chosen
            }
            read => {
                let text = read.with_context(|| format!("cannot read {}", self.note.display()))?;
                serde_json::from_slice(&text)
                    .with_context(|| format!("{} is damaged", self.note.display()))?
            }
        };
        Ok(ReleaseFolder { step: self.step.clone(), name, before })
    }

    /// The package's hooks, and its tree in its place, unless a try before this one put it there. From then on the tree
    /// is its tenant's, and nothing here opens anything in it (THREATS E3).
    pub(super) fn fill(&self, place: &ReleaseFolder) -> anyhow::Result<Vec<Hook>> {
        let mut hooks = hooks::read(&self.cache, self.manifest)?;
        for hook in &mut hooks {
            // A hook whose text cannot be made fails the step now, when there is nothing to take back.
            hook.render(&self.variables)?;
        }
        if !place.folder().try_exists()? {
            remove_folder(&self.unpacking)?;
            let owner = self.account.map(|account| (account.uid, account.gid));
            let how = Unpack { owner, reserve: RESERVE, rewrite: Some(self) };
            self.cache.unpack(self.manifest, &self.unpacking, &how)?;
            publish(&self.unpacking, &place.folder())?;
        }
        Ok(hooks)
    }
}

/// Values are written into the files that the step names. They are owner-only, as all files of a release are.
impl Rewrite for Fresh {
    fn concerns(&self, path: &str, bytes: u64) -> Result<bool, String> {
        let named = self.substitute.iter().any(|pattern| windlass_protocol::pattern::matches(pattern, path));
        // A hook is rendered for its shell. Done here as well, what values insert would become its text.
        let named = named && !hooks::is_hook(path);
        if named && bytes > SUBSTITUTED_BYTES {
            return Err(format!(
                "{path} is too large for substitution; it may have {SUBSTITUTED_BYTES} bytes"
            ));
        }
        Ok(named)
    }

    fn rewrite(&self, path: &str, content: Vec<u8>) -> Result<Vec<u8>, String> {
        let text = String::from_utf8(content)
            .map_err(|_| format!("{path} is named for substitution, but is no UTF-8 text"))?;
        let rendered = self.variables.render(&text, None).map_err(|why| format!("{path}: {why:#}"))?;
        Ok(rendered.into_bytes())
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

/// Removes releases that nobody goes back to: all but this one, the one before, and the newest `keep` of the others.
/// Answers with a sentence for each that could not be removed: it is tried again after the next deployment.
pub(super) fn clean_up(place: &ReleaseFolder, keep: u16) -> Vec<String> {
    let removed = kept(place, keep).and_then(|keep| {
        let keep: Vec<&str> = keep.iter().map(String::as_str).collect();
        Ok(remove_others(&place.releases(), &keep)?)
    });
    match removed {
        Ok(removed) => {
            removed.left.iter().map(|why| format!("an old release is not removed: {why}")).collect()
        }
        Err(why) => vec![format!("old releases are not removed: {why:#}")],
    }
}

/// The names of the releases that stay.
fn kept(place: &ReleaseFolder, keep: u16) -> anyhow::Result<Vec<String>> {
    let mut names: Vec<(std::time::SystemTime, String)> = Vec::new();
    for entry in fs::read_dir(place.releases())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push((entry.metadata()?.modified()?, name));
        }
    }
    names.sort();
    let kept = names.into_iter().rev().map(|(_, name)| name).take(usize::from(keep) + 1);
    let before = place.before.as_deref().and_then(|link| link.strip_prefix("releases/")).map(str::to_owned);
    Ok(kept.chain([place.name.clone()]).chain(before).collect())
}
