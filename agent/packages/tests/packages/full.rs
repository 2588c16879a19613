//! A pull without room: told apart, and continued when there is room again.
//!
//! The test runs itself again as a child process with a small file system in a mount namespace of its own. Where a
//! process may not have one (neither as root nor with a user namespace), there is nothing to run this on.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use windlass_agent_packages::{Cache, CacheError, PullError};

use crate::workshop::{CacheFixture, assignment, check_cache, check_complete, noise, receive, tree};

const PLACE: &str = "WINDLASS_AGENT_PACKAGES_CHILD";

#[test]
fn a_pull_that_fills_the_disk_says_so_and_goes_on_later() {
    if let Some(small) = env::var_os(PLACE).map(PathBuf::from) {
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "none"]).arg(&small).status();
        assert!(mount.unwrap().success());
        tokio::runtime::Runtime::new().unwrap().block_on(fill(&small));
        return println!("\nchecked");
    }
    let unshare = ["--user", "--map-root-user", "--mount"];
    if !Command::new("unshare").args(unshare).arg("true").status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: this system gives no mount namespaces");
        return;
    }
    let small = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.args(unshare).arg(env::current_exe().unwrap());
    command.args(["--exact", "full::a_pull_that_fills_the_disk_says_so_and_goes_on_later", "--nocapture"]);
    let output = command.env(PLACE, small.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("\nchecked"), "{text}{errors}");
}

async fn fill(small: &Path) {
    let fixture = CacheFixture::new();
    let manifest = fixture.upload(&tree(&[("a", &noise(1, 600_000)), ("b", &noise(2, 600_000))]));
    let ballast = small.join("ballast");
    fs::write(&ballast, vec![0; 1 << 20]).unwrap();
    let cache = Cache::open(small.join("cache")).unwrap();
    let begin = || cache.begin(manifest.digest(), "app").unwrap();

    // What has no room is refused before any of it comes.
    let state = begin();
    let answer = fixture.answer(&state.request(assignment())).await;
    let mut came = 0;
    let refused =
        cache.receive(state, &mut answer.as_slice(), manifest.size(), |_| came += 1).await.unwrap_err();
    let PullError::Cache(CacheError::NoRoom { needed, available, .. }) = refused else { panic!("{refused}") };
    assert!(needed > available && needed > 1_200_000, "{needed} {available}");
    assert_eq!(came, 0);

    // What somebody else fills meanwhile is noticed, too.
    fs::remove_file(&ballast).unwrap();
    let state = begin();
    assert!(state.has_manifest());
    let answer = fixture.answer(&state.request(assignment())).await;
    let mut filled = false;
    let fill = |_| {
        if !std::mem::replace(&mut filled, true) {
            fs::write(&ballast, vec![0; 1 << 20]).unwrap();
        }
    };
    let error = cache.receive(state, &mut answer.as_slice(), manifest.size(), fill).await.unwrap_err();
    assert!(matches!(error, PullError::Cache(CacheError::Full { .. })), "{error}");
    check_cache(&small.join("cache"));

    fs::remove_file(&ballast).unwrap();
    let state = begin();
    let answer = fixture.answer(&state.request(assignment())).await;
    receive(&cache, state, &answer, manifest.size()).await.unwrap();
    check_complete(&cache, &small.join("cache"), &manifest);
}
