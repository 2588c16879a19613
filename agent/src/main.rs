//! `windlass-agent`: enrols a machine, runs, and says how it stands.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use windlass_agent::configuration::Configuration;
use windlass_agent::{agent, enrol, status, supervisor};
use windlass_protocol::Digest;
use windlass_protocol::message::Isolation;
use windlass_sentences::{Fault, print};

/// Bytes of a token's file: a token has 116.
const TOKEN_BYTES: u64 = 4096;

#[derive(Parser)]
#[command(name = "windlass-agent", version, about = "Pulls what this machine is authorised for, and runs it")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the agent.
    Run {
        #[command(flatten)]
        settings: Settings,
    },
    /// Make this machine a target, with a one-time token.
    #[command(alias = "enroll")]
    Enrol {
        #[command(flatten)]
        settings: Settings,
        /// The coordinator; the configuration's where it is left out.
        #[arg(long, value_name = "HOST:PORT")]
        coordinator: Option<String>,
        /// The token; read from --token-file or WINDLASS_ENROLMENT_TOKEN where it is left out.
        #[arg(long, value_name = "TOKEN", env = "WINDLASS_ENROLMENT_TOKEN", hide_env_values = true)]
        token: Option<String>,
        /// A file with the token; `-` for standard input.
        #[arg(long, value_name = "FILE", conflicts_with = "token")]
        token_file: Option<PathBuf>,
        /// The fingerprint of the coordinator's CA, to compare with the token's.
        #[arg(long, value_name = "SHA256")]
        fingerprint: Option<Digest>,
        /// The target's name; this machine's host name where it is left out.
        #[arg(long)]
        name: Option<String>,
    },
    /// Say what the agent is connected to, what it may receive, and what it last did.
    Status {
        #[command(flatten)]
        settings: Settings,
    },
    /// Say whether the configuration is right.
    CheckConfig {
        #[command(flatten)]
        settings: Settings,
    },
    /// Supervise one step; started by the agent itself.
    #[command(hide = true)]
    Supervise {
        /// The step's folder.
        folder: PathBuf,
    },
}

#[derive(Args)]
struct Settings {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Settings {
    fn load(&self) -> anyhow::Result<Configuration> {
        Configuration::load(self.config.as_deref())
    }
}

pub(crate) fn main() -> ExitCode {
    let command = match windlass_sentences::parse::<Arguments>() {
        Ok(arguments) => arguments.command,
        Err(code) => return code,
    };
    // A supervisor has one thread and nothing that it does not need.
    if let Command::Supervise { folder } = &command {
        return if supervisor::supervise(folder).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    // Keys, tokens and the variables of steps are in its memory.
    if let Err(why) = windlass_supervisor::hide_memory() {
        return windlass_sentences::end(
            &anyhow::Error::from(why).context("cannot hide this process's memory"),
        );
    }
    windlass_trust::install_provider();
    // Our own crates alone: what libraries say of a peer's mistakes, a stranger could fill the log with.
    let filter = tracing_subscriber::EnvFilter::try_from_env("WINDLASS_LOG")
        .unwrap_or_else(|_| "off,windlass=info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => return windlass_sentences::end(&anyhow::Error::from(why).context("cannot start")),
    };
    let result = runtime.block_on(run(command));
    // Blocking work that nobody waits for any more must not hold the process.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => windlass_sentences::end(&why),
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Run { settings } => agent::run(settings.load()?, told_to_stop()).await,
        Command::Enrol { settings, coordinator, token, token_file, fingerprint, name } => {
            let configuration = settings.load()?;
            let coordinator = coordinator.or_else(|| configuration.coordinator.clone());
            let coordinator = coordinator
                .ok_or_else(|| Fault::usage("say which coordinator with --coordinator HOST:PORT"))?;
            let token = read_token(token, token_file)?;
            let name = enrol::enrol(&configuration, &coordinator, &token, fingerprint, name).await?;
            Ok(print(&format!("enrolled as {name}\n"))?)
        }
        Command::Status { settings } => {
            let configuration = settings.load()?;
            let status = status::read(&configuration.state_root)?;
            Ok(print(&status.in_words(status::is_running(&configuration.state_root)?))?)
        }
        Command::CheckConfig { settings } => {
            let configuration = settings.load()?;
            configuration.check_machine(settings.config.as_deref())?;
            let isolation = match configuration.isolation {
                Isolation::Accounts => "an account of its own for each tenant",
                Isolation::SingleTenant => "serves one tenant only, because only root can switch users",
                Isolation::None => "none",
            };
            let coordinator = configuration.coordinator.as_deref().unwrap_or("as enrolled");
            let said =
                format!("the configuration is right\ncoordinator: {coordinator}\nisolation: {isolation}\n");
            Ok(print(&said)?)
        }
        Command::Supervise { .. } => Ok(()),
    }
}

fn read_token(token: Option<String>, file: Option<PathBuf>) -> anyhow::Result<String> {
    match (token, file) {
        (Some(token), _) => Ok(token),
        (None, Some(path)) if path.as_os_str() == "-" => {
            std::io::read_to_string(std::io::stdin()).context("cannot read the token from standard input")
        }
        (None, Some(path)) => Ok(windlass_sentences::read_text("the token from", &path, TOKEN_BYTES)?),
        (None, None) => {
            let sentence = "an enrolment needs a token: --token, --token-file or WINDLASS_ENROLMENT_TOKEN";
            Err(Fault::usage(sentence).into())
        }
    }
}

/// Ends when a signal asks for it. Steps go on under their supervisors.
async fn told_to_stop() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
