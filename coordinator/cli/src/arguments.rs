//! The command line: the nouns, and who does what is said of each.

use clap::{CommandFactory, Parser, Subcommand};

use crate::failure::Failure;
use crate::nouns::{
    apply, audit, contexts, definitions, deployment, enrolment, explain, export, package, release, shell,
    tag_set, target, tenant, token, variable,
};
use crate::options::Common;
use crate::output::Output;
use crate::session::Session;

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
    TagSet(tag_set::Verb),
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

impl Arguments {
    /// Does what the command line says.
    pub async fn run(self) -> Result<(), Failure> {
        let Self { common, noun } = self;
        let output = Output { format: common.output };
        match noun {
            Noun::Login(login) => return login.run(&common, output).await,
            Noun::Context(verb) => return verb.run(output),
            Noun::Completions(completions) => return completions.run(Self::command()),
            Noun::Man(man) => return man.run(Self::command(), output),
            // It is no conversation with a coordinator: the program has run it before.
            Noun::Dev(_) => return Ok(()),
            // What a file has to say is read before anybody is asked.
            Noun::Apply(apply) => {
                let documents = apply.read()?;
                return apply.run(&Session::open(&common)?, documents).await;
            }
            _ => {}
        }
        let session = Session::open(&common)?;
        match noun {
            Noun::Export(export) => export.run(&session).await,
            Noun::Environment(verb) => verb.run(&session, "environment").await,
            Noun::TagSet(verb) => verb.run(&session).await,
            Noun::Lifecycle(verb) => verb.run(&session, "lifecycle").await,
            Noun::LibrarySet(verb) => verb.run(&session, "library-set").await,
            Noun::Project(verb) => verb.run(&session, "project").await,
            Noun::Tenant(verb) => verb.run(&session).await,
            Noun::Target(verb) => verb.run(&session).await,
            Noun::Enrolment(verb) => verb.run(&session).await,
            Noun::Token(verb) => verb.run(&session).await,
            Noun::Package(verb) => verb.run(&session).await,
            Noun::Release(verb) => verb.run(&session).await,
            Noun::Deployment(verb) => verb.run(&session).await,
            Noun::Variable(verb) => verb.run(&session).await,
            Noun::Explain(verb) => verb.run(&session).await,
            Noun::Audit(verb) => verb.run(&session).await,
            Noun::Login(_)
            | Noun::Context(_)
            | Noun::Apply(_)
            | Noun::Dev(_)
            | Noun::Completions(_)
            | Noun::Man(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
