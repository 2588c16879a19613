//! The vault destroys what the journal says is destroyed (SEMANTICS 11): when it says so, and again at every start, so
//! that nothing is left by whatever stopped the coordinator in between.

use windlass_coordinator_core::state::State;
use windlass_protocol::ids::KeyId;

use super::{Vault, VaultError};

impl Vault {
    /// Destroys a data key of which the journal says that it is destroyed: nothing opens with it from now on, and
    /// nothing is sealed with it. An error says that its file could not be removed yet, which
    /// [`Vault::destroy_what_is_left`] tries again.
    pub fn destroy(&self, key: KeyId) -> Result<(), VaultError> {
        self.data_keys.destroy(self.store.as_ref(), key)
    }

    /// Removes the files of keys that are forgotten, where nobody has done so yet or it failed.
    pub fn destroy_what_is_left(&self) {
        for key in self.data_keys.left() {
            self.destroy_or_say(key);
        }
    }

    /// Destroys every key that is destroyed in this state, or was noted as destroyed and came back since.
    pub fn destroy_all(&self, state: &State) {
        let destroyed = state.spaces.values().flat_map(|space| &space.destroyed_keys);
        destroyed.filter(|key| !self.data_keys.is_gone(**key)).for_each(|key| self.destroy_or_say(*key));
        self.destroy_what_is_left();
    }

    /// Forgets what is destroyed in a state and was not in the one before. It is called between a commit and its
    /// answers, so it touches no disk: who asked removes the file before the answer, and what that misses is
    /// [left](Vault::destroy_what_is_left).
    pub fn forget_new(&self, before: &State, after: &State) {
        for (id, space) in &after.spaces {
            let known = before.space(*id).map(|space| &space.destroyed_keys);
            if known.is_some_and(|known| known.len() == space.destroyed_keys.len()) {
                continue;
            }
            let new = |key: &&KeyId| known.is_none_or(|known| !known.contains(*key));
            space.destroyed_keys.iter().filter(new).for_each(|key| self.data_keys.forget(*key));
        }
    }

