//! The hooks of a package, as the verified cache has them. Never as a release has them: that is its tenant's, whose
//! processes may put anything in their place.

use anyhow::Context;
use windlass_agent_core::course::Stage;
use windlass_agent_packages::{Cache, CacheError};
use windlass_protocol::Digest;
use windlass_templates::Shell;

use crate::tasks::variables::Variables;

/// Bytes of a hook: a script, not content.
const HOOK_BYTES: u64 = 4 << 20;

pub(super) struct Hook {
    pub(super) stage: Stage,
    /// What runs it, by its ending.
    pub(super) shell: Shell,
    pub(super) text: String,
}

/// The endings of hooks, which say what runs them; the first one of a stage counts.
const ENDINGS: [&str; 4] = ["sh", "bash", "py", "ps1"];

/// The stages that a package may have a hook for.
const STAGES: [Stage; 4] = [Stage::PreDeploy, Stage::Deploy, Stage::PostDeploy, Stage::DeployFailed];

fn name(stage: Stage, ending: &str) -> String {
    format!("{}.{ending}", stage.name())
}

/// Whether a file of a package may be a hook, by its path.
pub(super) fn is_hook(path: &str) -> bool {
    STAGES.iter().any(|stage| ENDINGS.iter().any(|ending| name(*stage, ending) == path))
}

impl Hook {
    /// Puts values into the text, fit for its shell.
    pub(super) fn render(&mut self, variables: &Variables) -> anyhow::Result<()> {
        let rendered = variables.render(&self.text, Some(self.shell));
        self.text = rendered.with_context(|| format!("the hook {}", self.stage.name()))?;
        Ok(())
    }
}

/// Reads the hooks at a package's root, each stage's first by this order of endings.
pub(super) fn read(cache: &Cache, manifest: Digest) -> anyhow::Result<Vec<Hook>> {
    let tree = cache.manifest(manifest)?.ok_or(CacheError::Incomplete { manifest })?;
    let mut hooks = Vec::new();
    for stage in STAGES {
        let found = ENDINGS.into_iter().find_map(|ending| {
            let (name, shell) = (name(stage, ending), Shell::of_ending(ending)?);
            let (_, digest, bytes) = tree.files().find(|(path, ..)| path.as_str() == name)?;
            Some((name, shell, digest, bytes))
        });
        let Some((name, shell, digest, bytes)) = found else { continue };
        if bytes > HOOK_BYTES {
            anyhow::bail!("the hook {name} is too large; it may have {HOOK_BYTES} bytes");
        }
        let text = String::from_utf8(cache.content(digest, bytes)?)
            .map_err(|_| anyhow::anyhow!("the hook {name} is no UTF-8 text"))?;
        hooks.push(Hook { stage, shell, text });
    }
    Ok(hooks)
}
