//! The coordinator's configuration: written, merged with the command line, validated (`coordinator.toml`).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Where the data lies unless somebody says.
const DATA: &str = "/var/lib/windlass";
/// Where agents connect unless somebody says.
const QUIC: &str = "[::]:4433";
/// Where operators connect unless somebody says.
const HTTP: &str = "[::]:8443";

/// As it is written in the file. Unknown keys are errors.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Written {
    data: Option<PathBuf>,
    quic: Option<SocketAddr>,
    http: Option<SocketAddr>,
    names: Vec<String>,
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
        })
    }
}
