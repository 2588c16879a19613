//! Where a deployment's files lie on this machine: folders from slugs, each with a note of whose it is.
//!
//! ```text
//! <install root>/<space>/<environment>/<tenant or _>/<project>/<step>/{releases/<version>-<n>, current}
//! ```
//!
//! The structure belongs to the agent and lets one account's group through, nobody else: a tenant's process can
//! neither see another tenant's folders nor put a link where the agent is about to write. What is a tenant's own
//! (home, scratch, the content of a release) belongs to its account and is 0700. A folder that a step's place has, but
//! that belongs to other ids (a deleted tenant of the same name), is refused.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use windlass_agent_packages::CacheError;
use windlass_protocol::ids::{AssignmentId, EnvironmentId, ProjectId, SpaceId, StepId, TenantId};
use windlass_protocol::message::{InstallationPath, RunWork};
use windlass_segments::disk;
use windlass_supervisor::Account;

use crate::durable;

/// Held while a step's folders are made or found. Tasks of one tenant share folders and notes: what one finds missing
/// another may be writing, and of two that bring other ids only one may.
static PREPARING: Mutex<()> = Mutex::new(());

/// Whose a folder is.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Owner {
    space: SpaceId,
    environment: EnvironmentId,
    tenant: Option<TenantId>,
    project: Option<ProjectId>,
    step: Option<StepId>,
}

/// A step's folders.
pub(super) struct Folders {
    /// The account's home.
    pub(super) home: PathBuf,
    /// Where a script begins: empty, and gone afterwards.
    pub(super) scratch: PathBuf,
    pub(super) step: PathBuf,
}

/// The tenant's folder, whether it exists or not.
pub(super) fn tenant_folder(root: &Path, place: &InstallationPath) -> PathBuf {
    let tenant = place.tenant.as_ref().map_or("_", |(_, slug)| slug.as_str());
    root.join(place.space.1.as_str()).join(place.environment.1.as_str()).join(tenant)
}

/// Makes a step's folders, or finds them and checks whose they are.
pub(super) fn prepare(
    root: &Path,
    place: &InstallationPath,
    work: &RunWork,
    assignment: AssignmentId,
    account: Option<Account>,
) -> anyhow::Result<Folders> {
    let _alone = PREPARING.lock().unwrap_or_else(PoisonError::into_inner);
    let tenant = tenant_folder(root, place);
    let above = tenant.parent().context("the install root has folders below it")?;
    // Others may pass through to their own tenant's folder, and see nothing.
    passage(above).with_context(|| format!("cannot make the folder {}", above.display()))?;
    let mut owner = Owner {
        space: place.space.0,
        environment: place.environment.0,
        tenant: place.tenant.as_ref().map(|(id, _)| *id),
        project: None,
        step: None,
    };
    structure(&tenant, account)?;
    check_owner(&beside(&tenant), &owner)?;
    let project = tenant.join(place.project.1.as_str());
    structure(&project, account)?;
    let step = project.join(work.step.1.as_str());
    structure(&step, account)?;
    owner.project = Some(place.project.0);
    owner.step = Some(work.step.0);
    let note = format!(".{}.{}.{}", file_name(&tenant), place.project.1, work.step.1);
    check_owner(&above.join(note), &owner)?;
    let home = tenant.join(".home");
    own_folder(&home, account)?;
    let scratch = scratch(&tenant, assignment);
    own_folder(&scratch, account)?;
    Ok(Folders { home, scratch, step })
}

/// Makes a folder through which others may pass, and those above it that are missing.
fn passage(path: &Path) -> io::Result<()> {
    if path.try_exists()? {
        return Ok(());
    }
    passage(disk::parent(path))?;
    if disk::create_folder(path)? {
        fs::set_permissions(path, fs::Permissions::from_mode(0o711))?;
    }
    disk::sync_folder(disk::parent(path))
}

fn scratch(tenant: &Path, assignment: AssignmentId) -> PathBuf {
    tenant.join(format!(".scratch-{assignment}"))
}

/// Where an assignment unpacks a release before it has its name.
pub(super) fn unpacking(step: &Path, assignment: AssignmentId) -> PathBuf {
    step.join("releases").join(format!(".unpacking-{assignment}"))
}

