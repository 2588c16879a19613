//! What a tenant types is no code and no order, whatever it is called and whatever it puts into its values: a name that
//! is a command is not run, and a value that a step prints sets nothing that something else defines.

use std::fs;

use data_encoding::BASE64;
use windlass_tests::agents;
use windlass_tests::installation::{Installation, wait_until};
use windlass_tests::journal::field;

use super::machine;

/// The line by which a process sets an output variable, as a tenant may type it.
fn order(name: &str) -> String {
    let [name, value, no] = [name, "FORGED", "False"].map(|text| BASE64.encode(text.as_bytes()));
    format!("##windlass[setVariable name='{name}' value='{value}' sensitive='{no}']")
}

fn documents(name: &str) -> String {
    let full = "Windlass.Action[Zero].Output[web-1].Url";
    let lines: Vec<_> = ["OnlyAdmin", full, "List[two]"].map(|name| format!("    {}\n", order(name))).into();
    format!(
        r#"
kind: environment
name: Production
---
kind: project
name: Named
tenancy: tenanted
variables: {{Called: [{{value: "f-#{{Windlass.Deployment.Tenant.Name}}"}}]}}
steps: [{{name: Run, roles: [web], script: {{body: 'echo "for #{{Called}}"'}}}}]
---
kind: tenant
name: Administrator
---
kind: project
name: Printed
tenancy: tenanted
templates: [{{name: Alias, control: multi-line}}]
variables:
  OnlyAdmin: [{{value: "yes", tenants: {{tenants: [Administrator]}}}}]
  "List[one]": [{{value: first}}]
steps:
  - {{name: Zero, roles: [web], script: {{body: "set_windlassvariable Url real"}}}}
  - {{name: Print, roles: [web], script: {{body: "get_windlassvariable Alias"}}}}
  - name: Take
    roles: [web]
    script:
      body: |
        echo "admin=$(get_windlassvariable OnlyAdmin 2>/dev/null) zero=$(get_windlassvariable '{full}')"
        echo "list=$(get_windlassvariable 'List[two]' 2>/dev/null) for $(get_windlassvariable Windlass.Deployment.Tenant.Name)"
        echo for #{{Windlass.Deployment.Tenant.Name | Quoted}} as #{{each one in List}}#{{one | Quoted}} #{{/each}}
---
kind: tenant
name: '{name}'
slug: customer
projects: {{Named: [Production], Printed: [Production]}}
values:
  Printed:
    Alias: |
      said
{}"#,
        lines.iter().map(|line| format!("  {line}")).collect::<String>()
    )
}

#[test]
fn a_tenants_name_is_not_run_and_its_value_sets_nothing_that_is_defined() {
    let folder = tempfile::tempdir().expect("a folder");
    let installation = Installation::start(folder.path()).expect("a coordinator");
    let pwned = folder.path().join("pwned");
    let name = format!("C\"; touch {}; echo \"", pwned.display());
    let path = folder.path().join("all.yaml");
    fs::write(&path, documents(&name)).expect("a file");
    installation.windlass(&["apply", "-f", &path.to_string_lossy()]);
    for project in ["Named", "Printed"] {
        installation.windlass(&["release", "create", "--project", project, "--version", "1.0.0"]);
    }
    let agent = machine(&installation, "web-1", &[&name]);
    agents::wait_for_presence(&installation, "web-1", true);
    let what = |project| {
        ["release", "deploy", "--project", project, "--version", "1.0.0", "--environment", "Production"]
    };

    let mut command = installation.windlass_command(&[&what("Named")[..], &["--tenant", &name]].concat());
    let refused = command.output().expect("windlass starts");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains("puts the tenant's name into the script as code"),
        "{said}"
    );

    let answer = installation.json(&[&what("Printed")[..], &["--tenant", &name]].concat());
    let id = field(&answer["deployments"][0], "id").to_owned();
    let state = || field(&installation.json(&["deployment", "view", &id]), "state").to_owned();
    wait_until("the end", || !["queued", "fetching", "running"].contains(&state().as_str()));
    let told = installation.windlass(&["deployment", "logs", &id]);
    assert_eq!(state(), "succeeded", "{told}");
    for line in ["said", "admin= zero=real", &format!("list= for {name}"), &format!("for {name} as first")] {
        assert!(told.contains(line), "`{line}` is not in {told}");
    }
    assert!(!pwned.exists(), "what a tenant is called was run");
    drop(agent);
}
