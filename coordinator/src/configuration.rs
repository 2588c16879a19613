//! The coordinator's configuration: written, merged with the command line, validated (`coordinator.toml`).

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use anyhow::bail;
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
const PULLS: NonZeroU16 = NonZeroU16::new(64).expect("64 is not zero");

/// As it is written in the file. Unknown keys are errors.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Written {
    data: Option<PathBuf>,
    quic: Option<SocketAddr>,
    http: Option<SocketAddr>,
    names: Vec<String>,
    agent_certificate: Option<String>,
    output_limit: Option<String>,
    pulls_at_once: Option<NonZeroU16>,
}

/// What the command line says; it wins over the file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The data folder.
    pub data: Option<PathBuf>,
    /// Where agents connect.
    pub quic: Option<SocketAddr>,
    /// Where operators connect.
    pub http: Option<SocketAddr>,
}

/// The configuration in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// The data folder.
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
    pub pulls_at_once: NonZeroU16,
}

impl Configuration {
    /// Reads the file, if one is named, and puts the command line over it.
    pub fn load(file: Option<&Path>, overrides: Overrides) -> anyhow::Result<Self> {
        let written = match file {
            None => Written::default(),
            Some(path) => windlass_sentences::read_settings(path)?,
        };
        let agent_certificate_seconds = match &written.agent_certificate {
            None => AGENT_SECONDS,
            Some(text) => certificate_seconds(text)?,
        };
        let output_bytes = match &written.output_limit {
            None => OUTPUT,
            Some(text) => output_bytes(text)?,
        };
        let address = |text: &str| text.parse().expect("a literal address is one");
        Ok(Self {
            data: overrides.data.or(written.data).unwrap_or_else(|| DATA.into()),
            quic: overrides.quic.or(written.quic).unwrap_or_else(|| address(QUIC)),
            http: overrides.http.or(written.http).unwrap_or_else(|| address(HTTP)),
            names: written.names,
            agent_certificate_seconds,
            output_bytes,
            pulls_at_once: written.pulls_at_once.unwrap_or(PULLS),
        })
    }
}

fn certificate_seconds(text: &str) -> anyhow::Result<u64> {
    match durations::seconds(text) {
        Err(why) => bail!("`agent-certificate`: {why}"),
        Ok(seconds) if !AGENT_CERTIFICATE.contains(&seconds) => {
            bail!("`agent-certificate = \"{text}\"` is not between 2s and 365d; agents renew at half of it")
        }
        Ok(seconds) => Ok(seconds),
    }
}

fn output_bytes(text: &str) -> anyhow::Result<u64> {
    match sizes::bytes(text) {
        Err(why) => bail!("`output-limit`: {why}"),
        Ok(bytes) if !OUTPUT_BYTES.contains(&bytes) => {
            bail!("`output-limit = \"{text}\"` is not between 16MiB and 1024TiB")
        }
        Ok(bytes) => Ok(bytes),
    }
}
