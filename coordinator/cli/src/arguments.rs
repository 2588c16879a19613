//! The command line: what all commands have in common, and the nouns.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::nouns::{
    apply, audit, contexts, definitions, deployment, enrolment, explain, export, package, release, shell,
    target, tenant, token, variable,
};
use crate::output::Format;

/// Pull-based, multi-tenant deployments: the operators' command.
#[derive(Debug, Parser)]
#[command(name = "windlass", version, disable_help_subcommand = true)]
pub struct Arguments {
    /// What all commands have in common.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub noun: Noun,
}

/// What all commands have in common.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// How answers are printed
    #[arg(short, long, value_enum, default_value_t, global = true, value_name = "FORMAT")]
    pub output: Format,
    /// The coordinator's address; wins over the context
    #[arg(long, env = "WINDLASS_SERVER", global = true, value_name = "URL")]
    pub server: Option<String>,
    /// The file that holds the token, or `-` for standard input; wins over `WINDLASS_TOKEN` and the context
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The space, by name, slug or id; the first one where nobody says
    #[arg(long, env = "WINDLASS_SPACE", global = true, value_name = "SPACE")]
    pub space: Option<String>,
    /// The context, instead of the one in use
    #[arg(long, env = "WINDLASS_CONTEXT", global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Certificates (PEM) to trust instead of the authority that the token names
    #[arg(long, env = "WINDLASS_CA", global = true, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

/// What there is to do things with.
#[derive(Debug, Subcommand)]
pub enum Noun {
    /// Keep a coordinator's address and a token as a context
    Login(contexts::Login),
    /// Contexts: which coordinator, as whom
    #[command(subcommand)]
    Context(contexts::Verb),
    /// Apply files: all of it, or nothing
    Apply(apply::Apply),
    /// Write everything, one kind or one thing as `apply` reads it
    Export(export::Export),
    /// Environments
    #[command(subcommand)]
    Environment(definitions::Verb),
    /// Tag sets
    #[command(subcommand)]
    TagSet(definitions::Verb),
    /// Lifecycles
    #[command(subcommand)]
    Lifecycle(definitions::Verb),
    /// Library sets
    #[command(subcommand)]
    LibrarySet(definitions::Verb),
    /// Projects
    #[command(subcommand)]
    Project(definitions::Verb),
    /// Tenants
    #[command(subcommand)]
    Tenant(tenant::Verb),
    /// Targets: machines with an agent
    #[command(subcommand)]
    Target(target::Verb),
    /// Enrolment tokens: how machines become targets
    #[command(subcommand, aliases = ["enrol", "enroll", "enrollment"])]
    Enrolment(enrolment::Verb),
    /// Tokens of the API
    #[command(subcommand)]
    Token(token::Verb),
    /// Packages
    #[command(subcommand)]
    Package(package::Verb),
    /// Releases: make them, and deploy them
    #[command(subcommand)]
    Release(release::Verb),
    /// Deployments
    #[command(subcommand)]
    Deployment(deployment::Verb),
    /// Variables: which value wins where, and why
    #[command(subcommand)]
    Variable(variable::Verb),
    /// Why something is as it is
    #[command(subcommand)]
    Explain(explain::Verb),
    /// The record: what happened, and who could read what
    #[command(subcommand)]
    Audit(audit::Verb),
    /// Try Windlass: a coordinator, five agents and a sample, on this machine only
    Dev(crate::dev::DevArguments),
    /// Write completions for a shell
    Completions(shell::Completions),
    /// Write man pages into a folder
    Man(shell::Man),
}

/// Which part of a list.
#[derive(Debug, Clone, Default, Args)]
pub struct Part {
    /// Only those with this text in a name
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Items at most (100 where it is left out, 1000 at most)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), allow_negative_numbers = true)]
    pub limit: Option<u32>,
    /// Go on after this item
    #[arg(long, value_name = "ITEM")]
    pub after: Option<String>,
}

impl Part {
    /// The parameters of the API.
    pub fn query(&self) -> Vec<(&'static str, Option<String>)> {
        let limit = self.limit.map(|limit| limit.to_string());
        vec![("filter", self.filter.clone()), ("limit", limit), ("after", self.after.clone())]
    }
}

#[cfg(test)]
mod tests;
