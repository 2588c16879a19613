//! The tenants, what belongs to each, and the words that are planted in it.

use std::collections::BTreeSet;
use std::path::Path;

use windlass_tests::archives::Tar;

pub const TENANTS: [&str; 3] = ["alpha", "beta", "gamma"];

/// What of a tenant reaches its own agents.
pub const RECEIVED: [&str; 13] = [
    "tenant",    // its name
    "package",   // its package's id
    "filename",  // the name of a file in it
    "content",   // a small file's content
    "deep",      // far inside of a large file that compresses well
    "value",     // a value of its own
    "sensitive", // the same, sensitive
    "variable",  // a project's variable that is scoped to it
    "step",      // a step that is for it alone
    "project",   // a project that it alone has
    "made",      // what one of its steps set for the next
    "hidden",    // the same, sensitive
    "second",    // in the name of the step that reads it
];
/// What of it lies on their disks for good.
pub const INSTALLED: [&str; 9] =
    ["tenant", "filename", "content", "deep", "value", "variable", "step", "project", "second"];
/// What nobody but the coordinator sees.
const KEPT: [&str; 1] = ["notes"];
/// What comes to be on the agent.
const PRINTED: [&str; 1] = ["output"];

/// The word that is planted in something of a tenant.
pub fn canary(tenant: &str, what: &str) -> String {
    format!("cny{tenant}{what}")
}

/// Several of them.
pub fn canaries_of(tenant: &str, kinds: &[&str]) -> BTreeSet<String> {
    kinds.iter().map(|kind| canary(tenant, kind)).collect()
}

/// Everything that belongs to a tenant.
pub fn all_of(tenant: &str) -> BTreeSet<String> {
    [&RECEIVED[..], &KEPT, &PRINTED].iter().flat_map(|kinds| canaries_of(tenant, kinds)).collect()
}

/// The documents: one project for all, with a package step for each tenant, and a project for each.
pub fn documents(go: &Path) -> String {
    let mut text = "kind: environment\nname: Production\n".to_owned();
    let (mut steps, mut values) = (String::new(), String::new());
    for tenant in TENANTS {
        let [name, package, variable] = ["tenant", "package", "variable"].map(|kind| canary(tenant, kind));
        let (step, project) = (canary(tenant, "step"), canary(tenant, "project"));
        values += &format!("    - {{value: {variable}, tenants: {{tenants: [{name}]}}}}\n");
        steps += &format!(
            "  - {{name: {step}, roles: [web], tenants: {{tenants: [{name}]}}, \
             package: {{id: {package}, substitute: [\"*.conf\"]}}}}\n"
        );
        // In pieces, so that the script's text is not yet what the script makes.
        let script = format!(
            "echo cny{tenant}'output'; set_windlassvariable Made cny{tenant}'made'; set_windlassvariable Hidden cny{tenant}'hidden' --sensitive"
        );
        let second = canary(tenant, "second");
        text += &format!(
            "---\nkind: project\nname: {project}\ntenancy: tenanted\nsteps:\n\
             \x20 - {{name: Make, roles: [web], script: {{body: \"{script}\"}}}}\n\
             \x20 - {{name: {second}, roles: [web], script: {{body: 'get_windlassvariable Made; : $(get_windlassvariable Hidden)'}}}}\n\
             ---\nkind: tenant\nname: {name}\nprojects: {{Common: [Production], {project}: [Production]}}\n\
             values: {{Common: {{Plain: {}, Secret: {{from-env: SECRET_OF_{tenant}}}}}}}\n",
            canary(tenant, "value"),
        );
    }
    // The step waits until everything was looked at while it runs, and keeps no other step of its machine waiting.
    let body = format!(
        "get_windlassvariable Plain; get_windlassvariable Tagged; secret=$(get_windlassvariable Secret); \
         for i in $(seq 600); do [ -e {} ] && exit 0; sleep 0.1; done; exit 1",
        go.display()
    );
    format!(
        "{text}---\nkind: project\nname: Common\ntenancy: tenanted\n\
         templates: [{{name: Plain}}, {{name: Secret, control: sensitive}}]\n\
         variables:\n  Tagged:\n{values}steps:\n{steps}\
         \x20 - {{name: Wait, roles: [web], concurrent: true, script: {{body: \"{body}\"}}}}\n"
    )
}

/// A package with planted names and contents, one file of which takes two segments and compresses well.
pub fn package(tenant: &str) -> Vec<u8> {
    let line = "all work and no play makes a large file that compresses well\n";
    let mut large = line.repeat((5 << 20) / line.len());
    large.insert_str(large.len() - 1000 * line.len(), &canary(tenant, "deep"));
    Tar::default()
        .file(format!("{}.txt", canary(tenant, "filename")), canary(tenant, "content"))
        .file("large.txt", large)
        .file("settings.conf", "plain=#{Plain}\nvariable=#{Tagged}\n")
        .end()
}
