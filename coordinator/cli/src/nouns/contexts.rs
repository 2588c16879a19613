//! `login`, and contexts.

use clap::{Args, Subcommand};
use serde::Serialize;
use windlass_api::answers::{Page, TokenRole, Whoami};
use windlass_api::error::Problem;

use crate::client::{Client, Contexts, StoredContext, Target, read_token};
use crate::failure::Failure;
use crate::options::Common;
use crate::output::{Output, yes_or_no};

/// Keep a coordinator's address and a token as a context.
#[derive(Debug, Args)]
pub struct Login {
    /// The context's name; there may be several
    #[arg(long, default_value = "default", value_name = "NAME")]
    pub name: String,
}

impl Login {
    /// Asks the coordinator who the token is, and keeps both if it knows.
    pub async fn run(self, common: &Common, output: Output) -> Result<(), Failure> {
        let server = common.server.clone().ok_or_else(|| Failure::usage("say where: --server URL"))?;
        let file = common.token_file.as_ref();
        let file =
            file.ok_or_else(|| Failure::usage("say who: --token-file FILE, or - for standard input"))?;
        let token = read_token(file)?;
        let context = StoredContext {
            server: server.clone(),
            token: token.reveal().to_owned(),
            space: common.space.clone(),
        };
        let target = Target { server, token, space: common.space.clone(), authorities: common.ca.clone() };
        let client = Client::new(target)?;
        let whoami: Whoami = client.get(&["whoami"], &[]).await?;
        let path = Contexts::file()?;
        let mut contexts = Contexts::read(&path)?;
        contexts.contexts.insert(self.name.clone(), context);
        contexts.current = Some(self.name.clone());
        contexts.write(&path)?;
        output.show(&whoami, |whoami| {
            format!(
                "logged in to {} as `{}` ({}); the context is `{}`",
                client.server(),
                whoami.token,
                whoami.role.map_or("nothing", TokenRole::word),
                self.name
            )
        })
    }
}

/// What to do with contexts.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List the contexts
    #[command(alias = "get")]
    List,
    /// Use another context from now on
    Use {
        /// Its name
        name: String,
    },
}

#[derive(Serialize)]
struct Item {
    name: String,
    server: String,
    space: Option<String>,
    current: bool,
}

impl Verb {
    /// Does it.
    pub fn run(self, output: Output) -> Result<(), Failure> {
        let path = Contexts::file()?;
        let mut contexts = Contexts::read(&path)?;
        match self {
            Self::List => {
                let item = |(name, context): (&String, &StoredContext)| Item {
                    name: name.clone(),
                    server: context.server.clone(),
                    space: context.space.clone(),
                    current: contexts.current.as_ref() == Some(name),
                };
                let items = contexts.contexts.iter().map(item).collect();
                output.page(
                    &Page { items, next: None },
                    &["name", "server", "space", "in use"],
                    |item: &Item| {
                        let space = item.space.clone().unwrap_or_default();
                        vec![item.name.clone(), item.server.clone(), space, yes_or_no(item.current)]
                    },
                )
            }
            Self::Use { name } => {
                if contexts.named(Some(&name))?.is_none() {
                    return Err(Problem::not_found(format!("there is no context `{name}`")).into());
                }
                contexts.current = Some(name.clone());
                contexts.write(&path)?;
                output.done(&format!("the context is `{name}` now"))
            }
        }
    }
}
