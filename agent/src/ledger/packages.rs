//! Which packages are needed, so that the cache keeps them: those of work that is not over, those that the latest
//! deployment of each lane fetched (its steps may be ordered long after), and those that releases were made of.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use windlass_protocol::codec;
use windlass_protocol::message::{Action, Assignment, Generation, InstallationPath, PackageReference, Work};
use windlass_protocol::{Digest, Timestamp};
use windlass_segments::fail;

use super::Ledger;

/// `f`, the digest of a lane's ids, the package: when it was fetched, by the coordinator's clock, and for which order.
const FETCHED: u8 = b'f';
/// `r`, the digest of a release's path: the package that it was made of, and the path.
const RELEASE: u8 = b'r';

/// How long what was fetched is kept for a deployment that never came further: by then its steps have long expired.
const FETCHED_MILLISECONDS: u128 = 7 * 24 * 3600 * 1000;

/// When a package was fetched, and for which order.
#[derive(Serialize, Deserialize)]
struct Fetched {
    time: Timestamp,
    generation: Generation,
}

impl Ledger {
    /// Notes what a deployment fetched, in the place of what the one before it in the same lane had fetched: that one
    /// is over (SEMANTICS 8, one at a time per project, environment and tenant). The one before is the one with the
    /// earlier order, whichever comes here first: after a restart both may be under way again.
    pub(crate) fn note_fetched(
        &self,
        place: &InstallationPath,
        generation: Generation,
        packages: &[PackageReference],
    ) -> anyhow::Result<()> {
        self.reserve.make_room_for_store()?;
        let lane = [&[FETCHED], lane(place).as_bytes().as_slice()].concat();
        let known = self.store.scan(&lane).collect::<Result<Vec<_>, _>>()?;
        for (_, value) in &known {
            if fetched(value)?.generation > generation {
                return Ok(());
            }
        }
        let key = |package: &PackageReference| [lane.as_slice(), package.manifest.as_bytes()].concat();
        let keys: BTreeSet<_> = packages.iter().map(key).collect();
        let value = serde_json::to_vec(&Fetched { time: self.clock()?, generation })?;
        fail::point("ledger-before-fetched");
        for (known, _) in known.iter().filter(|(known, _)| !keys.contains(&known[..])) {
            self.store.remove(known)?;
        }
        for key in &keys {
            self.store.put(key, &value)?;
        }
        self.store.commit()?;
        fail::point("ledger-after-fetched");
        Ok(())
    }

    /// Notes what a release is made of. It has its name by then, and until this is written its assignment is open.
    pub(crate) fn note_release(&self, folder: &Path, package: Digest) -> anyhow::Result<()> {
        self.reserve.make_room_for_store()?;
        let path = folder.as_os_str().as_bytes();
        fail::point("ledger-before-release");
        self.store.put(&release_key(path), &[package.as_bytes().as_slice(), path].concat())?;
        self.store.commit()?;
        fail::point("ledger-after-release");
        Ok(())
    }

    /// The packages that the cache has to keep. Records of what is gone go with this; one that a crash brings back goes
    /// with the next.
    pub(crate) fn needed_packages(&self) -> anyhow::Result<BTreeSet<Digest>> {
        let mut needed = self.of_open_assignments()?;
        needed.extend(self.of_lanes()?);
        needed.extend(self.of_releases()?);
        Ok(needed)
    }

    fn of_open_assignments(&self) -> anyhow::Result<BTreeSet<Digest>> {
        let mut needed = BTreeSet::new();
        for (id, _) in self.entries()?.into_iter().filter(|(_, entry)| !entry.closed) {
            let assignment: Assignment = codec::decode(&self.assignment(id)?.body)?;
            match assignment.work {
                Work::Fetch(work) => needed.extend(work.packages.iter().map(|package| package.manifest)),
                Work::Run(work) => {
                    if let Action::Package { package, .. } = work.action {
                        needed.insert(package.manifest);
                    }
                }
            }
        }
        Ok(needed)
    }

    fn of_lanes(&self) -> anyhow::Result<BTreeSet<Digest>> {
        let now = self.clock()?;
        let mut needed = BTreeSet::new();
        for pair in self.store.scan(&[FETCHED]) {
            let (key, value) = pair?;
            if now.since(fetched(&value)?.time).as_millis() < FETCHED_MILLISECONDS {
                let package = key.last_chunk().context("the agent's store is damaged")?;
                needed.insert(Digest::from_bytes(*package));
            } else {
                self.store.remove(&key)?;
            }
        }
        Ok(needed)
    }

    fn of_releases(&self) -> anyhow::Result<BTreeSet<Digest>> {
        let mut needed = BTreeSet::new();
        for pair in self.store.scan(&[RELEASE]) {
            let (key, value) = pair?;
            let (package, path) = value.split_first_chunk().context("the agent's store is damaged")?;
            let folder = PathBuf::from(OsString::from_vec(path.to_vec()));
            // Where it can't be seen (a disk that is not mounted), it may be there.
            if folder.try_exists().unwrap_or(true) {
                needed.insert(Digest::from_bytes(*package));
            } else {
                self.store.remove(&key)?;
            }
        }
        Ok(needed)
    }
}

fn fetched(value: &[u8]) -> anyhow::Result<Fetched> {
    serde_json::from_slice(value).context("the agent's store is damaged")
}

/// Where one deployment runs at a time.
fn lane(place: &InstallationPath) -> Digest {
    let tenant = place.tenant.as_ref().map(|(id, _)| id.as_bytes().to_vec()).unwrap_or_default();
    let ids: [&[u8]; 3] =
        [place.space.0.as_bytes(), place.environment.0.as_bytes(), place.project.0.as_bytes()];
    Digest::of([ids.concat(), tenant].concat())
}

