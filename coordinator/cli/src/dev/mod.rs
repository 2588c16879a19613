//! `windlass dev`: a whole installation on loopback, and the story of the sample played through it.
//!
//! Everything is real: the programs beside this one as processes of their own, QUIC and HTTPS over loopback, keys made
//! by each agent, one-time tokens, package files. Every step is a `windlass` command that is printed before it runs,
//! so that a newcomer sees what to type.

mod checks;
mod console;
mod fleet;
mod packages;
mod programs;
mod story;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};

use fleet::Fleet;
use programs::Installation;

/// Try Windlass: a coordinator, five agents and a sample, on this machine only.
#[derive(Debug, Clone, clap::Args)]
pub struct DevArguments {
    /// Stop after the story; exit 0 only if every check held.
    #[arg(long)]
    once: bool,
    /// Where everything is put; a temporary folder that is removed at the end where it is left out.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Grant a target to one more tenant, as an operator's mistake would, and see what the checks say.
    #[arg(long, value_name = "TARGET=TENANT")]
    grant: Vec<String>,
}

/// Plays the story, then stays up or ends.
pub fn dev(arguments: &DevArguments) -> anyhow::Result<ExitCode> {
    let (folder, _temporary) = match &arguments.data {
        Some(folder) => {
            let taken = folder.join("coordinator").try_exists();
            if taken.with_context(|| format!("cannot look into {}", folder.display()))? {
                bail!("{} is in use already; name a folder that does not exist yet", folder.display());
            }
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            (folder.canonicalize()?, None)
        }
        None => {
            let temporary = tempfile::Builder::new().prefix("windlass-dev-").tempdir()?;
            (temporary.path().to_owned(), Some(temporary))
        }
    };
    let installation = Installation::start(&folder)?;
    let mut fleet = Fleet::new(&folder, &arguments.grant)?;
    let outcome = story::play(&installation, &mut fleet);
    let held = match &outcome {
        Ok(held) => *held,
        Err(why) => {
            windlass_sentences::end(why);
            false
        }
    };
    if !arguments.once && outcome.is_ok() {
        console::say(&format!(
            "\nIt stays up. In another terminal:\n\n  export WINDLASS_SERVER={} WINDLASS_TOKEN={}\n  windlass target list\n\n\
             Ctrl-C ends it.",
            installation.server(),
            installation.token()
        ));
        programs::wait_for_interrupt()?;
    }
    fleet.stop();
    installation.stop();
    fleet.remove_accounts();
    if !held {
        console::say("dev: failed");
        return Ok(ExitCode::FAILURE);
    }
    console::say("dev: ok");
    Ok(ExitCode::SUCCESS)
}
