//! A wrong command line, in one sentence. What clap prints has several lines: a message, a tip, a usage, a pointer.

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Parser};
use windlass_protocol::exit::ExitKind;

use windlass_protocol::names::visible;

use crate::fault::end;
use crate::fault::say;
use crate::output::printed;
use crate::system::plain_words;

/// Reads the command line. Otherwise the program ends with this: help and version were asked for, or it is told what
/// is wrong.
pub fn parse<A: Parser>() -> Result<A, ExitCode> {
    A::try_parse().map_err(|why| match why.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            printed(why.print()).map_or_else(|fault| end(&fault.into()), |()| ExitCode::SUCCESS)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = why.print();
            ExitCode::from(ExitKind::Usage.code())
        }
        _ => {
            say(&format!("error: {}", sentence(&why, &A::command())));
            ExitCode::from(ExitKind::Usage.code())
        }
    })
}

fn sentence(why: &clap::Error, program: &Command) -> String {
    let wrong = wrong(why, program).unwrap_or_else(|| first_paragraph(&why.to_string()));
    // The words of the command line are whoever's who had it typed.
    let wrong = visible(&wrong);
    match command(why) {
        // Who is told what was probably meant needs no help.
        Some(command) if !wrong.ends_with('?') => format!("{wrong}; see `{command} --help`"),
        _ => wrong.into_owned(),
    }
}

/// What is wrong, for the kinds that people meet.
fn wrong(why: &clap::Error, program: &Command) -> Option<String> {
    // The last of several suggestions is the nearest.
    let word = |kind| why.get(kind).map(words).and_then(|words| words.into_iter().next_back());
    let argument = || word(ContextKind::InvalidArg);
    let instead = |kind| word(kind).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Some(match why.kind() {
        ErrorKind::InvalidSubcommand => {
            let typed = word(ContextKind::InvalidSubcommand)?;
            let near = below(why, program, &typed).map(|near| format!("; did you mean `{near}`?"));
            let near = near.unwrap_or_else(|| instead(ContextKind::SuggestedSubcommand));
            format!("there is no command `{typed}`{near}")
        }
        ErrorKind::MissingSubcommand => "say what to do".to_owned(),
        ErrorKind::UnknownArgument => {
            let near = instead(ContextKind::SuggestedArg);
            format!("`{}` is not understood here{near}", argument()?)
        }
        ErrorKind::MissingRequiredArgument => {
            let missing = why.get(ContextKind::InvalidArg).map(words)?;
            let is = if missing.len() == 1 { "is" } else { "are" };
            let missing: Vec<_> = missing.iter().map(|name| format!("`{name}`")).collect();
            format!("{} {is} missing", missing.join(" and "))
        }
        ErrorKind::InvalidValue => {
            let value = word(ContextKind::InvalidValue).filter(|value| !value.is_empty());
            let Some(value) = value else { return Some(format!("`{}` needs a value", argument()?)) };
            let near = instead(ContextKind::SuggestedValue);
            let known = why.get(ContextKind::ValidValue).map(words).unwrap_or_default().join(", ");
            let known = if near.is_empty() { format!("; it is one of {known}") } else { near };
            format!("`{value}` is no value of `{}`{known}", argument()?)
        }
        ErrorKind::ValueValidation => {
            let value = word(ContextKind::InvalidValue)?;
            let source = std::error::Error::source(why).map(ToString::to_string)?;
            format!("`{value}` is no value of `{}`: {}", argument()?, plain_words(&source))
        }
        ErrorKind::ArgumentConflict => {
            let prior = why.get(ContextKind::PriorArg).map(words)?;
            format!("`{}` does not go together with `{}`", argument()?, prior.join("`, `"))
        }
        _ => return None,
    })
}

/// The command that is called so, of the commands of the program's commands: whoever leaves the noun out means that one,
/// and not one that is only spelled like it.
fn below(why: &clap::Error, program: &Command, typed: &str) -> Option<String> {
    if command(why).is_some_and(|command| command.contains(' ')) {
        return None;
    }
    let mut nouns = program.get_subcommands().filter(|noun| noun.find_subcommand(typed).is_some());
    match (nouns.next(), nouns.next()) {
        (Some(noun), None) => Some(format!("{} {typed}", noun.get_name())),
        _ => None,
    }
}

fn words(value: &ContextValue) -> Vec<String> {
    match value {
        ContextValue::String(word) => vec![word.clone()],
        ContextValue::Strings(words) => words.clone(),
        _ => Vec::new(),
    }
}

/// The command whose help says more: the first words of the usage.
fn command(why: &clap::Error) -> Option<String> {
    let usage = why.get(ContextKind::Usage)?.to_string();
    let usage = usage.trim_start().strip_prefix("Usage:")?;
    let words = usage.split_whitespace().take_while(|word| !word.starts_with(['-', '[', '<']));
    let command: Vec<_> = words.collect();
    (!command.is_empty()).then(|| command.join(" "))
}

fn first_paragraph(text: &str) -> String {
    let lines = text.lines().take_while(|line| !line.trim().is_empty()).map(str::trim);
    let text = lines.collect::<Vec<_>>().join(" ");
    text.strip_prefix("error: ").map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Subcommand};

    use super::*;

    #[derive(Debug, Parser)]
    #[command(name = "program")]
    enum Example {
        Make {
            #[arg(long)]
            name: String,
            #[arg(long, conflicts_with = "name")]
            count: Option<u8>,
            #[arg(long, value_parser = ["red", "green"])]
            colour: Option<String>,
        },
        #[command(subcommand)]
        Thing(Of),
        #[command(subcommand)]
        Other(Of),
        #[command(subcommand)]
        Third(OfThird),
    }

    #[derive(Debug, Subcommand)]
    enum Of {
        List,
    }

    #[derive(Debug, Subcommand)]
    enum OfThird {
        List,
        Maker,
    }

    #[test]
    fn a_wrong_command_line_is_told_in_one_sentence() {
        let cases = [
            ("mak", "there is no command `mak`; did you mean `make`?"),
            ("x", "there is no command `x`; see `program --help`"),
            // One command has it, several have it, and one that has none of it.
            ("maker", "there is no command `maker`; did you mean `third maker`?"),
            ("list", "there is no command `list`; see `program --help`"),
            ("thing maker", "there is no command `maker`; see `program thing --help`"),
            ("make", "`--name <NAME>` is missing; see `program make --help`"),
            ("make --nam a", "`--nam` is not understood here; did you mean `--name`?"),
            ("make --name", "`--name <NAME>` needs a value"),
            (
                "make --name a --count 1",
                "`--name <NAME>` does not go together with `--count <COUNT>`; see `program make --help`",
            ),
            (
                "make --name a --colour gren",
                "`gren` is no value of `--colour <COLOUR>`; did you mean `green`?",
            ),
            (
                "make --name a --colour blue",
                "`blue` is no value of `--colour <COLOUR>`; it is one of red, green",
            ),
            ("x\u{1b}\u{202e}", r"there is no command `x\u{1b}\u{202e}`; see `program --help`"),
            ("make --count x", "`x` is no value of `--count <COUNT>`: it is no whole number"),
        ];
        for (line, expected) in cases {
            let why =
                Example::try_parse_from(["program"].into_iter().chain(line.split(' '))).expect_err(line);
            assert_eq!(sentence(&why, &Example::command()), expected, "{line}");
        }
    }
}
