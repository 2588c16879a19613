//! Starting a step: what the program finds, how its end is told, and what is refused.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use windlass_supervisor::{Job, Outcome, SCRIPT_PATH, StepStatus};

use crate::support::{Step, binary, exited, is_root, make_private, program, script, wait_for};

fn outcome_and_output(job: &Job) -> (Outcome, Vec<String>) {
    let step = Step::started(job);
    let ended = step.ended();
    (ended.outcome, step.output())
}

#[test]
fn a_program_finds_exactly_its_environment_its_folder_and_no_foreign_files() {
    let mut job = program(&["env"]);
    job.environment.insert("GREETING".into(), "hello = world".into());
    let expected = ["Output: GREETING=hello = world", "Output: PATH=/usr/local/bin:/usr/bin:/bin"];
    assert_eq!(outcome_and_output(&job), (exited(0), expected.map(String::from).to_vec()));

    let mut job = program(&["pwd"]);
    job.working_folder = "/usr".into();
    assert_eq!(outcome_and_output(&job), (exited(0), vec!["Output: /usr".to_owned()]));

    // The last one is the listed folder itself.
    let files = ["0", "1", "2", "3"].map(|number| format!("Output: {number}"));
    assert_eq!(outcome_and_output(&program(&["ls", "/proc/self/fd"])), (exited(0), files.to_vec()));
}

#[test]
fn a_script_reaches_its_shell_and_its_commands_do_not_read_it() {
    let shells: [(&str, &str); 3] = [
        ("bash", "cat; echo one\nread -r line || echo none\necho two >&2\n"),
        ("sh", "cat; echo one\nread -r line || echo none\necho two >&2\n"),
        (
            "python3",
            "import sys\nprint('one', flush=True)\nif not sys.stdin.read(): print('none')\nprint('two', file=sys.stderr)\n",
        ),
    ];
    for (shell, text) in shells {
        if !["/usr/local/bin", "/usr/bin", "/bin"].iter().any(|folder| Path::new(folder).join(shell).exists())
        {
            assert_eq!(shell, "python3", "every machine has the other two");
            continue;
        }
        let mut job = program(&[shell, SCRIPT_PATH]);
        job.script = text.as_bytes().to_vec();
        let (outcome, mut output) = outcome_and_output(&job);
        // The two streams are not ordered between each other.
        output.sort();
        assert_eq!(
            (outcome, output),
            (exited(0), vec!["Error: two".into(), "Output: none".into(), "Output: one".into()]),
            "{shell}"
        );
    }
}

#[test]
fn the_end_of_the_program_is_told_as_it_was() {
    let cases = [
        ("exit 0", exited(0)),
        ("exit 3", exited(3)),
        ("exit 255", exited(255)),
        ("kill -KILL $$", Outcome::Killed { signal: 9 }),
        ("kill -34 $$", Outcome::Killed { signal: 34 }),
        ("trap - PIPE; kill -PIPE $$", Outcome::Killed { signal: 13 }),
    ];
    for (text, expected) in cases {
        let ended = Step::started(&script(text)).ended();
        assert_eq!(ended.outcome, expected, "{text}");
        assert!(!ended.timed_out && !ended.stopped && ended.dropped_bytes == 0);
    }
}

#[test]
fn a_program_that_cannot_be_run_is_told_in_a_sentence() {
    let mut nowhere = program(&["true"]);
    nowhere.working_folder = "/nowhere".into();
    let cases = [
        (
            program(&["no-such-program"]),
            "no folder in which the step's programs are looked for has a program no-such-program",
        ),
        (program(&["/etc/passwd"]), "the program /etc/passwd cannot be run: Permission denied (os error 13)"),
        (
            nowhere,
            "the step cannot enter its working folder /nowhere: No such file or directory (os error 2)",
        ),
        (program(&[]), "the job names no program"),
    ];
    for (job, expected) in cases {
        let outcome = Step::started(&job).ended().outcome;
        assert_eq!(outcome, Outcome::NotStarted { reason: expected.to_owned() });
    }
}

