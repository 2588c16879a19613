//! The tables below `golden/bad-input`: what is typed, and how the programs answer it. People review them.
//!
//! ```text
//! # a heading, or why
//! > a-file.yaml          the next lines are a file's content
//! | kind: environment
//! ! mkdir a-folder       a preparation, which has to succeed
//! $ windlass apply …     the command, as a shell reads it
//! => 2 error: …          its exit code, and all that it says on standard error
//! ```

use std::path::{Path, PathBuf};
use std::process::Output;

use super::scene::Scene;

/// Set to `write`, the sentences of the tables are written anew. Exit codes never are: they are what is asked for.
const VARIABLE: &str = "WINDLASS_GOLDEN";

/// The tables, in the order in which they are run.
const TABLES: [&str; 8] =
    ["commands", "documents", "files", "packages", "connection", "agent", "coordinator", "output"];

/// Runs every table, and returns all that was typed.
pub fn run_all(scene: &Scene) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/bad-input");
    let (mut typed, mut faults) = (Vec::new(), Vec::new());
    for name in TABLES {
        let path = folder.join(name).with_extension("txt");
        let text = std::fs::read_to_string(&path).expect("the table is there");
        let mut run = Run { scene, rows: Vec::new(), said: Vec::new(), faults: Vec::new(), file: None };
        text.lines().for_each(|line| run.line(line));
        let now = run.said.join("\n") + "\n";
        typed.append(&mut run.rows);
        faults.extend(run.faults.into_iter().map(|fault| format!("{name}: {fault}")));
        if std::env::var(VARIABLE).is_ok_and(|value| value == "write") {
            std::fs::write(&path, now).expect("the table can be written");
        } else {
            faults.extend(differences(name, &text, &now));
        }
    }
    assert!(faults.is_empty(), "{}\n(review, then run again with {VARIABLE}=write)", faults.join("\n"));
    typed
}

fn differences(name: &str, before: &str, now: &str) -> Vec<String> {
    let pairs = before.lines().zip(now.lines()).filter(|(before, now)| before != now);
    pairs.map(|(before, now)| format!("{name}:\n  expected {before}\n  found    {now}")).collect()
}

/// One table being run.
struct Run<'a> {
    scene: &'a Scene,
    rows: Vec<String>,
    said: Vec<String>,
    faults: Vec<String>,
    file: Option<(PathBuf, String)>,
}

impl Run<'_> {
    fn line(&mut self, line: &str) {
        if let Some(content) = line.strip_prefix('|') {
            let (_, text) = self.file.as_mut().expect("content follows the name of its file");
            text.push_str(content.strip_prefix(' ').unwrap_or(content));
            text.push('\n');
        } else if let Some((path, text)) = self.file.take() {
            std::fs::write(path, text).expect("the scratch folder can be written to");
        }
        if let Some(name) = line.strip_prefix("> ") {
            self.file = Some((self.scene.folder.join(name), String::new()));
        } else if let Some(preparation) = line.strip_prefix("! ") {
            let output = self.scene.shell(preparation);
            assert!(output.status.success(), "{preparation}: {output:?}");
        } else if let Some(command) = line.strip_prefix("$ ") {
            self.rows.push(command.to_owned());
        }
        match line.strip_prefix("=> ") {
            Some(expected) => self.row(expected),
            None => self.said.push(line.to_owned()),
        }
    }

    fn row(&mut self, expected: &str) {
        let code: i32 = expected.split(' ').next().and_then(|code| code.parse().ok()).expect("a code");
        let command = self.rows.last().expect("a command stands before what it says").clone();
        let output = self.scene.shell(&command);
        let said = self.scene.normalised(&String::from_utf8_lossy(&output.stderr));
        if output.status.code() != Some(code) {
            self.faults.push(format!("`{command}` ends with {}, not {code}: {said}", output.status));
        }
        if let Some(fault) = bad_form(&output, said.trim_end()) {
            self.faults.push(format!("`{command}` {fault}: {said}"));
        }
        self.said.push(format!("=> {code} {}", said.trim_end().replace('\n', "\\n")));
    }
}

/// What no answer to bad input may look like.
fn bad_form(output: &Output, said: &str) -> Option<&'static str> {
    let whole = String::from_utf8_lossy(&output.stdout).into_owned() + said;
    let is_help = said.contains("\nUsage: ");
    if !is_help && !said.starts_with("error: ") {
        return Some("does not say what is wrong");
    }
    if !is_help && said.lines().count() != 1 {
        return Some("says more than one sentence");
    }
    if ["panicked", "os error", "Err(", "Some(", "Error {", " { ", "\u{1b}", "RUST_BACKTRACE"]
        .iter()
        .any(|jargon| whole.contains(jargon))
    {
        return Some("speaks to programmers");
    }
    if ["wlt_", "wle_"].iter().any(|prefix| whole.split(prefix).skip(1).any(is_token)) {
        return Some("prints a token");
    }
    None
}

fn is_token(rest: &str) -> bool {
    rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')).count() > 20
}
