//! The agent's configuration: written, validated (SURFACE, "The agent's configuration").

use std::path::{Path, PathBuf};

use anyhow::bail;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use windlass_protocol::limits;
use windlass_protocol::message::{Advertised, Isolation, Participation};
use windlass_sentences::{Fault, parse_settings, read_settings};

/// Where the configuration is unless somebody says.
pub const FILE: &str = "/etc/windlass/agent.toml";

/// As it is written. Unknown keys are errors.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, deserialize_with = "address")]
    coordinator: Option<String>,
    roles: Option<Vec<String>>,
    environments: Option<Vec<String>>,
    tenants: Option<Vec<String>>,
    tenant_tags: Option<Vec<String>>,
    participation: Option<Participation>,
    #[serde(default, deserialize_with = "absolute")]
    install_root: Option<PathBuf>,
    #[serde(default, deserialize_with = "absolute")]
    state_root: Option<PathBuf>,
    isolation: Option<WrittenIsolation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenIsolation {
    Accounts,
    None,
}

/// The configuration in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// `HOST:PORT`; `None` before the first enrolment where nothing is written.
    pub coordinator: Option<String>,
    /// What the machine says of itself.
    pub advertised: Advertised,
    /// Where releases are installed.
    pub install_root: PathBuf,
    /// Where the agent keeps its identity, work and cache.
    pub state_root: PathBuf,
    /// How tenants are kept apart.
    pub isolation: Isolation,
}

impl Configuration {
    /// Reads and validates a file; a missing default file is an empty one.
    pub fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let path = file.unwrap_or(Path::new(FILE));
        let written =
            if file.is_none() && !path.exists() { parse_settings(path, "")? } else { read_settings(path)? };
        Self::validate(written).map_err(|why| Fault::usage(format!("{}: {why}", path.display())).into())
    }

    fn validate(written: Written) -> anyhow::Result<Self> {
        let advertised = Advertised {
            roles: written.roles,
            environments: written.environments,
            tenants: written.tenants,
            tenant_tags: written.tenant_tags,
            participation: written.participation,
        };
        check_advertised(&advertised)?;
        let root = nix::unistd::Uid::effective().is_root();
        let isolation = match (written.isolation, root) {
            (Some(WrittenIsolation::None), _) => Isolation::None,
            (Some(WrittenIsolation::Accounts), false) => {
                bail!(
                    "`isolation = \"accounts\"` needs an agent that runs as root: only root can switch users"
                )
            }
            (Some(WrittenIsolation::Accounts) | None, true) => Isolation::Accounts,
            (None, false) => Isolation::SingleTenant,
        };
        Ok(Self {
            coordinator: written.coordinator,
            advertised,
            install_root: written.install_root.unwrap_or_else(|| "/opt/windlass".into()),
            state_root: written.state_root.unwrap_or_else(|| "/var/lib/windlass-agent".into()),
            isolation,
        })
    }
}

/// What an agent says of its machine has to fit its first message: a coordinator would close the session without it.
fn check_advertised(advertised: &Advertised) -> anyhow::Result<()> {
    let lists = [
        ("roles", &advertised.roles),
        ("environments", &advertised.environments),
        ("tenants", &advertised.tenants),
        ("tenant_tags", &advertised.tenant_tags),
    ];
    let mut bytes = 0;
    for (key, names) in lists {
        let names = names.as_deref().unwrap_or_default();
        if names.len() > limits::ADVERTISED_NAMES {
            bail!("`{key}` has {} names; it may have {}", names.len(), limits::ADVERTISED_NAMES);
        }
        if let Some(long) = names.iter().find(|name| name.chars().count() > limits::NAME_CHARACTERS) {
            let start: String = long.chars().take(20).collect();
            bail!("a name in `{key}` is too long, `{start}…`; it may have {} characters", limits::NAME_CHARACTERS);
        }
        bytes += names.iter().map(String::len).sum::<usize>();
    }
    if bytes > limits::ADVERTISED_BYTES {
        bail!(
            "roles, environments, tenants and tags have {bytes} bytes together; they may have {}: name tags instead of \
             tenants",
            limits::ADVERTISED_BYTES
        );
    }
    Ok(())
}

// Checked while the file is read, so that the parser knows the line.
fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if is_address(&text) {
        return Ok(Some(text));
    }
    Err(D::Error::custom(format!("`{text}` is no HOST:PORT, such as \"deploy.example.com:4433\"")))
}

fn absolute<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let path = PathBuf::deserialize(deserializer)?;
    if path.is_absolute() {
        return Ok(Some(path));
    }
    Err(D::Error::custom(format!("`{}` is no absolute path, which begins with /", path.display())))
}

/// Whether a text is `HOST:PORT`.
pub fn is_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}
