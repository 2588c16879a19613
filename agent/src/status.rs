//! What `windlass-agent status` says: a file that the running agent keeps up to date.

use std::fs;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use serde::{Deserialize, Serialize};
use windlass_protocol::Timestamp;
use windlass_protocol::message::EffectiveScope;
use windlass_protocol::names::visible;

use crate::identity::Identity;

/// The agent's own view, without a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The target's name.
    pub target: String,
    pub coordinator: String,
    /// Whether a session stands, or the sentence why not.
    pub connection: Connection,
    /// What the target may receive, as of the last session.
    pub effective: Option<EffectiveScope>,
    /// What it last did.
    pub last: Option<String>,
    /// When this was written, by the coordinator's clock.
    pub time: Timestamp,
}

/// Whether the agent is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Connection {
    /// The agent has begun, and no session has stood or failed since.
    Connecting,
    /// A session stands.
    Connected,
    /// None does, and why.
    Disconnected(String),
}

/// Writes the file beside the old one and renames: readers see one or the other. Not durable, and need not be.
fn write(state_root: &Path, status: &Status) -> std::io::Result<()> {
    let partial = state_root.join("status.partial");
    fs::write(&partial, serde_json::to_vec_pretty(status)?)?;
    fs::rename(partial, state_root.join("status.json"))
}

/// Writes it. A disk that does not take it stops nothing: the status is for people.
pub(crate) fn write_or_warn(state_root: &Path, status: &Status) {
    if let Err(why) = write(state_root, status) {
        tracing::warn!(%why, "the status file cannot be written");
    }
}

/// Whether an agent runs on this state, by the lock that it holds as long as it lives.
pub fn is_running(state_root: &Path) -> anyhow::Result<bool> {
    Ok(windlass_supervisor::is_held(state_root)?)
}

/// Reads what the running agent last wrote. An agent that never ran says what to do first.
pub fn read(state_root: &Path) -> anyhow::Result<Status> {
    let path = state_root.join("status.json");
    let bytes = match fs::read(&path) {
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
            Identity::read(state_root)?;
            bail!("the agent has not run yet; start it with `windlass-agent run`");
        }
        read => read.with_context(|| format!("cannot read {}", path.display()))?,
    };
    serde_json::from_slice(&bytes)
        .map_err(|_| anyhow!("{} is damaged; the agent writes it anew when it runs", path.display()))
}

impl Status {
    /// The status in plain words, of an agent that runs or does not.
    pub fn in_words(&self, running: bool) -> String {
        let connection = match &self.connection {
            _ if !running => "the agent does not run".to_owned(),
            Connection::Connecting => format!("connecting to {}", self.coordinator),
            Connection::Connected => format!("connected to {}", self.coordinator),
            Connection::Disconnected(why) => {
                format!("not connected to {}: {}", self.coordinator, visible(why))
            }
        };
        let may = match &self.effective {
            None => "not known before the first session".to_owned(),
            Some(scope) => {
                let list =
                    |words: &[String]| if words.is_empty() { "none".to_owned() } else { words.join(", ") };
                let participation = match scope.participation {
                    None => "no deployments".to_owned(),
                    Some(participation) => format!("{participation:?} deployments").to_lowercase(),
                };
                format!(
                    "{participation}; roles {}; environments {}; tenants: {}",
                    list(&scope.roles),
                    list(&scope.environments),
                    scope.tenants
                )
            }
        };
        let last = visible(self.last.as_deref().unwrap_or("nothing yet"));
        format!("target: {}\nconnection: {connection}\nmay receive: {may}\nlast: {last}\n", self.target)
    }
}