#[test]
fn a_step_is_never_started_twice_from_one_folder() {
    let step = Step::new();
    let release = step.file("release");
    let job = script(&format!("echo ran; until [ -e {} ]; do sleep 0.01; done", release.display()));
    step.start(&job).expect("started");
    let refused = |step: &Step| step.start(&job).expect_err("refused").to_string();
    let folder = step.folder().display().to_string();
    assert_eq!(
        refused(&step),
        format!("the supervisor refused the step: the supervisor of {folder} is alive")
    );
    fs::write(release, "").expect("written");
    assert_eq!(step.ended().outcome, exited(0));
    wait_for("the supervisor's end", || {
        step.start(&job).err().filter(|error| !error.to_string().contains("alive"))
    });
    assert_eq!(
        refused(&step),
        format!("the supervisor refused the step: the step in {folder} has been started already")
    );
    assert_eq!(step.output(), ["Output: ran"]);
}

#[test]
fn a_folder_that_others_can_enter_is_refused() {
    let step = Step::new();
    fs::set_permissions(step.folder(), fs::Permissions::from_mode(0o750)).expect("set");
    let error = step.start(&script("echo ran")).expect_err("refused").to_string();
    assert!(error.ends_with("is not a folder that belongs to the agent alone (mode 0700)"), "{error}");
    assert_eq!(step.status(), StepStatus::NotStarted);
}

#[test]
fn a_job_that_breaks_off_starts_nothing() {
    let step = Step::new();
    let job = script("echo ran").to_bytes().expect("short");
    let mut supervisor = Command::new(binary())
        .arg("run")
        .arg(step.folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    // As when the agent is killed while it writes.
    supervisor.stdin.take().expect("asked for").write_all(&job[..job.len() / 2]).expect("written");
    let answer = supervisor.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "held");
    assert_eq!(step.ended().outcome, Outcome::Void);
}

#[test]
fn a_supervisor_that_cannot_be_run_is_an_error_and_starts_nothing() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let folder = place.path().join("step");
    make_private(&folder);
    let missing = windlass_supervisor::start(Path::new("/nowhere"), ["run"], &folder, &script("true"));
    let sentence = missing.expect_err("not there").to_string();
    assert_eq!(sentence, "the supervisor /nowhere cannot be run: No such file or directory (os error 2)");
    let mute = windlass_supervisor::start(Path::new("/bin/false"), ["run"], &folder, &script("true"));
    assert_eq!(mute.expect_err("no supervisor").to_string(), "the supervisor ended before it had the step");
}

#[test]
fn a_supervisor_takes_nothing_of_its_agent_with_it_and_leaves_no_zombie() {
    let step = Step::new();
    let release = step.file("release");
    // A file that the agent holds, perhaps with a lock, and that some library left open for children.
    let held = fs::File::create(step.file("held")).expect("created");
    fcntl(&held, FcntlArg::F_SETFD(FdFlag::empty())).expect("set");
    step.start(&script(&format!("until [ -e {} ]; do sleep 0.01; done", release.display())))
        .expect("started");
    step.running();
    let supervisor = Path::new("/proc").join(step.supervisor().to_string());
    if is_root() {
        assert_eq!(fs::read_to_string(supervisor.join("environ")).expect("read"), "");
        let files = fs::read_dir(supervisor.join("fd")).expect("listed");
        let files: Vec<_> =
            files.filter_map(|file| fs::read_link(file.expect("listed").path()).ok()).collect();
        assert!(
            files.contains(&step.folder().join("lock")) && !files.contains(&step.file("held")),
            "{files:?}"
        );
    } else {
        // Its memory and files are hidden from a step that runs as the same user.
        assert!(
            fs::read(supervisor.join("environ")).is_err() && fs::read_dir(supervisor.join("fd")).is_err()
        );
    }
    fs::write(release, "").expect("written");
    assert_eq!(step.ended().outcome, exited(0));
    wait_for("the supervisor to be reaped", || (!supervisor.exists()).then_some(()));
}
