//! A disk that is full while there is nothing left to open files with either. The test runs itself again as a child
//! process, whose limits end with it.

use std::process::Command;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};

use crate::journal::{AppendError, Appended, Embedded, GENESIS, Head, Journal};

const CHILD: &str = "WINDLASS_JOURNAL_CHILD";

#[test]
fn a_journal_that_cannot_be_opened_anew_after_a_full_disk_is_when_it_can_be() {
    let Some(data) = std::env::var_os(CHILD) else {
        let place = tempfile::tempdir().unwrap();
        let name = std::thread::current().name().unwrap().to_owned();
        let child = Command::new(std::env::current_exe().unwrap())
            .args([&name, "--exact", "--nocapture", "--test-threads=1"])
            .env(CHILD, place.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout) + String::from_utf8_lossy(&child.stderr);
        assert!(child.status.success() && said.contains("1 passed"), "{said}");
        return;
    };
    let mut journal = Embedded::open(data.as_ref()).unwrap();
    let line = |text: &str| [Appended { line: text.repeat(3000).into_bytes(), hash: GENESIS }];
    let head = |number| Head { number, hash: GENESIS };
    journal.append(head(0), &line("one")).unwrap();
    // The signal of a file that grows too large is an error then.
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGXFSZ);
    signals.thread_block().unwrap();
    let limit = |resource, soft| {
        let (before, hard) = getrlimit(resource).unwrap();
        setrlimit(resource, soft, hard).unwrap();
        before
    };
    let bytes = limit(Resource::RLIMIT_FSIZE, 10_000);
    let files = limit(Resource::RLIMIT_NOFILE, 3);
    for _ in 0..3 {
        let refused = journal.append(head(1), &line("two"));
        assert!(matches!(refused, Err(AppendError::Full)), "{refused:?}");
    }
    limit(Resource::RLIMIT_NOFILE, files);
    let refused = journal.append(head(1), &line("two"));
    assert!(matches!(refused, Err(AppendError::Full)), "{refused:?}");
    limit(Resource::RLIMIT_FSIZE, bytes);
    journal.append(head(1), &line("two")).unwrap();
    let lines = journal.read(head(0), 9).unwrap();
    assert_eq!(lines, [line("one"), line("two")].map(|[appended]| appended.line));
}
