//! Options that commands have in common.

use std::path::PathBuf;

use clap::Args;

use crate::output::Format;

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
