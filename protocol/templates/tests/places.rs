//! Data in scripts that real shells run: wherever it is let in it arrives as it is, and nowhere does it run.

#![allow(clippy::disallowed_types, reason = "only a process can show what a shell makes of a text")]

mod variables;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use variables::Variables;
use windlass_templates::{Kind, Render, Rendered, Shell, Template};

/// Values that run `touch x` or end what they stand in, if they are taken for code anywhere.
const HOSTILE: [&str; 17] = [
    "$(touch x)",
    "`touch x`",
    "'; touch x; '",
    "\"; touch x; \"",
    "'\"; touch x; #",
    "a\nEOF\ntouch x\n",
    "\ntouch x\n",
    "touch x",
    "a[$(touch x)]",
    "x; touch x #",
    "\\",
    "\\'; touch x #",
    "}; touch x; {",
    ")); touch x; ((",
    "''' + open('x', 'w').name + '''",
    "\"\"\" + open('x', 'w').name + \"\"\"",
    "{open('x', 'w').name}",
];

/// Scripts with a hole: `@` is where something is inserted.
const POSIX: [&str; 50] = [
    "printf '%s\\0' @",
    "x=@; printf '%s\\0' \"$x\"",
    "x=\"$(printf '%s.' @)\"; printf '%s\\0' \"${x%.}\"",
    "for x in @; do printf '%s\\0' \"$x\"; done",
    "if [ @ = a ]; then :; fi; printf '%s\\0' @",
    "cat <<EOF >/dev/null\n'\"\nEOF\nprintf '%s\\0' @",
    "f() { printf '%s\\0' @\n}\nf",
    "export X=@; printf '%s\\0' \"$X\"",
    "echo a/@/b --name=@",
    "case @ in a) : ;; esac",
    "echo \"hello @\"",
    "echo \"hello '@'\"",
    "echo 'hello @'",
    "echo $'hello @'",
    "echo \\@",
    "echo $@",
    "echo \"\\@\"",
    "echo hello # @",
    "# @\necho",
    ": 'it''s' # it's @\necho",
    "cat <<EOF\n@\nEOF",
    "cat <<EOF\n\"@\"\nEOF",
    "cat <<'EOF'\n@\nEOF",
    "cat <<-EOF\n\t'@'\n\tEOF",
    "cat <<@\nx\n@\n",
    "echo `echo @`",
    "echo `echo \"@\"`",
    "echo \"`echo '@'`\"",
    "echo $(( @ ))",
    "echo $(( 1 + '@' ))",
    "echo ${x:-@}",
    "echo \"${x:-@}\"",
    "echo ${x#@}",
    "@",
    "@ a b",
    "y=1 @",
    "true && @",
    "$(@)",
    "eval @",
    "eval \"echo @\"",
    "eval 'echo @'",
    "sh -c 'echo @'",
    "trap @ EXIT",
    "trap \"echo @\" EXIT",
    "alias y=@",
    ". @",
    "unset @",
    "read @ <<EOF\na\nEOF",
    "export @",
    "printf '%s\\n' \"a\" 'b'@'c'",
];

/// The same, of what only bash has.
const BASH: [&str; 22] = [
    "printf '%s\\0' @ <<< @",
    "x=(a @); printf '%s\\0' \"${x[1]}\"",
    "cat <(printf '%s\\0' @)",
    "(( @ ))",
    "(( x = @ )); echo",
    "let @",
    "let \"x = @\"",
    "for ((i = @; i < 1; i++)); do :; done",
    "[[ @ -eq 1 ]]",
    "[[ \"@\" -eq 1 ]]",
    "[[ -v @ ]]",
    "[ -v @ ]",
    "test -v @",
    "x[@]=1",
    "x=([@]=1)",
    "x=(1); echo ${x[@]}",
    "printf -v @ x",
    "declare @",
    "declare -i x=@",
    "declare -a x=@",
    "unset \"x[@]\"",
    "echo $[ @ ]",
];

const PYTHON: [&str; 18] = [
    "import sys; sys.stdout.write(@ + '\\0')",
    "import sys\nx = [@]\nfor y in x: sys.stdout.write(y + '\\0')",
    "import sys; sys.stdout.write(f'{len(\"a\")}'[1:] + @ + '\\0')",
    "print('@')",
    "print(\"@\")",
    "print(\"it's @\")",
    "print('''@''')",
    "print(\"\"\"\n@\n\"\"\")",
    "print(f'@')",
    "print(f'{@}')",
    "print(f\"{'@'}\")",
    "print(r'\\@')",
    "print('\\@')",
    "# @",
    "x = 1 # it's @\nprint(x)",
    "x.@",
    "x@",
    "@",
];

/// Runs scripts one after the other, each by itself, and says of each what it printed and whether it ran a value.
const PYTHON_DRIVER: &str = "
import contextlib, io, os, sys
for script in sys.argv[1].split('\\x01'):
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(script, 'script', 'exec'), {})
    except BaseException:
        pass
    sys.stdout.write(('ran' if os.path.exists('x') else printed.getvalue()) + '\\x01')
";

