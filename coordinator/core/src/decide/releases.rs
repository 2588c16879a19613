//! Packages and releases.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use windlass_api::error::Problem;
use windlass_api::requests::ReleaseRequest;
use windlass_protocol::Digest;
use windlass_protocol::ids::{ReleaseId, StepId};
use windlass_protocol::names::fold;
use windlass_templates::Shell;

use super::documents::check_package_id;
use super::{Draft, Reply};
use crate::catalogue::unknown;
use crate::event::{PackageUploaded, ReleaseCreated, ReleaseEvent};
use crate::freeze::freeze;
use crate::model::{ChosenPackage, CodeNames, Package, PackageKey, Project, Snapshot, Step, StepAction};
use crate::names::StepNames;
use crate::state::Space;
use crate::variables::{Secret, Secrets, TooMuch, Undefined, references_in};
use crate::version::Version;

pub(super) fn add_package(draft: &mut Draft<'_>, package: &Package) -> Result<Reply, Problem> {
    check_package_id(&package.key.id)?;
    if let Some(known) = draft.space().packages.get(&package.key) {
        // Uploading the same again is how a pipeline retries.
        if known.manifest == package.manifest {
            return Ok(Reply::Done);
        }
        return Err(Problem::conflict(format!(
            "there is a package {} {} already, with another content; give this one a new version",
            known.key.id, known.key.version
        )));
    }
    let Package { key, manifest, original, format, size, files, .. } = package.clone();
    let package = PackageUploaded { key, manifest, original, format, size, files };
    draft.emit(ReleaseEvent::PackageUploaded { package });
    Ok(Reply::Done)
}

pub(super) fn create(
    draft: &mut Draft<'_>,
    request: &ReleaseRequest,
    package_names: &PackageNames,
) -> Result<Reply, Problem> {
    draft.instead("a release holds all that its project and its library sets define; let them define less");
    let project = draft.space().projects.find(&request.project)?.clone();
    if project.steps.is_empty() {
        return Err(Problem::usage(format!("the project `{}` has no steps yet", project.name)));
    }
    let mut packages = choose_packages(draft.space(), &project, request)?;
    let version = choose_version(draft.space(), &project, request, &packages)?;
    if let Some(existing) = draft.space().release(project.id, &version) {
        return Err(Problem::conflict(format!(
            "there is a release {} of `{}` already",
            existing.version, project.name
        )));
    }
    let mut snapshot = freeze(draft.space(), &project);
    for step in &mut snapshot.steps {
        let Some(package) = packages.get_mut(&step.id) else { continue };
        // A variable that nobody saw would never travel, and the step would run without it.
        let read = package_names.get(&(step.id, package.manifest)).ok_or_else(|| {
            Problem::conflict(format!(
                "the package {} {} of step `{}` was changed at this moment, and which variables it needs is not \
                 known; try again",
                package.id, package.version, step.name
            ))
        })?;
        step.needs.extend(read.needs.iter().cloned());
        package.hooks = read.hooks.clone();
    }
    refuse_secrets_in_hooks(&snapshot, &packages, package_names)?;
    let release = ReleaseCreated {
        id: ReleaseId::from_bytes(draft.fresh.bytes()),
        project: project.id,
        version,
        notes: request.notes.clone(),
        snapshot: Arc::new(snapshot),
        packages,
    };
    let id = release.id;
    draft.emit(ReleaseEvent::Created { release });
    Ok(Reply::Release(id))
}

/// What is known of the package of a step, of the content that was looked into.
pub type PackageNames = BTreeMap<(StepId, Digest), ReadNames>;

/// The names that the files of a package have for a step: its hooks, and what the step names for substitution.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadNames {
    /// All that they read.
    pub needs: BTreeSet<String>,
    /// What hooks read by `#{…}`; one that ends with `[` stands for all that begin so.
    pub in_hooks: BTreeSet<String>,
    /// What hooks do with variables.
    pub hooks: CodeNames,
}

impl ReadNames {
    /// Adds those of a file that is substituted in.
    pub fn add_file(&mut self, text: &str) {
        self.needs.extend(references_in(text));
    }

    /// Adds those of a hook, which is substituted in as well, and run by `shell`.
    pub fn add_hook(&mut self, text: &str, shell: Shell) {
        self.add_file(text);
        self.needs.extend(windlass_templates::script_references(text));
        self.in_hooks.extend(references_in(text));
        self.hooks.extend(CodeNames::of(text, shell));
    }
}

/// A hook is a file of the package, on the target's disk: a sensitive value is asked for when it runs, and is no part of
/// its text.
fn refuse_secrets_in_hooks(
    snapshot: &Snapshot,
    packages: &BTreeMap<StepId, ChosenPackage>,
    package_names: &PackageNames,
) -> Result<(), Problem> {
    let mut secrets = Secrets::of(snapshot);
    for step in &snapshot.steps {
        let Some(package) = packages.get(&step.id) else { continue };
        let Some(read) = package_names.get(&(step.id, package.manifest)) else { continue };
        let found = secrets.read_by(step, &read.in_hooks).map_err(|TooMuch| {
            Problem::conflict(
                "the hooks of its packages lead to more values, in steps of more kinds, than can be looked through for \
                 secrets; let them ask by `get_windlassvariable`, or let variables refer to fewer others",
            )
        })?;
        if let Some(secret) = found {
            return Err(Problem::conflict(format!(
                "step `{}`: a hook of the package {} {} has {}",
                step.name,
                package.id,
                package.version,
                in_text(&secret)
            )));
        }
    }
    Ok(())
}

