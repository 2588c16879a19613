//! What a step prints and sets: kept, masked, capped, and read while it runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use data_encoding::BASE64;
use windlass_supervisor::{
    OutputValue, OutputVariable, StepStatus, Stream, inspect, output, output_variables, start,
};

use crate::support::{Step, binary, exited, is_root, lives, make_private, script, wait_for};

#[test]
fn a_secret_is_on_no_disk_however_it_is_written() {
    let mut job = script(
        "echo \"password=$PASSWORD\"; echo \"$PASSWORD\" >&2\n\
         printf hun; sleep 0.05; printf 'ter2-\\303'; sleep 0.05; printf '\\244\\n'\n\
         { head -c 16380 /dev/zero | tr '\\0' x; echo hunter2-ä; } >&2\n",
    );
    job.environment.insert("PASSWORD".into(), "hunter2-ä".into());
    job.secrets.push("hunter2-ä".into());
    let step = Step::started(&job);
    assert_eq!(step.ended().outcome, exited(0));
    let (errors, output): (Vec<_>, Vec<_>) =
        step.output().into_iter().partition(|line| line.starts_with("Error: "));
    assert_eq!(output, ["Output: password=********", "Output: ********"]);
    let errors: String = errors.iter().map(|line| &line["Error: ".len()..]).collect();
    assert!(errors == format!("********{}********", "x".repeat(16380)), "{errors}");
    assert!(!step.has_on_disk("hunter2"));
}

#[test]
fn output_is_read_while_the_step_runs_and_from_any_line_on() {
    let step = Step::new();
    let release = step.file("release");
    let text = format!(
        "echo one; printf 'prompt: '; until [ -e {} ]; do sleep 0.01; done; echo two",
        release.display()
    );
    step.start(&script(&text)).expect("started");
    let mut lines = output(&step.folder(), 1);
    let mut next = || {
        let (number, line) = wait_for("a line", || lines.next()).expect("a line");
        (number, line.text)
    };
    assert_eq!(next(), (1, "one".to_owned()));
    assert_eq!(next(), (2, "prompt: ".to_owned()), "a line without its end is shown");
    fs::write(release, "").expect("written");
    assert_eq!(next(), (3, "two".to_owned()));
    assert_eq!(step.ended().outcome, exited(0));
    let from_two: Vec<_> = output(&step.folder(), 2).map(|line| line.expect("a line")).collect();
    assert_eq!(from_two.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(lines.position(), 4);
}

#[test]
fn output_beyond_the_cap_is_counted_and_blocks_nobody() {
    let mut job = script("yes 123456789 | head -n 300000; echo last >&2; exit 4");
    job.output_bytes = 10_000;
    let step = Step::started(&job);
    let ended = step.ended();
    assert_eq!(ended.outcome, exited(4));
    let output = step.output();
    let kept = output.iter().filter(|line| *line == "Output: 123456789").count();
    assert!((100..250).contains(&kept), "{kept} lines of some 55 bytes on the disk");
    assert_eq!(output.len(), kept + 1);
    assert_eq!(output[kept], "Note: more output than 10000 bytes is not kept");
    assert_eq!(ended.dropped_bytes, (300_000 - kept as u64) * 9 + "last".len() as u64);
}

#[test]
fn a_step_sets_variables_and_sensitive_ones_are_sealed_and_masked() {
    let line = |token: &str, name: &str, value: &str, sensitive: &str| {
        let [name, value, sensitive] = [name, value, sensitive].map(|text| BASE64.encode(text.as_bytes()));
        format!(
            "##windlass[setVariable token='{token}' name='{name}' value='{value}' sensitive='{sensitive}']"
        )
    };
    let message = |name: &str, value: &str, sensitive: &str| {
        format!("echo \"{}\"\n", line("t0k3n", name, value, sensitive))
    };
    let forged = line("token", "Url", "http://forged", "False");
    let text = [
        "echo token-before\n",
        &message("Url", "http://a", "False"),
        &message("Token", "s3cr3t-token", "True"),
        "echo s3cr3t-token > /dev/stderr; echo s3cr3t-token\n",
        &message("Url", "http://b", "False"),
        "echo '##windlass[setVariable nonsense]'\n",
        &format!("echo \"{forged}\"\n"),
        "echo the token is t0k3n\n",
    ];
    let step = Step::started(&script(&text.concat()));
    assert_eq!(step.ended().outcome, exited(0));
    let sealed = b"s3cr3t-token".iter().map(|byte| byte ^ 9).collect();
    let expected = [
        OutputVariable { name: "Token".into(), value: OutputValue::Sealed(sealed) },
        OutputVariable { name: "Url".into(), value: OutputValue::Clear("http://b".into()) },
    ];
    assert_eq!(output_variables(&step.folder()).expect("read"), expected);
    let output: Vec<_> = step.output().into_iter().filter(|line| line.starts_with("Output")).collect();
    let nonsense = "Output: ##windlass[setVariable nonsense]";
    let forged = format!("Output: {forged}");
    assert_eq!(
        output,
        ["Output: token-before", "Output: ********", nonsense, &forged, "Output: the token is ********"]
    );
    for form in ["http://a", &BASE64.encode(b"s3cr3t-token")] {
        assert!(!step.has_on_disk(form), "{form}");
    }
}

#[test]
fn a_full_disk_loses_output_and_never_the_end() {
    let place = tempfile::tempdir().expect("a temporary folder");
    if !is_root() {
        // Mounting takes root; elsewhere, at least the step that cannot be marked must not run.
        let step = Step::new();
        fs::write(step.folder().join("marks"), "in the way").expect("written");
        let marker = step.file("ran");
        step.start(&script(&format!("touch {}", marker.display()))).expect_err("no place for marks");
        assert!(!marker.exists());
        return;
    }
    let mounted = Mounted::new(place.path());
    let folder = place.path().join("step");
    make_private(&folder);
    let filler = place.path().join("filler");
    let text = format!(
        "echo first; sleep 0.3; head -c 1M /dev/zero > {} 2> /dev/null; yes 123456789 | head -n 100000; exit 5",
        filler.display()
    );
    let mut job = script(&text);
    job.output_bytes = 64 << 20;
    start(&binary(), ["run"], &folder, &job).expect("started");
    let main = wait_for("the step's process", || match inspect(&folder).expect("inspected") {
        StepStatus::Running { started } => Some(started.pid),
        _ => None,
    });
    wait_for("the end of the step's process", || (!lives(main)).then_some(()));
    fs::remove_file(filler).expect("removed");
    let ended = wait_for("the end's mark", || match inspect(&folder).expect("inspected") {
        StepStatus::Ended { ended, .. } => Some(ended),
        _ => None,
    });
    let kept: u64 = output(&folder, 1)
        .map(|line| line.expect("a line").1)
        .filter(|line| line.stream == Stream::Output)
        .map(|line| line.text.len() as u64)
        .sum();
    drop(mounted);
    assert_eq!(ended.outcome, exited(5));
    assert!(ended.dropped_bytes > 100_000);
    assert_eq!(kept + ended.dropped_bytes, 5 + 900_000);
}

/// A small disk, as long as this lives.
struct Mounted(PathBuf);

impl Mounted {
    fn new(place: &Path) -> Self {
        let options = ["-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs"];
        let status = Command::new("mount").args(options).arg(place).status().expect("it runs");
        assert!(status.success());
        Self(place.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: the supervisor may not have left yet.
        let status = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(status.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}