fn release_key(path: &[u8]) -> Vec<u8> {
    [&[RELEASE], Digest::of(path).as_bytes().as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use windlass_protocol::ids::{
        AssignmentId, DeploymentId, EnvironmentId, ProjectId, SpaceId, TargetId, TenantId,
    };
    use windlass_protocol::message::{FetchWork, SignedAssignment};

    use super::super::Entry;
    use super::*;

    fn slug(text: &str) -> windlass_protocol::Slug {
        text.parse().unwrap()
    }

    fn place(tenant: u8) -> InstallationPath {
        InstallationPath {
            space: (SpaceId::from_bytes([1; 16]), slug("default")),
            environment: (EnvironmentId::from_bytes([2; 16]), slug("production")),
            environment_name: "Production".to_owned(),
            tenant: Some((TenantId::from_bytes([tenant; 16]), slug("customer"))),
            tenant_name: Some("Customer".to_owned()),
            project: (ProjectId::from_bytes([3; 16]), slug("synergy")),
            version: "1.0.0".to_owned(),
        }
    }

    fn package(name: &str) -> PackageReference {
        PackageReference {
            id: name.to_owned(),
            version: "1.0.0".to_owned(),
            manifest: Digest::of(name),
            size: 1,
        }
    }

    fn order(sequence: u64) -> Generation {
        Generation { epoch: 1, sequence }
    }

    fn names(ledger: &Ledger, candidates: &[&str]) -> Vec<String> {
        let needed = ledger.needed_packages().unwrap();
        let known = candidates.iter().filter(|name| needed.contains(&Digest::of(name)));
        let known: Vec<_> = known.map(|name| (*name).to_owned()).collect();
        assert_eq!(known.len(), needed.len());
        known
    }

    const ALL: [&str; 4] = ["a", "b", "c", "d"];

    #[test]
    fn what_a_lane_fetched_is_needed_until_it_fetches_again_or_a_week_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path()).unwrap();
        ledger.note_fetched(&place(1), order(1), &[package("a"), package("b")]).unwrap();
        ledger.note_fetched(&place(2), order(2), &[package("c")]).unwrap();
        assert_eq!(names(&ledger, &ALL), ["a", "b", "c"]);
        ledger.note_fetched(&place(1), order(3), &[package("b"), package("d")]).unwrap();
        drop(ledger);
        let ledger = Ledger::open(folder.path()).unwrap();
        assert_eq!(names(&ledger, &ALL), ["b", "c", "d"]);
        ledger.set_clock(Timestamp::from_milliseconds(7 * 24 * 3600 * 1000 - 1)).unwrap();
        ledger.note_fetched(&place(2), order(2), &[package("c")]).unwrap();
        assert_eq!(names(&ledger, &ALL), ["b", "c", "d"]);
        ledger.set_clock(Timestamp::from_milliseconds(7 * 24 * 3600 * 1000)).unwrap();
        assert_eq!(names(&ledger, &ALL), ["c"]);
    }

    #[test]
    fn a_fetch_that_is_taken_up_again_after_the_next_one_takes_nothing_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path()).unwrap();
        ledger.note_fetched(&place(1), order(2), &[package("b"), package("c")]).unwrap();
        ledger.note_fetched(&place(1), order(1), &[package("a"), package("c")]).unwrap();
        assert_eq!(names(&ledger, &ALL), ["b", "c"]);
        ledger.note_fetched(&place(1), order(2), &[package("b"), package("c")]).unwrap();
        assert_eq!(names(&ledger, &ALL), ["b", "c"]);
        ledger.note_fetched(&place(1), order(3), &[package("d")]).unwrap();
        assert_eq!(names(&ledger, &ALL), ["d"]);
    }

    #[test]
    fn what_a_release_was_made_of_is_needed_as_long_as_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("state")).unwrap();
        let releases = ["1.0.0-1", "1.1.0-1"].map(|name| folder.path().join(name));
        for (release, name) in releases.iter().zip(ALL) {
            fs::create_dir(release).unwrap();
            ledger.note_release(release, Digest::of(name)).unwrap();
        }
        assert_eq!(names(&ledger, &ALL), ["a", "b"]);
        fs::remove_dir(&releases[0]).unwrap();
        assert_eq!(names(&ledger, &ALL), ["b"]);
        // A name may come back with another content, and its record has to be made again.
        fs::create_dir(&releases[0]).unwrap();
        assert_eq!(names(&ledger, &ALL), ["b"]);
        ledger.note_release(&releases[0], Digest::of("c")).unwrap();
        assert_eq!(names(&ledger, &ALL), ["b", "c"]);
    }

    #[test]
    fn what_an_assignment_names_is_needed_until_it_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path()).unwrap();
        let id = AssignmentId::from_bytes([9; 16]);
        let generation = Generation { epoch: 1, sequence: 1 };
        let assignment = Assignment {
            target: TargetId::from_bytes([4; 16]),
            id,
            generation,
            not_before: Timestamp::default(),
            expires: Timestamp::default(),
            deployment: DeploymentId::from_bytes([5; 16]),
            path: place(1),
            work: Work::Fetch(FetchWork { packages: vec![package("a"), package("d")] }),
        };
        let signed = SignedAssignment { body: codec::body(&assignment).unwrap(), signature: Vec::new() };
        let entry = Entry { generation, digest: Digest::of(&signed.body), closed: false };
        let owner = (place(1).space.0, None);
        ledger.admit(id, entry, &signed, owner).unwrap();
        assert_eq!(names(&ledger, &ALL), ["a", "d"]);
        ledger.close(id, entry).unwrap();
        assert_eq!(names(&ledger, &ALL), [""; 0]);
    }
}