/// What a hook has in its text, and what to do about it. Whether it inserts what it reads or decides by it is all one.
fn in_text(secret: &Secret<'_>) -> String {
    let Secret { read, name, undefined } = secret;
    let ask = match read.strip_suffix('[') {
        None => format!("let it ask by `get_windlassvariable \"{read}\"`"),
        Some(_) if secret.is_through_another() => "let it ask for each by `get_windlassvariable`".to_owned(),
        Some(_) => format!("let it ask by `get_windlassvariable \"{name}\"`"),
    };
    let reads = match read.strip_suffix('[') {
        None => format!("`{read}` in a `#{{…}}` of its text"),
        Some(list) => format!("what `{list}` has in a `#{{…}}` of its text"),
    };
    match undefined {
        Some(Undefined { name: undefined, holder }) => {
            let through = match fold(holder) == fold(name) {
                true => String::new(),
                false => format!("`{holder}`, and that reads "),
            };
            format!(
                "{reads}, and where no value of `{undefined}` applies, that is read from {through}`{name}`, which is \
                 sensitive; give `{undefined}` a value for every place where the step may run, or {ask}"
            )
        }
        None if secret.is_through_another() => {
            format!("{reads}, and that reads `{name}`, which is sensitive; {ask}")
        }
        None => match read.strip_suffix('[') {
            None => format!("{reads}, which is sensitive; {ask}"),
            Some(_) => format!("{reads}, and among it `{name}`, which is sensitive; {ask}"),
        },
    }
}

/// The sentence for a name that no step with a package has; who named the package is told its step.
fn no_package_step(project: &Project, name: &str) -> String {
    let steps = || {
        project.steps.iter().filter_map(|step| match &step.action {
            StepAction::Package { id, .. } => Some((step.name.as_str(), id)),
            StepAction::Script(_) => None,
        })
    };
    match steps().find(|(_, package)| package.eq_ignore_ascii_case(name)) {
        Some((step, package)) => format!(
            "there is no package step `{name}`; the package {package} is chosen by its step, as `{step}:VERSION`"
        ),
        None => unknown("package step", name, steps().map(|(step, _)| step)),
    }
}

/// The packages that a release of this project would have: what was asked for, else the newest of each.
pub fn choose_packages(
    space: &Space,
    project: &Project,
    request: &ReleaseRequest,
) -> Result<BTreeMap<StepId, ChosenPackage>, Problem> {
    let has_package = |step: &&Step| matches!(step.action, StepAction::Package { .. });
    let (names, mut asked) = (StepNames::of(&project.steps), BTreeMap::new());
    for (name, version) in &request.packages {
        let Some(step) = names.called(name).filter(has_package) else {
            return Err(Problem::not_found(no_package_step(project, name)));
        };
        if let Some(other) = asked.insert(step.id, version)
            && other != version
        {
            return Err(Problem::usage(format!(
                "step `{}` is named twice, with the versions {other} and {version} of its package; name it once",
                step.name
            )));
        }
    }
    let mut chosen = BTreeMap::new();
    for step in &project.steps {
        let StepAction::Package { id, .. } = &step.action else { continue };
        let package = match asked.get(&step.id) {
            Some(text) => {
                let version = text.parse::<Version>().map_err(|why| Problem::usage(why.to_string()))?;
                space.packages.get(&PackageKey { id: id.clone(), version }).ok_or_else(|| {
                    let versions: Vec<_> =
                        space.packages_of(id).map(|package| package.key.version.to_string()).collect();
                    let known = unknown(&format!("package `{id}` with version"), text, versions.iter().map(String::as_str));
                    Problem::not_found(known)
                })?
            }
            None => space.packages_of(id).last().ok_or_else(|| {
                Problem::not_found(format!(
                    "step `{}` deploys the package `{id}`, and none is uploaded; use `windlass package upload`",
                    step.name
                ))
            })?,
        };
        let (id, version) = (package.key.id.clone(), package.key.version.clone());
        let (manifest, size) = (package.manifest, package.size);
        chosen.insert(step.id, ChosenPackage { id, version, manifest, size, hooks: CodeNames::default() });
    }
    Ok(chosen)
}

fn choose_version(
    space: &Space,
    project: &Project,
    request: &ReleaseRequest,
    packages: &BTreeMap<StepId, ChosenPackage>,
) -> Result<Version, Problem> {
    if let Some(text) = &request.version {
        return text.parse().map_err(|why: crate::version::NotAVersion| Problem::usage(why.to_string()));
    }
    if let Some(highest) = packages.values().map(|package| &package.version).max() {
        return Ok(highest.clone());
    }
    let last = space.releases_of(project.id).next_back().map(|release| release.version.clone());
    Ok(last.map_or_else(Version::first, |last| last.next()))
}
