//! What a tenant types is no code and no order, whatever it is called and whatever it puts into its values: a name that
//! is a command is not run, neither bare nor between quotes, and a value that a step prints sets nothing and reads no
//! outputs.

use std::fs;

use data_encoding::BASE64;
use windlass_tests::agents;
use windlass_tests::installation::{Installation, wait_until};
use windlass_tests::journal::field;

use super::machine;

/// The lines by which a process could set an output variable, as a tenant may type them.
fn orders(name: &str) -> [String; 3] {
    let [name, value, no] = [name, "FORGED", "False"].map(|text| BASE64.encode(text.as_bytes()));
    let rest = format!("name='{name}' value='{value}' sensitive='{no}']");
    ["##windlass[setVariable ", "##octopus[setVariable ", "##windlass[setVariable token='' "]
        .map(|opening| format!("{opening}{rest}"))
}

fn documents(name: &str) -> String {
    let full = "Windlass.Action[Zero].Output[web-1].Url";
    let orders = ["OnlyAdmin", full, "List[two]", "Free"].map(orders).concat();
    let lines: Vec<_> = orders.iter().map(|order| format!("    {order}\n")).collect();
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
  - {{name: One, roles: [web], script: {{shell: python, body: "set_windlassvariable('Made', 'python')"}}}}
  - {{name: Print, roles: [web], script: {{body: "get_windlassvariable Alias"}}}}
  - name: Take
    roles: [web]
    script:
      body: |
        echo "admin=$(get_windlassvariable OnlyAdmin 2>/dev/null) zero=$(get_windlassvariable '{full}')"
        echo "list=$(get_windlassvariable 'List[two]' 2>/dev/null) for $(get_windlassvariable Windlass.Deployment.Tenant.Name)"
        echo "free=$(get_windlassvariable Free 2>/dev/null) made=$(get_windlassvariable Made)"
        get_windlassvariable Alias | grep '^read'
        echo for #{{Windlass.Deployment.Tenant.Name | Quoted}} as #{{each one in List}}#{{one | Quoted}} #{{/each}}
---
kind: project
name: Misplaced
tenancy: tenanted
steps: [{{name: Run, roles: [web], script: {{body: 'echo "for #{{Windlass.Deployment.Tenant.Name | Quoted}}"'}}}}]
---
kind: tenant
name: '{name}'
slug: customer
projects: {{Named: [Production], Misplaced: [Production], Printed: [Production]}}
values:
  Printed:
    Alias: |
      said
      read #{{Made}} #{{{full}}} by #{{Windlass.Deployment.Tenant.Name}}
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
    for project in ["Named", "Misplaced", "Printed"] {
        installation.windlass(&["release", "create", "--project", project, "--version", "1.0.0"]);
    }
    let agent = machine(&installation, "web-1", &[&name]);
    agents::wait_for_presence(&installation, "web-1", true);
    let what = |project| {
        ["release", "deploy", "--project", project, "--version", "1.0.0", "--environment", "Production"]
    };

    for (project, sentence) in [
        ("Named", "puts the tenant's name into the script as code"),
        ("Misplaced", "puts the tenant's name into the script where its filter does not protect"),
    ] {
        let mut command = installation.windlass_command(&[&what(project)[..], &["--tenant", &name]].concat());
        let refused = command.output().expect("windlass starts");
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && said.contains(sentence), "{said}");
    }

    let answer = installation.json(&[&what("Printed")[..], &["--tenant", &name]].concat());
    let id = field(&answer["deployments"][0], "id").to_owned();
    let state = || field(&installation.json(&["deployment", "view", &id]), "state").to_owned();
    wait_until("the end", || !["queued", "fetching", "running"].contains(&state().as_str()));
    let told = installation.windlass(&["deployment", "logs", &id]);
    assert_eq!(state(), "succeeded", "{told}");
    for line in [
        "said",
        "##octopus[setVariable name=",
        "admin= zero=real",
        &format!("list= for {name}"),
        "free= made=python",
        &format!("read #{{Made}} #{{Windlass.Action[Zero].Output[web-1].Url}} by {name}"),
        &format!("for {name} as first"),
    ] {
        assert!(told.contains(line), "`{line}` is not in {told}");
    }
    assert!(!pwned.exists(), "what a tenant is called was run");
    drop(agent);
}
