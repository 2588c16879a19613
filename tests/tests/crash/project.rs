//! What is deployed: a project whose steps count their own runs, and packages whose files all say their version.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Targets, with the tag of the tenants that each serves. Two of them are shared, and all of `shared-2`'s tenants are
/// on `shared-1` too, so that a deployment has several targets.
pub const TARGETS: [(&str, &str); 3] =
    [("shared-1", "Hosting/Shared"), ("shared-2", "Hosting/Twice"), ("dedicated-1", "Hosting/Dedicated")];

/// Tenants that are there from the start, with their tags.
pub const TENANTS: [(&str, &str); 4] = [
    ("Ash", "[Hosting/Shared, Hosting/Twice]"),
    ("Birch", "[Hosting/Shared]"),
    ("Cedar", "[Hosting/Twice]"),
    ("Dogwood", "[Hosting/Dedicated]"),
];

/// Files of a package beside its hooks and its settings.
const FILES: u64 = 12;
/// Bytes of the large file.
const LARGE: usize = 300_000;
/// How the lines begin that a run appends to the file of runs.
pub const FIELDS: usize = 4;

/// Whether this version's PostDeploy fails, so that the switch is taken back.
pub const fn is_bad(number: u64) -> bool {
    number % 5 == 3
}

/// The text of a process that writes down that it ran: one line, appended with one write, `DEPLOYMENT STEP STAGE
/// TARGET`. It holds a lock of its target, to find out whether it is alone there.
fn counting(folder: &Path, stage: &str, then: &str) -> String {
    let folder = folder.display();
    format!(
        "target=$(get_windlassvariable Windlass.Machine.Name)\n\
         exec 9>>\"{folder}/lock-$target\"\n\
         flock -n 9 || echo \"$WINDLASS_DEPLOYMENT $WINDLASS_STEP {stage} $target\" >> {folder}/overlaps\n\
         echo \"$WINDLASS_DEPLOYMENT $WINDLASS_STEP {stage} $target\" >> {folder}/runs\n\
         echo \"{stage} of $WINDLASS_STEP ran, and this line is long enough to fill a segment\"\n{then}\n"
    )
}

/// The folder where runs are counted, which every account may reach.
pub fn make_counts(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::create_dir(folder).expect("a folder");
    fs::set_permissions(folder, fs::Permissions::from_mode(0o711)).expect("own folder");
    let locks = TARGETS.map(|(target, _)| format!("lock-{target}"));
    for name in ["runs", "overlaps"].into_iter().chain(locks.iter().map(String::as_str)) {
        fs::write(folder.join(name), "").expect("a file");
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o666)).expect("own file");
    }
}

/// The documents: environment, tags, the project, the tenants.
pub fn documents(counts: &Path) -> String {
    let indented = |text: String| text.lines().map(|line| format!("        {line}\n")).collect::<String>();
    let mut text = format!(
        r#"kind: environment
name: Production
---
kind: tag-set
name: Hosting
tags: [{{name: Shared}}, {{name: Twice}}, {{name: Dedicated}}]
---
kind: project
name: Shop
tenancy: tenanted
templates: [{{name: Secret, control: sensitive}}]
steps:
  - name: Prepare
    roles: [web]
    script:
      body: |
{}  - name: Web
    roles: [web]
    package: {{id: shop, substitute: [settings.txt]}}
  - name: Again
    roles: [web]
    safe-to-repeat: true
    script:
      body: |
{}  - name: After
    roles: [web]
    script:
      body: |
{}"#,
        indented(counting(
            counts,
            "script",
            "sleep 0.3; echo and on; sleep 0.2; echo and on; set_windlassvariable Done yes"
        )),
        indented(counting(counts, "script", "sleep 0.1")),
        indented(counting(counts, "script", "get_windlassvariable Secret | wc -c; seq 1 60; sleep 0.2")),
    );
    for (name, tags) in TENANTS {
        text.push_str(&tenant(name, tags));
    }
    text
}

/// The document of a tenant. Its value is sensitive, so that it needs a key of its own.
pub fn tenant(name: &str, tags: &str) -> String {
    format!(
        "---\nkind: tenant\nname: {name}\ntags: {tags}\nprojects: {{Shop: [Production]}}\n\
         values: {{Shop: {{Secret: {{from-env: PATH}}}}}}\n"
    )
}

/// Version `number` of the package as text.
pub fn version(number: u64) -> String {
    format!("1.0.{number}")
}

/// Every file of a version of the package, as it lies in a release that is current.
pub fn files(number: u64, counts: &Path) -> BTreeMap<String, Vec<u8>> {
    let version = version(number);
    let mut files = BTreeMap::new();
    for file in 0..FILES {
        files.insert(format!("data/{file}.txt"), format!("file {file} of {version}\n").into_bytes());
    }
    // Nothing in it repeats, so that it travels as it is.
    let mut chances = super::settings::Chances::of(number, "package");
    let large = std::iter::repeat_with(|| chances.below(256) as u8).take(LARGE);
    files.insert("data/large".to_owned(), large.collect());
    files.insert("settings.txt".to_owned(), format!("release {version}\n").into_bytes());
    let fails = if is_bad(number) { "exit 1" } else { "sleep 0.1" };
    for (stage, then) in
        [("PreDeploy", "sleep 0.1"), ("Deploy", ""), ("PostDeploy", fails), ("DeployFailed", "")]
    {
        files.insert(format!("{stage}.sh"), counting(counts, stage, then).into_bytes());
    }
    files
}

/// Writes the package of a version as an archive, and returns its path.
pub fn archive(number: u64, counts: &Path, folder: &Path) -> std::path::PathBuf {
    let path = folder.join(format!("shop.{}.tar", version(number)));
    let mut builder = tar::Builder::new(fs::File::create(&path).expect("a file"));
    for (name, mut content) in files(number, counts) {
        if name == "settings.txt" {
            content = b"release #{Windlass.Release.Number}\n".to_vec();
        }
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append_data(&mut header, &name, content.as_slice()).expect("an archive");
    }
    builder.finish().expect("an archive");
    path
}
