//! Quoted values, given to the real shells.

#![allow(clippy::disallowed_types, reason = "only a process can show what a shell makes of a text")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use windlass_templates::Shell;

/// The program for a shell, and a script that prints values, each with a NUL after it.
fn script(shell: Shell, values: &[String]) -> (&'static str, String) {
    let quoted = values.iter().map(|value| shell.quoted(value));
    match shell {
        Shell::Bash => ("bash", quoted.map(|value| format!("printf '%s\\0' {value}\n")).collect()),
        Shell::Sh => ("sh", quoted.map(|value| format!("printf '%s\\0' {value}\n")).collect()),
        Shell::Python => {
            let lines = quoted.map(|value| format!("sys.stdout.buffer.write({value}.encode() + bytes(1))\n"));
            ("python3", format!("import sys\n{}", lines.collect::<String>()))
        }
        Shell::Pwsh => panic!("PowerShell is not among the machines that run these tests"),
    }
}

/// What the shell prints for `values` when it reads them, quoted, as its script.
fn printed(shell: Shell, values: &[String]) -> Vec<String> {
    let (program, script) = script(shell, values);
    let mut child = Command::new(program)
        .args(if shell == Shell::Python { &["-"][..] } else { &["-s"] })
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} has to be installed: {error}"));
    let mut input = child.stdin.take().expect("it is piped");
    let writer = std::thread::scope(|scope| {
        let writing = scope.spawn(move || input.write_all(script.as_bytes()));
        let output = child.wait_with_output().expect("it ends");
        (writing.join().expect("it does not panic"), output)
    });
    let (written, output) = writer;
    written.expect("the shell reads all of its script");
    assert!(output.status.success(), "{program}: {}", output.status);
    let text = String::from_utf8(output.stdout).expect("what came in as text goes out as text");
    text.split_terminator('\0').map(str::to_owned).collect()
}

const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Sh, Shell::Python];

#[test]
fn hostile_values_arrive_as_they_are() {
    let hostile = [
        "",
        "'",
        "''",
        "\"",
        "\\",
        "\\'",
        "'\\''",
        "a\nb\n",
        "\r\n",
        "\t",
        "$(touch /tmp/no)",
        "`id`",
        "${HOME}$HOME$$",
        "!!",
        "; exit 1",
        "' ; exit 1 ; '",
        "\\'; import os; os._exit(1) #",
        "'''\"\"\"",
        "{0}%s%%\\x41\\u0041",
        "-n",
        "~root",
        "* ? [a]",
        "日本語 😀 ü \u{2018}\u{2019}\u{2028}",
        "\u{1b}[31m\u{7}\u{7f}\u{85}",
        "#{Foo}",
        "\u{feff}",
    ]
    .map(str::to_owned);
    for shell in SHELLS {
        assert_eq!(printed(shell, &hostile), hostile, "{shell:?}");
    }
}

#[test]
fn nul_is_left_out() {
    for shell in SHELLS {
        assert_eq!(printed(shell, &["a\0'\0b".to_owned()]), ["a'b"], "{shell:?}");
    }
}

#[test]
fn any_values_arrive_as_they_are() {
    let any = prop_oneof!["\\PC*", "(?s).{0,20}", "['\"\\\\$`\n\r#{} a]{0,12}"];
    let values = proptest::collection::vec(any.prop_map(|text: String| text.replace('\0', "")), 50);
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(8) });
    let arrived = runner.run(&values, |values| {
        for shell in SHELLS {
            prop_assert_eq!(&printed(shell, &values), &values, "{:?}", shell);
        }
        Ok(())
    });
    assert_eq!(arrived, Ok(()));
}
