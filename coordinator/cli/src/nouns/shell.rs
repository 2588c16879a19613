//! What comes with the command: completions and man pages.

use std::path::PathBuf;

use clap::{Args, Command, ValueEnum};

use crate::failure::Failure;
use crate::output::{Format, Output};

/// Write completions for a shell, to be sourced or put where the shell looks for them.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: ShellName,
}

/// A shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShellName {
    Bash,
    Zsh,
    Fish,
}

impl Completions {
    /// Writes those of this command to standard output.
    pub fn run(&self, mut command: Command) -> Result<(), Failure> {
        let mut text = Vec::new();
        let shell = match self.shell {
            ShellName::Bash => clap_complete::Shell::Bash,
            ShellName::Zsh => clap_complete::Shell::Zsh,
            ShellName::Fish => clap_complete::Shell::Fish,
        };
        clap_complete::generate(shell, &mut command, "windlass", &mut text);
        Output { format: Format::Table }.text(&String::from_utf8_lossy(&text))
    }
}

/// Write man pages into a folder, one for each command.
#[derive(Debug, Args)]
pub struct Man {
    /// The folder; it is made if it is missing
    pub folder: PathBuf,
}

impl Man {
    /// Writes those of this command.
    pub fn run(&self, command: Command, output: Output) -> Result<(), Failure> {
        let wrong = |why: std::io::Error| {
            Failure::failed(format!("cannot write to {}: {why}", self.folder.display()))
        };
        std::fs::create_dir_all(&self.folder).map_err(wrong)?;
        clap_mangen::generate_to(command, &self.folder).map_err(wrong)?;
        output.done(&format!("man pages are in {}", self.folder.display()))
    }
}
