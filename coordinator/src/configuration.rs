//! The coordinator's configuration: written, merged with the command line, validated (`coordinator.toml`).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use windlass_api::{durations, sizes};

use crate::authority::AGENT_SECONDS;

/// Where the data lies unless somebody says.
const DATA: &str = "/var/lib/windlass";
/// Where agents connect unless somebody says.
const QUIC: &str = "[::]:4433";
/// Where operators connect unless somebody says.
const HTTP: &str = "[::]:8443";
/// Seconds of an agent's certificate: half of them has to be enough to renew, and a year is not short-lived any more.
const AGENT_CERTIFICATE: std::ops::RangeInclusive<u64> = 2..=365 * 24 * 3600;

/// Bytes of the output of all steps that are kept unless somebody says.
const OUTPUT: u64 = 10 << 30;
/// Less is four segments of the store, of which one goes at a time; more is more than disks hold.
const OUTPUT_BYTES: std::ops::RangeInclusive<u64> = (16 << 20)..=(1 << 50);

/// Pulls that are served at once unless somebody says: more would only make each slower.
const PULLS: u16 = 64;
/// Connections of nobody yet, at each door, unless somebody says: a fleet comes back through them.
const STRANGERS: u16 = 1024;

/// `agent-certificate`, in seconds.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct AgentCertificate(u64);

impl TryFrom<String> for AgentCertificate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let seconds = durations::seconds(&text)?;
        let right = AGENT_CERTIFICATE.contains(&seconds);
        let wrong = || format!("`{text}` is not between 2s and 365d; agents renew at half of it");
        right.then_some(Self(seconds)).ok_or_else(wrong)
    }
}

/// `output-limit`, in bytes.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct OutputLimit(u64);

impl TryFrom<String> for OutputLimit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bytes = sizes::bytes(&text)?;
        let right = OUTPUT_BYTES.contains(&bytes);
        right.then_some(Self(bytes)).ok_or_else(|| format!("`{text}` is not between 16MiB and 1024TiB"))
    }
}

/// How many there may be of something at once: more would take more memory than machines have.
#[derive(Debug, Deserialize)]
#[serde(try_from = "i64")]
struct AtOnce<const LEAST: i64, const MOST: i64>(u16);

impl<const LEAST: i64, const MOST: i64> TryFrom<i64> for AtOnce<LEAST, MOST> {
    type Error = String;

    fn try_from(count: i64) -> Result<Self, String> {
        let right = u16::try_from(count).ok().filter(|_| (LEAST..=MOST).contains(&count));
        right.map(Self).ok_or_else(|| format!("{count} is not between {LEAST} and {MOST}"))
    }
}

/// As it is written in the file. Unknown keys are errors.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Written {
    data: Option<PathBuf>,
    quic: Option<SocketAddr>,
    http: Option<SocketAddr>,
    names: Vec<String>,
    agent_certificate: Option<AgentCertificate>,
    output_limit: Option<OutputLimit>,
    pulls_at_once: Option<AtOnce<1, 4096>>,
    strangers_at_once: Option<AtOnce<16, 65535>>,
}

/// What the command line says; it wins over the file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    pub data: Option<PathBuf>,
    pub quic: Option<SocketAddr>,
    pub http: Option<SocketAddr>,
}

/// The configuration in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    pub data: PathBuf,
    /// Where agents connect, UDP.
    pub quic: SocketAddr,
    /// Where operators connect, TCP.
    pub http: SocketAddr,
    /// Host names that the coordinator's certificate for operators is good for, beside the built-in one.
    pub names: Vec<String>,
    /// Seconds that an agent's certificate is good for; it renews when half of them are over.
    pub agent_certificate_seconds: u64,
    /// Bytes of the output of all steps that are kept; beyond them the oldest goes.
    pub output_bytes: u64,
    /// Pulls that are served at once, over all agents; as many slow ones go on beside them. Each takes 4 MiB of memory.
    pub pulls_at_once: u16,
    /// Whether this machine's clock is right although the journal is dated later; the command line says so.
    pub accept_clock: bool,
    /// Connections at each door that are nobody's yet, shared out by address.
    pub strangers_at_once: u16,
}

impl Configuration {
    /// Reads the file, if one is named, and puts the command line over it.
    pub fn load(file: Option<&Path>, overrides: Overrides) -> anyhow::Result<Self> {
        let written = match file {
            None => Written::default(),
            Some(path) => windlass_sentences::read_settings(path)?,
        };
        let address = |text: &str| text.parse().expect("a literal address is one");
        Ok(Self {
            data: overrides.data.or(written.data).unwrap_or_else(|| DATA.into()),
            quic: overrides.quic.or(written.quic).unwrap_or_else(|| address(QUIC)),
            http: overrides.http.or(written.http).unwrap_or_else(|| address(HTTP)),
            names: written.names,
            agent_certificate_seconds: written.agent_certificate.map_or(AGENT_SECONDS, |life| life.0),
            output_bytes: written.output_limit.map_or(OUTPUT, |limit| limit.0),
            pulls_at_once: written.pulls_at_once.map_or(PULLS, |pulls| pulls.0),
            accept_clock: false,
            strangers_at_once: written.strangers_at_once.map_or(STRANGERS, |strangers| strangers.0),
        })
    }
}
