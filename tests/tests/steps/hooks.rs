//! What the hooks of a package set together: as much as one step may, and a failure that says so beyond that.

use super::{deploy, end, installation, machine, release, start, upload};

const DOCUMENTS: &str =
    "kind: project\nname: Site\nsteps: [{name: Install, roles: [web], package: {id: site}}]\n";

/// A hook that sets so many variables, whose names begin so.
fn hook(beginning: &str, variables: u32) -> String {
    format!("for i in $(seq 1 {variables}); do set_windlassvariable \"{beginning}$i\" v; done\n")
}

#[test]
fn hooks_that_set_more_variables_together_than_a_step_may_fail_it_and_say_so() {
    let (_folder, installation) = installation(DOCUMENTS);
    let _agent = machine(&installation, &[], "isolation = \"none\"\n");
    for (version, second) in [("1.0.0", 80), ("2.0.0", 81)] {
        let hooks = [("PreDeploy.sh", hook("First", 120)), ("Deploy.sh", hook("Second", second))];
        upload(
            &installation,
            "site",
            version,
            &hooks.each_ref().map(|(name, text)| (*name, text.as_bytes())),
        );
        release(&installation, version);
    }
    deploy(&installation, "1.0.0");
    let (state, reason) = end(&installation, &start(&installation, "2.0.0", None));
    assert_eq!(state, "failed", "{reason}");
    assert!(reason.contains("set 201 output variables, and it may set 200"), "{reason}");
}
