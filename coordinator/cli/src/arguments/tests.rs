//! The command line as scripts and people write it.

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use super::Arguments;

fn parse(line: &str) -> Result<Arguments, clap::Error> {
    let words = line.split_whitespace().map(|word| word.replace('+', " "));
    Arguments::try_parse_from(std::iter::once("windlass".to_owned()).chain(words))
}

#[test]
fn the_command_line_contradicts_itself_nowhere() {
    Arguments::command().debug_assert();
}

#[test]
fn what_the_surface_promises_is_understood() {
    let lines = [
        "login --server https://x --token-file -",
        "login --server https://x --token-file token --name work",
        "context list",
        "context use work",
        "apply -f sample.yaml",
        "apply -f a.yaml -f folder -f - --dry-run",
        "export",
        "export tenant",
        "export tenant Customer-2 -o json",
        "environment list -o yaml",
        "tag-set view Hosting",
        "lifecycle delete Default",
        "library-set get",
        "project describe Synergy",
        "tenant list --filter cust --limit 5 --after x",
        "tenant create Customer-4 --tag Hosting/Shared+1 --connect Synergy:Production",
        "tenant connect Customer-2 --project Synergy --environment Testing --environment Staging",
        "tenant disconnect Customer-2 --project Synergy",
        "tenant enable Customer-2",
        "tenant disable Customer-2",
        "tenant tag Customer-2 --add Ring/Early --remove Ring/Pinned",
        "tenant missing",
        "tenant missing Customer-2",
        "target list -o json",
        "target view shared-1",
        "target scope shared-1 --role web --environment Production --tenant-tag Hosting/Shared+1 --participation both",
        "target scope shared-1 --clear tenants",
        "target enable shared-1",
        "target disable shared-1",
        "target revoke shared-1",
        "target delete shared-1",
        "enrolment create --environment E --role R --tenant T --tenant-tag S/T --participation both --uses 2 --ttl 1h --name N",
        "enroll create --target shared-1",
        "enrolment list",
        "enrolment delete web-1",
        "enroll delete enrolment-01",
        "token create --name ci --role auditor --ttl 30d",
        "token list",
        "token delete ci",
        "package upload a.zip b.zip",
        "package upload a.bin --id web --version 1.0",
        "package list",
        "package view web 1.0",
        "package view web",
        "release create --project P --version 1.0 --package Website:1.4.0 --package Other=2.0 --notes-file F",
        "release list --project P",
        "release view --project P --version 1.0",
        "release deploy --project P --version latest --environment E --tenant T --tenant-tag S/T --target M --exclude-target N --skip S --plan --expect sha256:0000000000000000000000000000000000000000000000000000000000000000",
        "release deploy --project P --version 1 --environment E --environment F --wait --reason because",
        "deployment list --project P --environment E --tenant T --state open",
        "deployment view deployment-1",
        "deployment logs deployment-1 --follow --step S --target M",
        "deployment cancel deployment-1 --reason wrong",
        "variable inspect --project P --environment E --tenant T --target M --step S",
        "explain target M --project P --environment E --tenant T",
        "explain tenant T --project P --version V --environment E",
        "explain deployment D",
        "audit list --event target-enrolled --about shared-1",
        "audit follow",
        "audit verify --record 5 --hash 00",
        "audit who-can --tenant T --secret N",
        "audit what-can M",
        "audit pulled --target M",
        "dev --once",
        "completions fish",
        "man folder",
        "--server https://x --space Default --context work target list",
        "target list --server https://x --token-file t --space Default",
    ];
    for line in lines {
        if let Err(why) = parse(line) {
            panic!("{line}: {why}");
        }
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let cases = [
        ("", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
        ("tennant list", ErrorKind::InvalidSubcommand),
        ("apply", ErrorKind::MissingRequiredArgument),
        ("target list -o xml", ErrorKind::InvalidValue),
        ("tenant tag Customer-2", ErrorKind::MissingRequiredArgument),
        ("tenant create X --connect Synergy", ErrorKind::ValueValidation),
        ("enrolment create --ttl 1w", ErrorKind::ValueValidation),
        ("enrolment create --target shared-1 --role web", ErrorKind::ArgumentConflict),
        ("release deploy --project P --version 1", ErrorKind::MissingRequiredArgument),
        ("release deploy --project P --version 1 --environment E --plan --wait", ErrorKind::ArgumentConflict),
        ("token create --name a --role king", ErrorKind::InvalidValue),
        ("audit verify --record 5", ErrorKind::MissingRequiredArgument),
        ("login --token wlt_abc", ErrorKind::UnknownArgument),
    ];
    for (line, expected) in cases {
        let found = parse(line).err().map(|why| why.kind());
        assert_eq!(found, Some(expected), "{line}");
    }
}

#[test]
fn no_option_takes_a_secret() {
    fn check(command: &clap::Command) {
        for argument in command.get_arguments() {
            let name = argument.get_long().unwrap_or_default();
            assert!(!matches!(name, "token" | "password"), "--{name} of {}", command.get_name());
            assert_ne!(
                argument.get_env().and_then(|name| name.to_str()),
                Some("WINDLASS_TOKEN"),
                "help shows values"
            );
        }
        command.get_subcommands().for_each(check);
    }
    check(&Arguments::command());
}