/// Removes what an assignment needed only while it ran, or did not come to the end of. Nothing of it may be there.
pub(super) fn clear(
    root: &Path,
    place: &InstallationPath,
    work: &RunWork,
    assignment: AssignmentId,
) -> Result<(), CacheError> {
    let tenant = tenant_folder(root, place);
    let step = tenant.join(place.project.1.as_str()).join(work.step.1.as_str());
    for folder in [scratch(&tenant, assignment), unpacking(&step, assignment)] {
        windlass_agent_packages::remove_folder(&folder)?;
    }
    windlass_agent_packages::unprepare(&step.join("current"))
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn beside(folder: &Path) -> PathBuf {
    folder.with_file_name(format!(".{}", file_name(folder)))
}

/// Makes a folder of the structure: the agent's, with passage for one account's group.
pub(super) fn structure(path: &Path, account: Option<Account>) -> anyhow::Result<()> {
    match account {
        None => make(path, 0o700, None, None),
        Some(account) => make(path, 0o750, None, Some(account.gid)),
    }
}

/// Makes a folder that only its account can enter.
pub(super) fn own_folder(path: &Path, account: Option<Account>) -> anyhow::Result<()> {
    make(path, 0o700, account.map(|account| account.uid), account.map(|account| account.gid))
}

/// Its parent is the agent's alone, so what is looked at here is what is changed here.
fn make(path: &Path, mode: u32, uid: Option<u32>, gid: Option<u32>) -> anyhow::Result<()> {
    let failed = || format!("cannot make the folder {}", path.display());
    if disk::create_folder(path).with_context(failed)? {
        // What is released below it is reported as there.
        disk::sync_folder(disk::parent(path)).with_context(failed)?;
    } else if !fs::symlink_metadata(path).with_context(failed)?.is_dir() {
        bail!("{} is in the way: it is no folder", path.display());
    }
    chown(path, uid, gid).with_context(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).with_context(failed)
}

fn check_owner(note: &Path, owner: &Owner) -> anyhow::Result<()> {
    match fs::read(note) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            durable::write(note, &serde_json::to_vec(owner)?, "place-note")
        }
        read => {
            let known: Owner =
                serde_json::from_slice(&read?).with_context(|| format!("{} is damaged", note.display()))?;
            if known == *owner {
                return Ok(());
            }
            bail!(
                "the folder beside {} belongs to something else that had the same name; move it away first",
                note.display()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use windlass_protocol::Digest;
    use windlass_protocol::message::{Action, PackageReference};

    use super::*;

    fn slug(text: &str) -> windlass_protocol::names::Slug {
        text.parse().unwrap()
    }

    fn place() -> InstallationPath {
        InstallationPath {
            space: (SpaceId::from_bytes([1; 16]), slug("default")),
            environment: (EnvironmentId::from_bytes([2; 16]), slug("production")),
            environment_name: "Production".to_owned(),
            tenant: Some((TenantId::from_bytes([6; 16]), slug("customer"))),
            tenant_name: Some("Customer".to_owned()),
            project: (ProjectId::from_bytes([3; 16]), slug("synergy")),
            version: "1.0.0".to_owned(),
        }
    }

    fn work(step: u8, name: &str) -> RunWork {
        let package = PackageReference {
            id: "web".to_owned(),
            version: "1.0.0".to_owned(),
            manifest: Digest::of("web"),
            size: 1,
        };
        RunWork {
            step: (StepId::from_bytes([step; 16]), slug(name)),
            name: "Web".to_owned(),
            action: Action::Package { package, substitute: Vec::new() },
            variables: None,
            timeout_seconds: 1,
            safe_to_repeat: false,
            concurrent: false,
            keep: 1,
        }
    }

    /// What was released there is reported, so it must not go with a folder above it.
    #[cfg(feature = "fail-points")]
    #[test]
    fn a_step_that_has_its_folders_has_them_after_a_loss_of_power() {
        let (place, work) = (place(), work(4, "web"));
        let disk = tempfile::tempdir().unwrap();
        let assignment = AssignmentId::from_bytes([5; 16]);
        let recording = windlass_segments::power::Recording::start(disk.path());
        prepare(&disk.path().join("install"), &place, &work, assignment, None).unwrap();
        recording.acknowledge(1);
        let folders = |root: &Path| prepare(&root.join("install"), &place, &work, assignment, None);
        recording.finish().cut_usual(|loss| {
            let step = loss.folder.join("install/default/production/customer/synergy/web");
            assert!(loss.acknowledged == 0 || step.is_dir(), "{}", loss.name);
            let found = folders(loss.folder).unwrap_or_else(|why| panic!("{}: {why:#}", loss.name));
            assert_eq!(found.step, step);
        });
    }

    /// Two steps of each name: the one that comes first has it, and the other is refused, whenever they come.
    #[test]
    fn first_steps_at_once_find_the_folders_that_they_share_and_no_name_has_two_owners() {
        for _ in 0..20 {
            let disk = tempfile::tempdir().unwrap();
            let start = std::sync::Barrier::new(8);
            let prepared = |number: u8| {
                let (place, work) = (place(), work(number, &format!("step{}", number % 4)));
                start.wait();
                prepare(disk.path(), &place, &work, AssignmentId::from_bytes([number; 16]), None)
            };
            let outcomes: Vec<_> = std::thread::scope(|scope| {
                let prepared = &prepared;
                let tasks: Vec<_> = (0..8).map(|number| scope.spawn(move || prepared(number))).collect();
                tasks.into_iter().map(|task| task.join().unwrap()).collect()
            });
            let (first, second) = outcomes.split_at(4);
            for of_one_name in first.iter().zip(second) {
                let refused = [of_one_name.0, of_one_name.1].into_iter().filter_map(|one| one.as_ref().err());
                let said: Vec<_> = refused.map(|why| format!("{why:#}")).collect();
                assert!(said.len() == 1 && said[0].contains("belongs to something else"), "{said:?}");
            }
        }
    }

    /// The notes of two steps lie beside each other, and a step may have any name.
    #[test]
    fn the_note_of_one_step_is_never_in_the_way_of_anothers() {
        let disk = tempfile::tempdir().unwrap();
        let prepared = |number: u8, name: &str| {
            let assignment = AssignmentId::from_bytes([number; 16]);
            prepare(disk.path(), &place(), &work(number, name), assignment, None).map(drop)
        };
        prepared(1, "partial").unwrap();
        prepared(2, "web").unwrap();
        prepared(3, "partial").expect_err("it is another step's still");
        prepared(1, "partial").unwrap();
    }
}
