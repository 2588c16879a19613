//! A tenant's value that names every secret of the project, and an output that does (THREATS F4): no secret comes to the
//! machine because of them, none that is there is put into them, and neither is ever run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use windlass_tests::agents::{self, Agent};
use windlass_tests::archives::Tar;
use windlass_tests::canaries::{Canaries, Scan};
use windlass_tests::installation::{Installation, wait_until};
use windlass_tests::journal::field;

use super::{machine, recording};

const MASTER: &str = "cnyprojectmaster";
const OTHER: &str = "cnyprojectother";

/// What a tenant says, and what a step puts out: every secret, `loops` through more, and a command.
fn hostile(loops: &str, pwned: &Path) -> String {
    format!("#{{MasterKey}}#{{OtherKey}}{loops}$(touch {})", pwned.display())
}

/// In the text of a script, what comes to be put out must not be written as such yet.
fn documents(pwned: &Path) -> String {
    let pwned_text = pwned.display();
    let makes = format!(
        "x=#; set_windlassvariable Made \"$x{{MasterKey}}$x{{OtherKey}}$x{{each k in Keys}}$x{{k}}$x{{/each}}\\$(touch {pwned_text})\""
    );
    let sneaks = format!("name=Sneaky; set_windlassvariable \"$name\" \"\\$(touch {pwned_text})\"");
    format!(
        r#"
kind: environment
name: Production
---
kind: library-set
name: Names
templates: [{{name: Alias}}]
variables:
  MasterKey: [{{value: {{from-env: MASTER}}}}]
  "Keys[one]": [{{value: {{from-env: MASTER}}}}]
  OtherKey: [{{value: {OTHER}}}]
  Greeting: [{{value: "hello #{{Alias}}"}}]
---
kind: project
name: Closed
tenancy: tenanted
library-sets: [Names]
steps:
  - {{name: Make, roles: [web], script: {{body: '{makes}'}}}}
  - name: Take
    roles: [web]
    script:
      body: |
        get_windlassvariable Alias; get_windlassvariable Greeting; get_windlassvariable Made
        echo #{{Alias | Quoted}} #{{Made | Quoted}} #{{Greeting | Quoted}}
  - {{name: Copy, roles: [web], package: {{id: closed, substitute: ["*"]}}}}
---
kind: project
name: Open
tenancy: tenanted
library-sets: [Names]
steps:
  - {{name: Copy, roles: [web], package: {{id: open, substitute: ["*.conf"]}}}}
  - {{name: Sneak, roles: [web], script: {{body: '{sneaks}'}}}}
  - {{name: Run, roles: [web], script: {{body: "echo #{{Sneaky}}"}}}}
---
kind: project
name: Hooked
tenancy: tenanted
library-sets: [Names]
steps:
  - {{name: Sneak, roles: [web], script: {{body: '{sneaks}'}}}}
  - {{name: Copy, roles: [web], package: {{id: hooked, substitute: ["*"]}}}}
---
kind: tenant
name: Customer
projects: {{Closed: [Production], Open: [Production], Hooked: [Production]}}
values: {{Names: {{Alias: '{}'}}}}
"#,
        hostile("#{each k in Keys}#{k}#{/each}", pwned)
    )
}

