//! `windlass-coordinator`: serve, and what is done while it does not run.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use windlass_coordinator::configuration::{Configuration, Overrides};
use windlass_coordinator::{data_folder, installation, journal, serve};
use windlass_protocol::Digest;
use windlass_sentences::{print, print_whole};

/// How long threads have that wait for a disk when everything else has ended.
const STRAGGLERS: Duration = Duration::from_millis(500);

#[derive(Parser)]
#[command(
    name = "windlass-coordinator",
    version,
    about = "Matches agents against release plans, and records everything"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve agents and operators.
    Serve {
        #[command(flatten)]
        settings: Settings,
        /// Where agents connect (UDP).
        #[arg(long, value_name = "ADDRESS")]
        quic: Option<SocketAddr>,
        /// Where operators connect (TCP).
        #[arg(long, value_name = "ADDRESS")]
        http: Option<SocketAddr>,
        /// Start although the journal is dated later than this machine's clock: the clock is right.
        #[arg(long)]
        accept_clock: bool,
    },
    /// Make an installation; prints the first administrator's token, once.
    Init {
        #[command(flatten)]
        settings: Settings,
    },
    /// Make another token of an administrator while the coordinator does not run; prints it, once.
    Administrator {
        #[command(flatten)]
        settings: Settings,
        /// The token's name.
        #[arg(long, value_name = "NAME")]
        name: String,
    },
    /// Say whether the configuration is right.
    CheckConfig {
        #[command(flatten)]
        settings: Settings,
    },
    /// Read the whole journal and say where it was changed, if it was.
    Verify {
        #[command(flatten)]
        settings: Settings,
        /// A record and its hash that a witness outside kept, as RECORD:HASH.
        #[arg(long, value_name = "RECORD:HASH", value_parser = witness)]
        witness: Option<(u64, Digest)>,
    },
}

#[derive(Args)]
struct Settings {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

impl Settings {
    fn load(self, quic: Option<SocketAddr>, http: Option<SocketAddr>) -> anyhow::Result<Configuration> {
        Configuration::load(self.config.as_deref(), Overrides { data: self.data, quic, http })
    }
}

fn witness(text: &str) -> Result<(u64, Digest), String> {
    let (record, hash) = text.split_once(':').ok_or("a witness is written RECORD:HASH")?;
    let record = record.parse().map_err(|_| format!("`{record}` is no record's number"))?;
    let hash = hash.parse().map_err(|why: windlass_protocol::digest::NotADigest| why.to_string())?;
    Ok((record, hash))
}

fn main() -> ExitCode {
    windlass_trust::install_provider();
    // Our own crates alone: what libraries say of a peer's mistakes, a stranger could fill the log with.
    let filter = tracing_subscriber::EnvFilter::try_from_env("WINDLASS_LOG")
        .unwrap_or_else(|_| "off,windlass=info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let command = match windlass_sentences::parse::<Arguments>() {
        Ok(arguments) => arguments.command,
        Err(code) => return code,
    };
    run(command).map_or_else(|why| windlass_sentences::end(&why), |()| ExitCode::SUCCESS)
}

/// Prints a token, the only time that anybody sees it.
fn print_token(data: &Path, token: &str) -> anyhow::Result<()> {
    let lost = || {
        format!(
            "the token could not be printed; make another one with `windlass-coordinator administrator --data {} \
             --name NAME`",
            data.display()
        )
    };
    print_whole(&format!("{token}\n")).with_context(lost)
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve { settings, quic, http, accept_clock } => {
            let configuration = Configuration { accept_clock, ..settings.load(quic, http)? };
            windlass_coordinator::allocator::give_back();
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            let served = runtime.block_on(serve::serve(configuration));
            // Threads that still read or unpack for somebody are not waited for: nothing of theirs was acknowledged.
            runtime.shutdown_timeout(STRAGGLERS);
            served?;
        }
        Command::Init { settings } => {
            let data = settings.load(None, None)?.data;
            let token = installation::init(&data)?;
            print_token(&data, &token)?;
        }
        Command::Administrator { settings, name } => {
            let data = settings.load(None, None)?.data;
            let token = installation::administrator(&data, &name)?;
            print_token(&data, &token)?;
        }
        Command::CheckConfig { settings } => {
            let configuration = settings.load(None, None)?;
            let Configuration { data, quic, http, .. } = configuration;
            print(&format!("data {}\nquic {quic}\nhttp {http}\n", data.display()))?;
        }
        Command::Verify { settings, witness } => {
            let data = settings.load(None, None)?.data;
            data_folder::expect(&data)?;
            let verified = journal::verify(&data, witness)?;
            let (records, head) = (verified.records, verified.head);
            print(&format!("the journal is whole: {records} records, head {head}\n"))?;
        }
    }
    Ok(())
}