    fn destroy_or_say(&self, key: KeyId) {
        if let Err(why) = self.destroy(key) {
            tracing::error!(%key, %why, "the file of a destroyed key is still there; it is tried again");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;
    use std::sync::{Arc, mpsc};
    use std::time::Duration;
    use std::{fs, thread};

    use windlass_protocol::Secret;

    use super::super::Embedded;
    use super::*;

    const KEY: KeyId = KeyId::from_bytes([7; 16]);

    fn create(data: &Path) -> Vault {
        Vault::new(Embedded::create(data).unwrap())
    }

    fn open(data: &Path) -> Vault {
        Vault::new(Embedded::open(data).unwrap())
    }

    fn files(data: &Path) -> Vec<String> {
        let entries = fs::read_dir(data.join("keys")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_destroyed_key_opens_nothing_seals_nothing_and_is_never_made_again() {
        let place = tempfile::tempdir().unwrap();
        let vault = create(place.path());
        vault.make(&[KEY]).unwrap();
        let sealed = vault.seal(KEY, &Secret::new("a canary".to_owned())).unwrap();
        assert_eq!(vault.reveal(&sealed).unwrap().reveal(), "a canary");
        assert_eq!(files(place.path()), [KEY.to_string()]);
        let (file, link) = (place.path().join("keys").join(KEY.to_string()), place.path().join("link"));
        fs::hard_link(file, &link).unwrap();
        for _ in 0..2 {
            vault.destroy(KEY).unwrap();
            assert!(files(place.path()).is_empty());
            let gone = "was destroyed with its tenant; what is sealed with it cannot be read";
            let why = vault.reveal(&sealed).err().unwrap();
            assert!(why.to_string().contains(gone), "{why}");
            let why = vault.seal(KEY, &Secret::new("another".to_owned())).err().unwrap();
            assert!(why.to_string().contains(gone), "{why}");
        }
        let left = fs::read(&link).unwrap();
        assert!(!left.is_empty() && left.iter().all(|byte| *byte == 0), "it was written over before it went");
        // Another process finds it noted. One that does not finds no file and makes none to read with.
        let other = open(place.path());
        assert!(matches!(other.reveal(&sealed), Err(VaultError::Destroyed(KEY))));
        fs::remove_file(place.path().join("destroyed-keys")).unwrap();
        let other = open(place.path());
        assert!(matches!(other.reveal(&sealed), Err(VaultError::Missing { .. })));
        assert!(files(place.path()).is_empty());
    }

    #[test]
    fn a_destroyed_key_that_a_backup_brings_back_goes_again() {
        let place = tempfile::tempdir().unwrap();
        let vault = create(place.path());
        vault.make(&[KEY]).unwrap();
        let path = place.path().join("keys").join(KEY.to_string());
        let copy = fs::read(&path).unwrap();
        let sealed = vault.seal(KEY, &Secret::new("a canary".to_owned())).unwrap();
        vault.destroy(KEY).unwrap();
        fs::write(&path, copy).unwrap();
        let vault = open(place.path());
        assert!(matches!(vault.reveal(&sealed), Err(VaultError::Destroyed(KEY))));
        vault.destroy_all(&State::default());
        assert!(!path.exists(), "a state that does not know of it either");
    }

    #[test]
    fn a_file_that_cannot_be_removed_opens_nothing_and_is_tried_again() {
        let place = tempfile::tempdir().unwrap();
        let vault = create(place.path());
        vault.make(&[KEY]).unwrap();
        let sealed = vault.seal(KEY, &Secret::new("a canary".to_owned())).unwrap();
        let path = place.path().join("keys").join(KEY.to_string());
        // What is no file cannot be removed as one, by root neither.
        fs::rename(&path, place.path().join("aside")).unwrap();
        fs::create_dir(&path).unwrap();
        let why = vault.destroy(KEY).err().unwrap();
        assert!(why.to_string().starts_with("cannot remove "), "{why}");
        assert!(matches!(vault.reveal(&sealed), Err(VaultError::Destroyed(KEY))));
        fs::remove_dir(&path).unwrap();
        fs::rename(place.path().join("aside"), &path).unwrap();
        vault.destroy_what_is_left();
        assert!(files(place.path()).is_empty());
    }

    /// One that nobody can note goes all the same, and whoever asked is told: after a restart with an old backup nobody
    /// would know of it.
    #[test]
    fn a_key_whose_destruction_cannot_be_noted_goes_and_that_is_said() {
        let place = tempfile::tempdir().unwrap();
        let vault = create(place.path());
        vault.make(&[KEY]).unwrap();
        let noted = place.path().join("destroyed-keys");
        fs::create_dir(&noted).unwrap();
        for _ in 0..2 {
            let why = vault.destroy(KEY).err().unwrap();
            assert!(why.passes() && why.to_string().starts_with("cannot write "), "{why}");
            assert!(files(place.path()).is_empty());
            assert!(matches!(vault.expect(KEY), Err(VaultError::Destroyed(KEY))));
        }
        fs::remove_dir(&noted).unwrap();
        vault.destroy_what_is_left();
        assert!(fs::read_to_string(&noted).unwrap().contains(&KEY.to_string()));
    }

    /// The engine learns between a commit and its answers which keys are destroyed: whatever the disk is at meanwhile.
    #[test]
    fn nobody_waits_for_the_disk_to_learn_that_a_key_is_destroyed() {
        let place = tempfile::tempdir().unwrap();
        let vault = Arc::new(create(place.path()));
        vault.make(&[KeyId::from_bytes([8; 16])]).unwrap();
        // A disk that takes its time: whoever reads waits until something is written.
        let slow = place.path().join("keys").join(KEY.to_string());
        assert!(Command::new("mkfifo").arg(&slow).status().unwrap().success());
        let sealing = Arc::clone(&vault);
        let sealing = thread::spawn(move || sealing.seal(KEY, &Secret::new("another".to_owned())).is_err());
        let writer = fs::OpenOptions::new().write(true).open(&slow).unwrap();
        let (told, telling) = mpsc::channel();
        let forgetting = Arc::clone(&vault);
        thread::spawn(move || {
            forgetting.data_keys.forget(KeyId::from_bytes([9; 16]));
            told.send(())
        });
        assert!(telling.recv_timeout(Duration::from_secs(10)).is_ok(), "it waits for who reads a key");
        drop(writer);
        assert!(sealing.join().unwrap(), "nothing was in it");
    }
}
