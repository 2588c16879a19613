//! What lies in the install folders: a current release is whole, at every moment that anybody looks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::load::Load;
use crate::project;
use crate::world::World;

/// The folders of the step `Web`, of every tenant on every machine.
fn steps(world: &World) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for machine in &world.machines {
        let tenants = machine.folder.join("install/default/production");
        for tenant in fs::read_dir(tenants).into_iter().flatten().flatten() {
            let step = tenant.path().join("shop/web");
            if step.is_dir() {
                found.push(step);
            }
        }
    }
    found
}

/// The version of a release's folder: `releases/1.0.7-2` is 7.
fn number(link: &Path) -> Option<u64> {
    let name = link.file_name()?.to_str()?;
    let (version, _) = name.strip_prefix("1.0.")?.split_once('-')?;
    version.parse().ok()
}

/// Every file below a folder.
fn tree(root: &Path) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).expect("below it").to_string_lossy().into_owned();
                files.insert(name, fs::read(&path)?);
            }
        }
    }
    Ok(files)
}

/// What is wrong with the release that is current here, if one is.
fn wrong(step: &Path, counts: &Path) -> Option<String> {
    loop {
        let current = step.join("current");
        let link = match fs::read_link(&current) {
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => return None,
            Err(why) => return Some(format!("{}: {why}", current.display())),
            Ok(link) => link,
        };
        let Some(number) = number(&link) else {
            return Some(format!("{} leads to {}", current.display(), link.display()));
        };
        let found = tree(&step.join(&link));
        let whole = project::files(number, counts);
        let what = match &found {
            Ok(found) if *found == whole => return None,
            Ok(found) => {
                let differing = |name: &&String| found.get(*name) != whole.get(*name);
                let names: BTreeSet<_> = found.keys().chain(whole.keys()).filter(differing).collect();
                format!("{names:?} of version {number} are not as they were uploaded")
            }
            Err(why) => format!("version {number} cannot be read: {why}"),
        };
        // It may have been switched away from, and removed, while it was read.
        if fs::read_link(&current).is_ok_and(|again| again == link) {
            return Some(format!("{}: {what}", current.display()));
        }
    }
}

/// Looks at everything that is current until the run is over; returns how often.
pub fn watch(world: &World, load: &Load) -> u64 {
    let mut looks = 0;
    while !load.over.load(Ordering::Relaxed) {
        for step in steps(world) {
            let wrong = wrong(&step, &world.counts());
            assert!(wrong.is_none(), "a release is half activated: {wrong:?}");
            looks += 1;
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    looks
}

/// The version that is current for a tenant, on every machine that has any of it.
pub fn current(world: &World, tenant: &str) -> BTreeSet<u64> {
    let slug = tenant.to_lowercase().replace(' ', "-");
    let own = |step: &PathBuf| step.ends_with(Path::new(&slug).join("shop/web"));
    let links =
        steps(world).into_iter().filter(own).filter_map(|step| fs::read_link(step.join("current")).ok());
    links.filter_map(|link| number(&link)).collect()
}

/// Paths that are there only while something is under way.
pub fn leftovers(world: &World) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for machine in &world.machines {
        let mut folders = vec![machine.folder.join("install"), machine.folder.join("state/identity")];
        // Whatever lies there belongs to an assignment that is not over.
        let work = fs::read_dir(machine.folder.join("state/work")).into_iter().flatten().flatten();
        found.extend(work.map(|entry| entry.path()));
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let staging =
                    [".unpacking-", ".removing-", ".scratch-"].iter().any(|start| name.starts_with(start));
                if staging || name.ends_with(".partial") || name.ends_with(".new") {
                    found.push(entry.path());
                } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(entry.path());
                }
            }
        }
    }
    found
}