fn packages() -> [(&'static str, Vec<u8>); 3] {
    let asks = "echo hook #{Alias | Quoted} #{Made | Quoted} #{Greeting | Quoted}\n";
    [
        (
            "closed",
            Tar::default()
                .file("values.conf", "alias=#{Alias}\nmade=#{Made}\ngreeting=#{Greeting}\n")
                .file("PreDeploy.sh", asks)
                .end(),
        ),
        ("open", Tar::default().file("both.conf", "other=#{OtherKey}\nalias=#{Alias}\n").end()),
        ("hooked", Tar::default().file("PostDeploy.sh", "echo #{Sneaky}\n").end()),
    ]
}

/// Deploys and waits for the end: how it ended, with all that is told about it.
fn deploy(installation: &Installation, project: &str) -> (String, String) {
    let what = ["release", "deploy", "--project", project, "--version", "1.0.0"];
    let answer =
        installation.json(&[&what[..], &["--environment", "Production", "--tenant", "Customer"]].concat());
    let id = field(&answer["deployments"][0], "id").to_owned();
    let state = || field(&installation.json(&["deployment", "view", &id]), "state").to_owned();
    wait_until(&format!("the end of {project}"), || {
        !["queued", "fetching", "running"].contains(&state().as_str())
    });
    let told = ["view", "logs"].map(|verb| installation.windlass(&["deployment", verb, &id]));
    (state(), told.concat())
}

fn current(agent: &Agent, project: &str) -> PathBuf {
    agent.install().join("default/production/customer").join(project).join("copy/current")
}

#[test]
fn a_value_or_an_output_that_names_every_secret_brings_none_holds_none_and_is_never_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let installation = Installation::start(folder.path()).expect("a coordinator");
    let place = folder.path().join("anybodys");
    fs::create_dir(&place).expect("a folder");
    fs::set_permissions(&place, fs::Permissions::from_mode(0o777)).expect("it is the test's");
    let pwned = place.join("pwned");
    let path = folder.path().join("all.yaml");
    fs::write(&path, documents(&pwned)).expect("a file");
    let mut apply = installation.windlass_command(&["apply", "-f", &path.to_string_lossy()]);
    let applied = apply.env("MASTER", MASTER).output().expect("windlass starts");
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    for (id, content) in packages() {
        let path = folder.path().join(format!("{id}.1.0.0.tar"));
        fs::write(&path, content).expect("a file");
        installation.windlass(&["package", "upload", &path.to_string_lossy()]);
    }
    for project in ["Closed", "Open", "Hooked"] {
        installation.windlass(&["release", "create", "--project", project, "--version", "1.0.0"]);
    }
    let agent = machine(&installation, "web-1", &["Customer"]);
    agents::wait_for_presence(&installation, "web-1", true);
    let canaries = Canaries::new(vec![MASTER.to_owned(), OTHER.to_owned()]);
    let found = || {
        let mut scan = Scan::new(&canaries);
        scan.look(&recording(&installation, "web-1"));
        scan.look(&agent.folder);
        scan.found.into_iter().collect::<Vec<_>>()
    };

    // No step needs a secret, whatever a value says: none comes.
    let (state, told) = deploy(&installation, "Closed");
    assert_eq!(state, "succeeded", "{told}");
    // As if there were no such variables: a name stays as it is written, and there is nothing to go through.
    let said = hostile("", &pwned);
    let made = fs::read_to_string(current(&agent, "closed").join("values.conf")).expect("it is installed");
    assert_eq!(made, format!("alias={said}\nmade={said}\ngreeting=hello {said}\n"));
    assert!(told.contains(&format!("hook {said} {said} hello {said}")), "{told}");
    assert_eq!(found(), [""; 0], "nothing came because a value named it");

    // One that is there for another reason stays out of what the tenant says, and what nobody could foresee is refused.
    let (state, told) = deploy(&installation, "Open");
    let as_code = "`#{Sneaky}` would put a tenant's value or an output variable into what is run, as code";
    assert!(state == "failed" && told.contains(as_code), "{state}: {told}");
    let made = fs::read_to_string(current(&agent, "open").join("both.conf")).expect("it is installed");
    assert_eq!(made, format!("other={OTHER}\nalias={said}\n"));
    assert_eq!(found(), [OTHER]);

    // In a hook before anything of the package runs, although the hook is named for substitution.
    let (state, told) = deploy(&installation, "Hooked");
    assert!(state == "failed" && told.contains(as_code), "{state}: {told}");
    assert!(!current(&agent, "hooked").exists(), "nothing was switched");
    assert!(!pwned.exists(), "neither was run");
}
