//! A package that is gone from the agent's cache, or damaged, when its step begins: it is pulled again.

use std::fs;
use std::path::Path;

use windlass_tests::installation::wait_until;

use super::{end, files_below, installation, machine, release, start, step_folder, upload};

/// A step that waits for a file, so that something may happen between the fetch and the package's own step.
fn documents(folder: &Path) -> String {
    let (begun, go) = (folder.join("begun"), folder.join("go"));
    let wait = format!("touch {}; until [ -e {} ]; do sleep 0.05; done", begun.display(), go.display());
    format!(
        "kind: project\nname: Site\nsteps:\n  - {{name: Wait, roles: [web], script: {{body: '{wait}'}}}}\n  \
         - {{name: Install, roles: [web], package: {{id: site}}}}\n"
    )
}

#[test]
fn a_package_step_whose_package_is_gone_or_damaged_pulls_it_again() {
    let place = tempfile::tempdir().expect("a folder");
    let (_folder, installation) = installation(&documents(place.path()));
    let agent = machine(&installation, &[], "isolation = \"none\"\n");
    let cache = agent.state().join("cache");
    let remove: fn(&Path) = |file| fs::remove_file(file).expect("it is there");
    let damage: fn(&Path) = |file| fs::write(file, "else").expect("it is there");
    let spoils = [("1.0.0", "manifests", remove), ("2.0.0", "blobs", remove), ("3.0.0", "blobs", damage)];
    for (number, (version, what, spoil)) in spoils.into_iter().enumerate() {
        let content = format!("in{number}\n");
        upload(&installation, "site", version, &[("site.txt", content.as_bytes())]);
        release(&installation, version);
        let id = start(&installation, version, None);
        wait_until("the first step", || place.path().join("begun").exists());
        files_below(&cache.join(what)).iter().for_each(|file| spoil(file));
        fs::write(place.path().join("go"), "").expect("a file");
        let (state, reason) = end(&installation, &id);
        assert_eq!(state, "succeeded", "{version}, {what}: {reason}");
        let current = step_folder(&agent, "_").join("current/site.txt");
        assert_eq!(fs::read_to_string(current).expect("a release is current"), content);
        for file in ["begun", "go"] {
            fs::remove_file(place.path().join(file)).expect("it is there");
        }
    }
    let pulled = installation.json(&["audit", "pulled", "--target", "machine"]);
    let packages = pulled["items"].as_array().expect("a list").iter();
    let packages = packages.filter(|item| item["kind"] == "package-begun").count();
    assert_eq!(packages, 2 * spoils.len(), "each pull is in the record: {pulled}");
}

#[test]
fn a_package_that_the_coordinator_has_lost_is_named_in_its_log_and_mended_by_another_upload() {
    let (_folder, installation) = installation(
        "kind: project\nname: Site\nsteps:\n  - {name: Install, roles: [web], package: {id: site}}\n",
    );
    let agent = machine(&installation, &[], "isolation = \"none\"\n");
    for (version, what) in [("1.0.0", "manifests"), ("2.0.0", "blobs")] {
        let files: [(&str, &[u8]); 1] = [("site.txt", version.as_bytes())];
        upload(&installation, "site", version, &files);
        release(&installation, version);
        let stored = installation.data().join("packages").join(what);
        files_below(&stored).iter().for_each(|file| fs::remove_file(file).expect("it is there"));
        let id = start(&installation, version, None);
        let said = format!("package=\"site {version}\"");
        wait_until("the coordinator says so", || {
            let log = fs::read_to_string(installation.folder.join("coordinator.log")).expect("it logs");
            log.lines().any(|line| line.contains(&said) && line.contains("upload it again"))
        });
        upload(&installation, "site", version, &files);
        let (state, reason) = end(&installation, &id);
        assert_eq!(state, "succeeded", "{version}, {what}: {reason}");
        let current = step_folder(&agent, "_").join("current/site.txt");
        assert_eq!(fs::read_to_string(current).expect("a release is current"), version);
    }
}
