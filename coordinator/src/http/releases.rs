//! Releases: create, list, view.

use std::sync::Arc;

use axum::Json;
use serde::Deserialize;
use utoipa::IntoParams;
use windlass_api::answers::{ChosenPackageView, Page, ReleaseItem, ReleaseMade, ReleaseView};
use windlass_api::error::Problem;
use windlass_api::requests::ReleaseRequest;
use windlass_coordinator_core::catalogue::unknown_within;
use windlass_coordinator_core::decide::{PackageNames, ReadNames, Reply, SpaceCommand, choose_packages};
use windlass_coordinator_core::model::{Release, StepAction};
use windlass_coordinator_core::state::Space;
use windlass_coordinator_core::variables::{malformed, malformed_in};
use windlass_packages::PackageStore;
use windlass_protocol::ids::{ReleaseId, StepId};
use windlass_protocol::{Digest, pattern};
use windlass_templates::Shell;

use super::caller::{Changer, Reader};
use super::display;
use super::extract::{Asked, Body, Named};
use super::packages::texts;
use super::pages::Paging;
use super::refusal::{Answer, Refusal};

/// Hook files at a package's root (SURFACE, "What scripts see").
const HOOKS: [&str; 4] = ["PreDeploy", "Deploy", "PostDeploy", "DeployFailed"];

/// Makes a release: freezes the process, the variables and the newest or named packages.
#[utoipa::path(post, path = "/releases", tag = "releases", request_body = ReleaseRequest,
    responses((status = 200, body = ReleaseMade)))]
pub async fn create(mut caller: Changer, Body(mut request): Body<ReleaseRequest>) -> Answer<ReleaseMade> {
    // Which packages are the newest may be another answer by the time that somebody asks again.
    if let Some(Reply::Release(id)) = caller.asks("release", &request)? {
        return made(&caller, id, Vec::new());
    }
    let chosen = {
        let sight = caller.sight()?;
        choose(sight.space(), &mut request)?
    };
    let packages = Arc::clone(&caller.context.services.packages);
    let reading = tokio::task::spawn_blocking(move || read_packages(packages.as_ref(), &chosen)).await;
    let (package_names, warnings) = reading.map_err(|why| Refusal::internal("reading packages", &why))??;
    let command = SpaceCommand::CreateRelease { request, package_names };
    let Reply::Release(id) = caller.submit_in_space(command, None).await? else {
        return Err(Refusal::internal("making a release", &"the decision has another answer"));
    };
    made(&caller, id, warnings)
}

/// Warnings of a release at most.
const MOST_WARNINGS: usize = 100;

fn made(caller: &Changer, id: ReleaseId, of_packages: Vec<String>) -> Answer<ReleaseMade> {
    let sight = caller.sight()?;
    let release = sight.space().releases.get(&id);
    let release = release.ok_or_else(|| Problem::not_found("the release was deleted at once"))?;
    let of_texts = malformed_in(&release.snapshot).map(|place| place.to_string());
    let warnings = of_texts.chain(of_packages).take(MOST_WARNINGS).collect();
    Ok(Json(ReleaseMade { release: view_of(sight.space(), release), warnings }))
}

/// A package that the release will have, and the patterns of its files that are read beside the hooks.
struct Chosen {
    step: StepId,
    manifest: Digest,
    what: String,
    substitute: Vec<String>,
}

/// The package of each step, as the decision chooses it, and pins its version in the request, so that what is read is
/// what is released even if a newer package arrives meanwhile.
fn choose(space: &Space, request: &mut ReleaseRequest) -> Result<Vec<Chosen>, Problem> {
    let project = space.projects.find(&request.project)?;
    let packages = choose_packages(space, project, request)?;
    request.packages.clear();
    let mut chosen = Vec::new();
    for step in &project.steps {
        let StepAction::Package { substitute, .. } = &step.action else { continue };
        let Some(package) = packages.get(&step.id) else { continue };
        let what = format!("{} {}", package.id, package.version);
        let manifest = package.manifest;
        chosen.push(Chosen { step: step.id, manifest, what, substitute: substitute.clone() });
        request.packages.insert(step.slug.to_string(), package.version.to_string());
    }
    Ok(chosen)
}

/// What hooks and named files do with variables, and what could not be looked into.
fn read_packages(store: &PackageStore, chosen: &[Chosen]) -> Result<(PackageNames, Vec<String>), Problem> {
    let mut names = PackageNames::new();
    let mut warnings = Vec::new();
    for package in chosen {
        let substituted =
            |path: &str| package.substitute.iter().any(|pattern| pattern::matches(pattern, path));
        let texts =
            texts(store, package.manifest, |path| is_hook(path.as_str()) || substituted(path.as_str()))?;
        let mut read = ReadNames::default();
        for (path, text) in &texts.read {
            let path = path.as_str();
            match is_hook(path) {
                true => read.add_hook(text, shell_of(path)),
                false => read.add_file(text),
            }
            let places = malformed(&format!("{path} in {}", package.what), text);
            warnings.extend(places.iter().map(ToString::to_string));
        }
        names.insert((package.step, package.manifest), read);
        warnings.extend(texts.left_out.iter().map(|(path, _)| {
            format!(
                "{path} in {} is no text or too large, so the variables that it needs are not known; list them in the step's `needs`",
                package.what
            )
        }));
    }
    Ok((names, warnings))
}

