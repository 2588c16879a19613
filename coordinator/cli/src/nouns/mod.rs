//! What the command can do, one file a noun.

pub mod apply;
pub mod audit;
pub mod contexts;
pub mod definitions;
pub mod deployment;
pub mod enrolment;
pub mod explain;
pub mod export;
pub mod package;
pub mod plan;
pub mod release;
pub mod shell;
pub mod target;
pub mod tenant;
pub mod token;
pub mod variable;

use std::path::PathBuf;

use windlass_protocol::Secret;

use crate::arguments::{Arguments, Common, Noun};
use crate::client::{Client, Contexts, Target, checked_token, read_token};
use crate::failure::Failure;
use crate::output::Output;

/// A coordinator to talk to, and how to print what it says.
pub struct Session {
    /// The coordinator.
    pub client: Client,
    /// The output.
    pub output: Output,
}

/// Does what the command line says.
pub async fn run_noun(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { common, noun } = arguments;
    let output = Output { format: common.output };
    match noun {
        Noun::Login(login) => return login.run(&common, output).await,
        Noun::Context(verb) => return verb.run(output),
        Noun::Completions(completions) => return completions.run(),
        Noun::Man(man) => return man.run(output),
        // It is no conversation with a coordinator: the program has run it before.
        Noun::Dev(_) => return Ok(()),
        // What a file has to say is read before anybody is asked.
        Noun::Apply(apply) => {
            let documents = apply.read()?;
            return apply.run(&session(&common)?, documents).await;
        }
        _ => {}
    }
    let session = session(&common)?;
    match noun {
        Noun::Export(export) => export.run(&session).await,
        Noun::Environment(verb) => verb.run(&session, "environment").await,
        Noun::TagSet(verb) => verb.run(&session, "tag-set").await,
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

/// Where to connect and as whom: options, then environment variables, then the context.
fn session(common: &Common) -> Result<Session, Failure> {
    let token = given_token(common.token_file.as_ref())?;
    // Who says everything needs no context, and no home.
    let complete = common.server.is_some() && token.is_some() && common.context.is_none();
    let contexts = if complete { Contexts::default() } else { Contexts::read(&Contexts::file()?)? };
    let context = contexts.named(common.context.as_deref())?;
    let known = |what: &str| {
        Failure::usage(format!(
            "no {what} is known; use `windlass login`, or set WINDLASS_SERVER and WINDLASS_TOKEN"
        ))
    };
    let server = common.server.clone().or_else(|| context.map(|context| context.server.clone()));
    let token = match token {
        Some(token) => token,
        None => {
            let context = context.ok_or_else(|| known("token"))?;
            checked_token(&context.token, "the context's token")?
        }
    };
    let space = common.space.clone().filter(|space| !space.is_empty());
    let target = Target {
        server: server.filter(|server| !server.is_empty()).ok_or_else(|| known("server"))?,
        token,
        space: space.or_else(|| context.and_then(|context| context.space.clone())),
        authorities: common.ca.clone(),
    };
    Ok(Session { client: Client::new(target)?, output: Output { format: common.output } })
}

/// The token of `--token-file`, else that of `WINDLASS_TOKEN`.
fn given_token(file: Option<&PathBuf>) -> Result<Option<Secret>, Failure> {
    if let Some(path) = file {
        return read_token(path).map(Some);
    }
    match std::env::var("WINDLASS_TOKEN") {
        Ok(text) if !text.is_empty() => checked_token(&text, "WINDLASS_TOKEN").map(Some),
        _ => Ok(None),
    }
}

/// Two words with a colon or an equals sign between them: `STEP:VERSION`, `STEP=VERSION`.
fn pair(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once(':').or_else(|| text.split_once('='));
    match parts {
        Some((first, second)) if !first.is_empty() && !second.is_empty() => {
            Ok((first.to_owned(), second.to_owned()))
        }
        _ => Err(format!("`{text}` is one word; write two with a colon between them")),
    }
}
