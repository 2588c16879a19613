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
        self.data_keys.destroy(&self.files, key)
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
    use std::collections::BTreeSet;
    use std::process::Command;
    use std::sync::{Arc, mpsc};
    use std::time::Duration;
    use std::{fs, thread};

    use windlass_protocol::Secret;
    use windlass_protocol::ids::AssignmentId;

    use super::*;

    const KEY: KeyId = KeyId::from_bytes([7; 16]);

    fn files(data: &std::path::Path) -> Vec<String> {
        let entries = fs::read_dir(data.join("keys")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_destroyed_key_opens_nothing_seals_nothing_and_is_never_made_again() {
        let place = tempfile::tempdir().unwrap();
        let vault = Vault::create(place.path()).unwrap();
        vault.make(&[KEY]).unwrap();
        let sealed = vault.seal(KEY, &Secret::new("a canary".to_owned())).unwrap();
        assert_eq!(vault.reveal(&sealed).unwrap().reveal(), "a canary");
        assert_eq!(files(place.path()), [KEY.to_string()]);
        for _ in 0..2 {
            vault.destroy(KEY).unwrap();
            assert!(files(place.path()).is_empty());
            let gone = "was destroyed with its tenant; what is sealed with it cannot be read";
            let why = vault.reveal(&sealed).err().unwrap();
            assert!(why.to_string().contains(gone), "{why}");
            let why = vault.seal(KEY, &Secret::new("another".to_owned())).err().unwrap();
            assert!(why.to_string().contains(gone), "{why}");
        }
        // Another process finds it noted. One that does not finds no file and makes none to read with.
        let other = Vault::open(place.path()).unwrap();
        assert!(matches!(other.reveal(&sealed), Err(VaultError::Destroyed(KEY))));
        fs::remove_file(place.path().join("destroyed-keys")).unwrap();
        let other = Vault::open(place.path()).unwrap();
        assert!(matches!(other.reveal(&sealed), Err(VaultError::Missing { .. })));
        assert!(files(place.path()).is_empty());
    }

    #[test]
    fn a_key_is_made_once_and_whoever_misses_it_makes_no_other() {
        let place = tempfile::tempdir().unwrap();
        let vault = Vault::create(place.path()).unwrap();
        let secret = Secret::new("a canary".to_owned());
        let missing = |wrong: Option<VaultError>| match wrong {
            Some(VaultError::Missing { path }) => path == place.path().join("keys").join(KEY.to_string()),
            _ => false,
        };
        let assignment = AssignmentId::from_bytes([1; 16]);
        assert!(missing(vault.seal(KEY, &secret).err()), "nobody made it");
        assert!(missing(vault.salt(KEY, assignment).err()));
        // As many as are synced together.
        let keys: Vec<KeyId> = (7..40).map(|byte| KeyId::from_bytes([byte; 16])).collect();
        vault.make(&keys).unwrap();
        assert_eq!(files(place.path()).len(), keys.len());
        let sealed = vault.seal(KEY, &secret).unwrap();
        assert!(vault.make(&[KEY]).is_err(), "its values would be lost");
        let vault = Vault::open(place.path()).unwrap();
        assert_eq!(vault.reveal(&sealed).unwrap().reveal(), "a canary");
        fs::remove_file(place.path().join("keys").join(KEY.to_string())).unwrap();
        let vault = Vault::open(place.path()).unwrap();
        assert!(missing(vault.reveal(&sealed).err()) && missing(vault.seal(KEY, &secret).err()));
        assert!(missing(vault.salt(KEY, assignment).err()) && missing(vault.expect(KEY).err()));
        assert_eq!(files(place.path()).len(), keys.len() - 1);
        vault.expect(keys[1]).unwrap();
    }

    #[test]
    fn a_destroyed_key_that_a_backup_brings_back_goes_again() {
        let place = tempfile::tempdir().unwrap();
        let vault = Vault::create(place.path()).unwrap();
        vault.make(&[KEY]).unwrap();
        let path = place.path().join("keys").join(KEY.to_string());
        let copy = fs::read(&path).unwrap();
        let sealed = vault.seal(KEY, &Secret::new("a canary".to_owned())).unwrap();
        vault.destroy(KEY).unwrap();
        fs::write(&path, copy).unwrap();
        let vault = Vault::open(place.path()).unwrap();
        assert!(matches!(vault.reveal(&sealed), Err(VaultError::Destroyed(KEY))));
        vault.destroy_all(&State::default());
        assert!(!path.exists(), "a state that does not know of it either");
    }

    #[test]
    fn a_salt_is_the_same_whenever_it_is_asked_for_and_gone_with_its_key() {
        let place = tempfile::tempdir().unwrap();
        let vault = Vault::create(place.path()).unwrap();
        let [one, two] = [1, 2].map(|byte| AssignmentId::from_bytes([byte; 16]));
        let other = KeyId::from_bytes([8; 16]);
        vault.make(&[KEY, other]).unwrap();
        let salt = vault.salt(KEY, one).unwrap();
        assert_eq!(Vault::open(place.path()).unwrap().salt(KEY, one).unwrap(), salt, "after a restart too");
        let salts = [vault.salt(KEY, two).unwrap(), vault.salt(other, one).unwrap(), salt];
        assert_eq!(BTreeSet::from(salts).len(), 3, "no two assignments and no two tenants share one");
        vault.destroy(KEY).unwrap();
        assert!(matches!(vault.salt(KEY, one), Err(VaultError::Destroyed(KEY))));
        assert_eq!(vault.salt(other, one).unwrap(), salts[1]);
    }

    #[test]
    fn a_file_that_cannot_be_removed_opens_nothing_and_is_tried_again() {
        let place = tempfile::tempdir().unwrap();
        let vault = Vault::create(place.path()).unwrap();
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

    /// The engine learns between a commit and its answers which keys are destroyed: whatever the disk is at meanwhile.
    #[test]
    fn nobody_waits_for_the_disk_to_learn_that_a_key_is_destroyed() {
        let place = tempfile::tempdir().unwrap();
        let vault = Arc::new(Vault::create(place.path()).unwrap());
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