/// What runs a hook. One with another ending is not run.
fn shell_of(path: &str) -> Shell {
    path.rsplit_once('.').and_then(|(_, ending)| Shell::of_ending(ending)).unwrap_or(Shell::Bash)
}

fn is_hook(path: &str) -> bool {
    path.split_once('.').is_some_and(|(stem, ending)| HOOKS.contains(&stem) && !ending.contains('/'))
}

/// Whose releases.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OfProject {
    /// Only those of this project.
    pub project: Option<String>,
}

/// The releases: projects by name, the highest version first.
#[utoipa::path(get, path = "/releases", tag = "releases", params(OfProject, Paging),
    responses((status = 200, body = Page<ReleaseItem>)))]
pub async fn list(
    caller: Reader,
    Asked(of): Asked<OfProject>,
    Asked(paging): Asked<Paging>,
) -> Answer<Page<ReleaseItem>> {
    let sight = caller.sight()?;
    let space = sight.space();
    let projects = match &of.project {
        Some(name) => vec![space.projects.find(name)?],
        None => space.projects.by_name().collect(),
    };
    let releases = projects.iter().flat_map(|project| space.releases_of(project.id).rev());
    let admitted = releases.filter(|release| {
        let project = display::name(&space.projects, release.project);
        paging.admits([release.version.to_string().as_str(), &project])
    });
    let keyed = admitted.map(|release| (release.id.to_string(), release));
    Ok(Json(paging.page(keyed, |release| item(space, release))?))
}

/// A release.
#[utoipa::path(get, path = "/releases/{project}/{version}", tag = "releases",
    params(("project" = String, Path, description = "Id, slug or name."),
        ("version" = String, Path, description = "Its version, or `latest`.")),
    responses((status = 200, body = ReleaseView)))]
pub async fn view(caller: Reader, Named((project, version)): Named<(String, String)>) -> Answer<ReleaseView> {
    let sight = caller.sight()?;
    let release = find(sight.space(), &project, &version)?;
    Ok(Json(view_of(sight.space(), release)))
}

/// The release of a project that `version` names: a version, or `latest` for the highest.
pub fn find<'a>(space: &'a Space, project: &str, version: &str) -> Result<&'a Arc<Release>, Problem> {
    let project = space.projects.find(project)?;
    if version == "latest" {
        let none = || Problem::not_found(format!("the project `{}` has no release yet", project.name));
        return space.releases_of(project.id).next_back().ok_or_else(none);
    }
    let parsed = version
        .parse()
        .map_err(|why: windlass_coordinator_core::version::NotAVersion| Problem::usage(why.to_string()))?;
    space.release(project.id, &parsed).ok_or_else(|| {
        let versions: Vec<_> =
            space.releases_of(project.id).map(|release| release.version.to_string()).collect();
        let known = versions.iter().map(String::as_str);
        Problem::not_found(unknown_within("release", version, &format!("of `{}`", project.name), known))
    })
}

fn item(space: &Space, release: &Release) -> ReleaseItem {
    ReleaseItem {
        id: release.id.to_string(),
        project: display::name(&space.projects, release.project),
        version: release.version.to_string(),
        created: display::time(release.created),
    }
}

fn view_of(space: &Space, release: &Release) -> ReleaseView {
    let steps = &release.snapshot.steps;
    let packages = steps.iter().filter_map(|step| {
        let package = release.packages.get(&step.id)?;
        Some(ChosenPackageView {
            step: step.name.to_string(),
            id: package.id.clone(),
            version: package.version.to_string(),
            manifest: package.manifest.to_string(),
        })
    });
    let mut succeeded = Vec::new();
    for environment in space.environments_in_order() {
        let here = space.history.succeeded_for(release.id, environment.id);
        succeeded.extend(here.map(|tenant| match display::tenant(space, tenant) {
            Some(tenant) => format!("{}/{tenant}", environment.name),
            None => environment.name.to_string(),
        }));
    }
    ReleaseView {
        item: item(space, release),
        notes: release.notes.clone(),
        packages: packages.collect(),
        steps: steps.iter().map(|step| step.name.to_string()).collect(),
        succeeded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_files_at_the_root_with_these_names() {
        for path in ["PreDeploy.sh", "Deploy.py", "PostDeploy.tar.sh", "DeployFailed.ps1"] {
            assert!(is_hook(path), "{path}");
        }
        for path in ["Deploy", "scripts/Deploy.sh", "deploy.sh", "MyDeploy.sh", "Deploy.d/a.sh"] {
            assert!(!is_hook(path), "{path}");
        }
    }
}
