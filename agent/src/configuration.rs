//! The agent's configuration: written, validated (SURFACE, "The agent's configuration").

use std::net::Ipv6Addr;
use std::num::NonZeroU16;
use std::path::{Component, Path, PathBuf};

use anyhow::bail;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use windlass_protocol::limits;
use windlass_protocol::message::{Advertised, Isolation, Participation};
use windlass_segments::fail;
use windlass_sentences::{Fault, parse_settings, read_settings};

use crate::{durable, identity};

/// Where the configuration is unless somebody says.
pub const FILE: &str = "/etc/windlass/agent.toml";

/// Mebibytes of the package cache unless somebody says: tens of releases, and little on any disk that serves tenants.
const CACHE_MIB: u64 = 10 << 10;
/// Mebibytes that can be written there, so that they are a number of bytes too.
const MOST_MIB: u64 = 1 << 40;

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
    #[serde(default, deserialize_with = "folder")]
    install_root: Option<PathBuf>,
    #[serde(default, deserialize_with = "folder")]
    state_root: Option<PathBuf>,
    isolation: Option<WrittenIsolation>,
    #[serde(default, deserialize_with = "mebibytes")]
    cache_limit_mib: Option<u64>,
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
    pub isolation: Isolation,
    /// Bytes that the package cache may have, beside what is needed.
    pub cache_bytes: u64,
}

impl Configuration {
    /// Reads and validates a file; a missing default file is an empty one.
    pub fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let path = file.unwrap_or(Path::new(FILE));
        // One that cannot be looked at is no missing one: without its words the machine would take all that it is granted.
        let missing = file.is_none() && path.try_exists().is_ok_and(|there| !there);
        let written = if missing { parse_settings(path, "")? } else { read_settings(path)? };
        Self::validate(written).map_err(|why| Fault::usage(format!("{}: {why}", path.display())).into())
    }

    /// Whether an agent could work with it on this machine: it knows whom to connect to, and may write where it has to.
    pub fn check_machine(&self, file: Option<&Path>) -> anyhow::Result<()> {
        let file = file.unwrap_or(Path::new(FILE)).display();
        if self.coordinator.is_none() && !identity::is_enrolled(&self.state_root)? {
            let text = format!(
                "no coordinator is named, and this agent is not enrolled: write `coordinator = \"HOST:PORT\"` into {file}"
            );
            return Err(Fault::usage(text).into());
        }
        for (key, folder) in [("install_root", &self.install_root), ("state_root", &self.state_root)] {
            if let Err(why) = durable::check_writable(folder) {
                return Err(Fault::usage(format!(
                    "{file}: `{key}`: cannot write into {}: {why}",
                    folder.display()
                ))
                .into());
            }
        }
        Ok(())
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
            cache_bytes: fail::number("CACHE_BYTES", written.cache_limit_mib.unwrap_or(CACHE_MIB) << 20),
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
            bail!(
                "a name in `{key}` is too long, `{start}…`; it may have {} characters",
                limits::NAME_CHARACTERS
            );
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
    let hint = if text.contains("://") { "; it has no `https://`, and is where agents connect" } else { "" };
    Err(D::Error::custom(format!("`{text}` is no HOST:PORT, such as \"deploy.example.com:4433\"{hint}")))
}

fn folder<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let path = PathBuf::deserialize(deserializer)?;
    let said = path.display();
    if !path.is_absolute() {
        return Err(D::Error::custom(format!("`{said}` is no absolute path, which begins with /")));
    }
    // What the agent makes there gets modes and owners, and what it finds in its way stops a deployment.
    if !path.components().any(|part| matches!(part, Component::Normal(_))) {
        return Err(D::Error::custom(format!(
            "`{said}` is the whole machine; name a folder of the agent's own"
        )));
    }
    Ok(Some(path))
}

fn mebibytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let number = i64::deserialize(deserializer)?;
    match u64::try_from(number) {
        Ok(number) if number <= MOST_MIB => Ok(Some(number)),
        _ => Err(D::Error::custom(format!("{number} is no number of mebibytes, such as 10240"))),
    }
}

/// Whether a text is `HOST:PORT`: a name, an IPv4 address, or an IPv6 address in brackets.
pub fn is_address(text: &str) -> bool {
    let is_name = |host: &str| {
        let fits = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_');
        !host.is_empty() && host.chars().all(fits)
    };
    let is_host = |host: &str| match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => is_name(host),
    };
    text.rsplit_once(':').is_some_and(|(host, port)| is_host(host) && port.parse::<NonZeroU16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Configuration, String> {
        let written = parse_settings(Path::new("agent.toml"), text).map_err(|why| why.to_string())?;
        Configuration::validate(written).map_err(|why| why.to_string())
    }

    #[test]
    fn the_cache_has_a_limit_unless_somebody_says_another() {
        assert_eq!(read("").map(|read| read.cache_bytes), Ok(10 << 30));
        assert_eq!(read("cache_limit_mib = 0").map(|read| read.cache_bytes), Ok(0));
        assert_eq!(read("cache_limit_mib = 512").map(|read| read.cache_bytes), Ok(512 << 20));
        for wrong in ["-1", "9000000000000000"] {
            assert_eq!(
                read(&format!("cache_limit_mib = {wrong}")).unwrap_err(),
                format!("agent.toml:1: `cache_limit_mib`: {wrong} is no number of mebibytes, such as 10240")
            );
        }
    }

    #[test]
    fn what_a_machine_says_of_itself_fits_what_it_says_it_in() {
        let names = |number: usize, length: usize| {
            let names: Vec<_> = (0..number).map(|n| format!("\"{n:0length$}\"")).collect();
            names.join(", ")
        };
        assert!(read(&format!("tenants = [{}]", names(256, 100))).is_ok());
        for (text, sentence) in [
            (format!("tenants = [{}]", names(257, 10)), "`tenants` has 257 names; it may have 256"),
            (
                format!("roles = [{}]", names(1, 201)),
                "a name in `roles` is too long, `00000000000000000000…`; it may have 200 characters",
            ),
            (
                format!("tenants = [{}]\nroles = [{}]", names(200, 100), names(150, 100)),
                "roles, environments, tenants and tags have 35000 bytes together; they may have 32768: name tags \
                 instead of tenants",
            ),
        ] {
            assert_eq!(read(&text).unwrap_err(), sentence);
        }
    }
}
