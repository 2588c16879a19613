//! A test that starts itself again as a process which is killed at a named point (`windlass_segments::fail`).

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// Where the killed process works.
const PLACE: &str = "WINDLASS_WORKSHOP_PLACE";

/// The test that starts itself again.
#[derive(Debug, Clone, Copy)]
pub struct Killed {
    /// Its name, as `cargo test` prints it.
    pub test: &'static str,
}

impl Killed {
    /// Where to work, in the process that may be killed; `None` in the one that starts it.
    pub fn place() -> Option<PathBuf> {
        env::var_os(PLACE).map(PathBuf::from)
    }

    /// The process that works in `place`, to be started as somebody likes. It notes the points that it passes in the
    /// file `points` there.
    pub fn command(self, place: &Path) -> Command {
        let mut command = Command::new(env::current_exe().expect("a program knows its own file"));
        command.args(["--exact", self.test, "--nocapture"]);
        command.env(PLACE, place).env("WINDLASS_FAIL_LOG", place.join("points"));
        command
    }

    /// Runs it to its end, or to the passing of a point (`name` or `name:3`) at which it is killed.
    pub fn run(self, place: &Path, point: Option<&str>) -> ExitStatus {
        let mut command = self.command(place);
        if let Some(point) = point {
            command.env("WINDLASS_FAIL_POINT", point);
        }
        command.status().expect("a program can start itself")
    }

    /// The points that were passed in `place`, each as often as it was.
    pub fn passed(place: &Path) -> Vec<String> {
        let log =
            fs::read_to_string(place.join("points")).expect("the process noted the points that it passed");
        log.lines().map(str::to_owned).collect()
    }

    /// Runs it to its end once, which has to pass exactly the points `expected` of those that are `mine`; then kills it
    /// at each passing of each of them, in a place of its own. `check` looks at every place afterwards, and is told
    /// where the process was killed.
    pub fn at_every_point(
        self,
        mine: impl Fn(&str) -> bool,
        expected: &[&str],
        mut check: impl FnMut(&Path, &str),
    ) {
        let place = tempfile::tempdir().expect("a temporary folder can be made");
        assert!(self.run(place.path(), None).success(), "nobody killed it");
        check(place.path(), "none");
        let points: Vec<_> = Self::passed(place.path()).into_iter().filter(|point| mine(point)).collect();
        let names: BTreeSet<&str> = points.iter().map(String::as_str).collect();
        assert_eq!(names, expected.iter().copied().collect());
        for name in names {
            for count in 1..=points.iter().filter(|point| *point == name).count() {
                let place = tempfile::tempdir().expect("a temporary folder can be made");
                let point = format!("{name}:{count}");
                assert_eq!(self.run(place.path(), Some(&point)).signal(), Some(9), "{point}");
                assert_eq!(Self::passed(place.path()).last(), Some(&format!("killed {name}")));
                check(place.path(), &point);
            }
        }
    }
}
