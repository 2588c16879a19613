//! A coordinator to talk to: where, as whom, and how what it says is printed.

use std::path::PathBuf;

use windlass_protocol::Secret;

use crate::client::{Client, Contexts, Target, checked_token, read_token};
use crate::failure::Failure;
use crate::options::Common;
use crate::output::Output;

/// A coordinator to talk to, and how to print what it says.
pub struct Session {
    /// The coordinator.
    pub client: Client,
    pub output: Output,
}

impl Session {
    /// Where to connect and as whom: options, then environment variables, then the context.
    pub fn open(common: &Common) -> Result<Self, Failure> {
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
        Ok(Self { client: Client::new(target)?, output: Output { format: common.output } })
    }
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