/// A script that is to be run, with the value that it shall print, if it prints one.
struct Attack {
    shell: Shell,
    script: String,
    prints: Option<&'static str>,
}

impl Attack {
    fn check(&self, printed: &str, ran: bool) {
        assert!(!ran, "{:?} ran a value: {}", self.shell, self.script);
        if let Some(value) = self.prints {
            assert_eq!(
                printed.split_terminator('\0').next(),
                Some(value),
                "{:?}: {}",
                self.shell,
                self.script
            );
        }
    }
}

/// What a program prints that is given `script` to read, whether it ends well or not.
fn output(program: &str, arguments: &[&str], folder: &Path, script: &str) -> String {
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} has to be installed: {error}"));
    let mut input = child.stdin.take().expect("it is piped");
    // It may well end before it has read everything.
    let _ = input.write_all(script.as_bytes());
    drop(input);
    let output = child.wait_with_output().expect("it ends").stdout;
    String::from_utf8_lossy(&output).into_owned()
}

fn run(attacks: &[Attack]) {
    let folder = tempfile::tempdir().expect("a folder");
    let (python, posix): (Vec<_>, Vec<_>) = attacks.iter().partition(|attack| attack.shell == Shell::Python);
    for attack in posix {
        let program = if attack.shell == Shell::Bash { "bash" } else { "sh" };
        let printed = output(program, &["-s"], folder.path(), &attack.script);
        attack.check(&printed, folder.path().join("x").exists());
    }
    let scripts: Vec<_> = python.iter().map(|attack| attack.script.as_str()).collect();
    let printed = output("python3", &["-c", PYTHON_DRIVER, &scripts.join("\u{1}")], folder.path(), "");
    let printed: Vec<_> = printed.split_terminator('\u{1}').collect();
    assert_eq!(printed.len(), python.len());
    for (attack, printed) in python.iter().zip(printed) {
        attack.check(printed, printed == "ran");
    }
}

fn rendered(shell: Shell, script: &str, value: &str) -> Rendered {
    let variables = Variables::default().with("V", value, Kind::Data);
    match Template::parse(script).render(&variables, Render { shell: Some(shell) }) {
        Ok(rendered) => rendered,
        Err(error) => panic!("{script}: {error}"),
    }
}

/// What becomes of a script with a value in its hole; `None` where the value is not let in.
fn attack(shell: Shell, hole: &str, filter: &str, value: &'static str) -> Option<Attack> {
    let rendered = rendered(shell, &hole.replace('@', &format!("#{{V | {filter}}}")), value);
    (rendered.bare.is_empty() && rendered.misplaced.is_empty()).then(|| Attack {
        shell,
        script: shell.definitions(&rendered.quoted) + &rendered.text,
        prints: (filter == "Quoted" && hole.contains("\\0")).then_some(value),
    })
}

/// Where shells evaluate once more what a variable has.
const EVALUATED: [&str; 12] =
    ["((", "let", "-eq", "-v", "[@]", "[@", "declare", "unset", "$[", "eval", "trap", "read"];

/// A script that has the reference in its hole whether it would be let in or not.
fn forced(shell: Shell, hole: &str, value: &'static str) -> Option<Attack> {
    let example = if shell == Shell::Python { "#{V | Quoted}" } else { "echo #{V | Quoted}" };
    let Rendered { text, quoted, .. } = rendered(shell, example, value);
    let script = shell.definitions(&quoted) + &hole.replace('@', text.trim_start_matches("echo "));
    let evaluated = EVALUATED.iter().any(|evaluated| hole.contains(evaluated));
    (!evaluated).then_some(Attack { shell, script, prints: None })
}

fn holes() -> impl Iterator<Item = (Shell, &'static str)> {
    let of = |shell, holes: &'static [&'static str]| holes.iter().map(move |hole| (shell, *hole));
    of(Shell::Sh, &POSIX)
        .chain(of(Shell::Bash, &POSIX))
        .chain(of(Shell::Bash, &BASH))
        .chain(of(Shell::Python, &PYTHON))
}

#[test]
fn no_value_is_run_where_a_script_may_have_it_and_where_it_is_a_word_it_arrives() {
    let (mut attacks, mut words) = (Vec::new(), 0);
    for (shell, hole) in holes() {
        for filter in ["Quoted", "ToBase64", "UriDataEscape"] {
            let admitted: Vec<_> =
                HOSTILE.into_iter().filter_map(|value| attack(shell, hole, filter, value)).collect();
            let all = admitted.len() == HOSTILE.len();
            assert!(all || admitted.is_empty(), "{hole}: a value decides whether it is let in");
            let prints = filter == "Quoted" && hole.contains("\\0");
            assert!(all || !prints, "{shell:?} {hole}: it is a word there");
            words += usize::from(prints);
            attacks.extend(admitted);
        }
    }
    assert_eq!(words, 2 * 8 + 3 + 3);
    run(&attacks);
}

#[test]
fn no_value_is_run_where_a_script_may_not_have_it_either() {
    run(&holes()
        .flat_map(|(shell, hole)| HOSTILE.into_iter().filter_map(move |value| forced(shell, hole, value)))
        .collect::<Vec<_>>());
}
