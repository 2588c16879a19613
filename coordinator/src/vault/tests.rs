//! What every store of keys does, whatever holds it, and what the vault makes of one that loses keys.

#[cfg(feature = "fail-points")]
mod power;

use std::fs;
use std::io::ErrorKind;
use std::thread;

use tempfile::TempDir;
use windlass_protocol::Secret;
use windlass_protocol::ids::{AssignmentId, KeyId};
use zeroize::Zeroizing;

use super::*;

/// A store that can be opened again, as by another process, and that somebody harms.
trait Storage: Sync {
    fn open(&self) -> Box<dyn Keys>;
    fn lose(&self, name: KeyName);
    fn break_down(&self);
    fn mend(&self);
}

impl Storage for InMemory {
    fn open(&self) -> Box<dyn Keys> {
        Box::new(self.clone())
    }

    fn lose(&self, name: KeyName) {
        Self::lose(self, name);
    }

    fn break_down(&self) {
        self.set_trouble(Some(ErrorKind::NotConnected));
    }

    fn mend(&self) {
        self.set_trouble(None);
    }
}

impl Storage for TempDir {
    fn open(&self) -> Box<dyn Keys> {
        Box::new(Embedded::open(self.path()).unwrap())
    }

    fn lose(&self, name: KeyName) {
        fs::remove_file(self.path().join("keys").join(name.to_string())).unwrap();
    }

    /// What is no folder holds no files, for root neither.
    fn break_down(&self) {
        fs::rename(self.path().join("keys"), self.path().join("aside")).unwrap();
        fs::write(self.path().join("keys"), "in the way").unwrap();
    }

    fn mend(&self) {
        fs::remove_file(self.path().join("keys")).unwrap();
        fs::rename(self.path().join("aside"), self.path().join("keys")).unwrap();
    }
}

fn on_every_store(check: impl Fn(&dyn Storage)) {
    let place = tempfile::tempdir().unwrap();
    Embedded::create(place.path()).unwrap();
    check(&place);
    check(&InMemory::default());
}

const fn id(number: u8) -> KeyId {
    KeyId::from_bytes([number; 16])
}

fn key(number: u8) -> KeyBytes {
    Zeroizing::new([number; 32])
}

/// The first byte of a data key, or what is said.
fn read(store: &dyn Keys, number: u8) -> Result<u8, VaultError> {
    store.read(KeyName::Data(id(number))).map(|secret| secret[0])
}

#[test]
fn what_is_kept_is_there_for_whoever_opens_it_next_and_what_is_missing_is_named() {
    on_every_store(|place| {
        let store = place.open();
        for name in [KeyName::Own("signing"), KeyName::Data(id(1))] {
            let why = store.read(name).unwrap_err();
            assert!(
                matches!(&why, VaultError::Missing { place } if place.ends_with(&name.to_string())),
                "{why}"
            );
        }
        // As many as are synced together, too.
        let many: Vec<_> = (1..40).map(|number| (id(number), key(number))).collect();
        store.make(&many[..1]).unwrap();
        store.make(&many).unwrap();
        store.keep("signing", b"one").unwrap();
        store.keep("signing", b"another").unwrap();
        let store = place.open();
        for number in 1..40 {
            assert_eq!(read(store.as_ref(), number).unwrap(), number);
        }
        assert_eq!(store.read(KeyName::Own("signing")).unwrap().as_slice(), b"another");
        // Another one takes no place, and the one after it is not made either.
        let why = store.make(&[(id(1), key(99)), (id(50), key(50))]).unwrap_err();
        assert!(matches!(why, VaultError::Taken(taken) if taken == id(1)), "{why}");
        assert_eq!(read(store.as_ref(), 1).unwrap(), 1);
        place.lose(KeyName::Data(id(2)));
        assert!(matches!(read(store.as_ref(), 2), Err(VaultError::Missing { .. })));
        assert_eq!(read(store.as_ref(), 3).unwrap(), 3);
    });
}

#[test]
fn what_is_destroyed_is_never_read_or_made_again() {
    on_every_store(|place| {
        let store = place.open();
        store.make(&[(id(1), key(1)), (id(2), key(2))]).unwrap();
        for destroyed in [1, 1, 3] {
            store.destroy(id(destroyed)).unwrap();
        }
        for store in [store, place.open()] {
            assert_eq!(store.destroyed().all, BTreeSet::from([id(1), id(3)]));
            assert_eq!(store.destroyed().left, BTreeSet::new());
            for destroyed in [1, 3] {
                assert!(matches!(read(store.as_ref(), destroyed), Err(VaultError::Destroyed(_))));
                let made = store.make(&[(id(destroyed), key(destroyed))]);
                assert!(matches!(made, Err(VaultError::Destroyed(_))));
            }
            assert_eq!(read(store.as_ref(), 2).unwrap(), 2);
        }
    });
}

#[test]
fn what_is_discarded_is_gone_and_no_other_and_may_be_made_again() {
    on_every_store(|place| {
        let store = place.open();
        store.make(&[(id(1), key(1)), (id(2), key(2)), (id(3), key(3))]).unwrap();
        for _ in 0..2 {
            store.discard(&[id(1), id(3)]).unwrap();
        }
        for store in [store, place.open()] {
            assert!(matches!(read(store.as_ref(), 1), Err(VaultError::Missing { .. })));
            assert!(matches!(read(store.as_ref(), 3), Err(VaultError::Missing { .. })));
            assert_eq!(read(store.as_ref(), 2).unwrap(), 2);
            assert_eq!(store.destroyed(), Destroyed::default());
        }
    });
}

#[test]
fn a_store_that_does_not_work_says_so_and_keeps_what_it_has() {
    on_every_store(|place| {
        let store = place.open();
        store.make(&[(id(1), key(1)), (id(2), key(2))]).unwrap();
        place.break_down();
        let all = [
            read(store.as_ref(), 1).map(drop),
            store.make(&[(id(3), key(3))]),
            store.keep("signing", b"one"),
            store.destroy(id(2)),
        ];
        for outcome in all {
            let why = outcome.unwrap_err();
            assert!(matches!(why, VaultError::Unavailable { .. }) && why.passes(), "{why}");
        }
        assert!(matches!(read(store.as_ref(), 2), Err(VaultError::Destroyed(_))), "there or not");
        place.mend();
        for store in [store, place.open()] {
            assert_eq!(read(store.as_ref(), 1).unwrap(), 1);
            assert!(matches!(read(store.as_ref(), 3), Err(VaultError::Missing { .. })));
            assert!(matches!(read(store.as_ref(), 2), Err(VaultError::Destroyed(_))), "there or not");
            assert_eq!(store.destroyed().left, BTreeSet::from([id(2)]));
        }
        let store = place.open();
        store.destroy(id(2)).unwrap();
        assert_eq!(store.destroyed().left, BTreeSet::new());
    });
}

#[test]
fn of_many_that_make_one_key_one_does_and_none_is_left_of_what_is_destroyed_meanwhile() {
    on_every_store(|place| {
        let store = place.open();
        let made: Vec<u8> = thread::scope(|scope| {
            let store = store.as_ref();
            let threads: Vec<_> = (1..9)
                .map(|number| scope.spawn(move || store.make(&[(id(100), key(number))]).map(|()| number)))
                .collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap().ok()).collect()
        });
        assert_eq!(made.len(), 1, "{made:?}");
        assert_eq!(read(store.as_ref(), 100).unwrap(), made[0]);
        for number in 1..40 {
            thread::scope(|scope| {
                scope.spawn(|| drop(store.make(&[(id(number), key(number))])));
                scope.spawn(|| store.destroy(id(number)).unwrap());
                scope.spawn(|| drop(read(store.as_ref(), number)));
            });
            assert!(matches!(read(store.as_ref(), number), Err(VaultError::Destroyed(_))));
        }
        assert_eq!(place.open().destroyed().left, BTreeSet::new());
    });
}

#[test]
fn a_key_file_opens_under_its_own_name_only() {
    let place = tempfile::tempdir().unwrap();
    let store = Embedded::create(place.path()).unwrap();
    store.make(&[(id(1), key(1)), (id(2), key(2))]).unwrap();
    let [one, two] = [1, 2].map(|number| place.path().join("keys").join(id(number).to_string()));
    let aside = place.path().join("aside");
    for (from, to) in [(&one, &aside), (&two, &one), (&aside, &two)] {
        fs::rename(from, to).unwrap();
    }
    for number in [1, 2] {
        assert!(matches!(read(&store, number), Err(VaultError::Unusable { .. })), "another tenant's");
    }
}

#[test]
fn whoever_misses_a_key_makes_no_other_and_all_else_goes_on() {
    let keys = InMemory::default();
    let vault = Vault::new(keys.clone());
    vault.make(&[id(1), id(2)]).unwrap();
    let secret = Secret::new("a canary".to_owned());
    let sealed = [1, 2].map(|number| vault.seal(id(number), &secret).unwrap());
    assert!(matches!(vault.make(&[id(1)]), Err(VaultError::Taken(_))), "its values would be lost");
    keys.lose(KeyName::Data(id(1)));
    let vault = Vault::new(keys.clone());
    let assignment = AssignmentId::from_bytes([1; 16]);
    let refused = [
        vault.reveal(&sealed[0]).err(),
        vault.seal(id(1), &secret).err(),
        vault.salt(id(1), assignment).err(),
        vault.expect(id(1)).err(),
    ];
    for why in refused {
        let why = why.unwrap().to_string();
        assert_eq!(why, format!("{} is missing; restore it from a backup", id(1)));
    }
    assert_eq!(keys.names(), [KeyName::Data(id(2))]);
    assert_eq!(vault.reveal(&sealed[1]).unwrap().reveal(), "a canary");
}

#[test]
fn a_salt_is_the_same_whenever_it_is_asked_for_and_gone_with_its_key() {
    let keys = InMemory::default();
    let vault = Vault::new(keys.clone());
    let [one, two] = [1, 2].map(|byte| AssignmentId::from_bytes([byte; 16]));
    vault.make(&[id(7), id(8)]).unwrap();
    let salt = vault.salt(id(7), one).unwrap();
    assert_eq!(Vault::new(keys).salt(id(7), one).unwrap(), salt, "after a restart too");
    let salts = [vault.salt(id(7), two).unwrap(), vault.salt(id(8), one).unwrap(), salt];
    assert_eq!(BTreeSet::from(salts).len(), 3, "no two assignments and no two tenants share one");
    vault.destroy(id(7)).unwrap();
    assert!(matches!(vault.salt(id(7), one), Err(VaultError::Destroyed(_))));
    assert_eq!(vault.salt(id(8), one).unwrap(), salts[1]);
}

#[test]
fn keys_of_which_one_cannot_be_made_are_not_made() {
    let place = tempfile::tempdir().unwrap();
    Embedded::create(place.path()).unwrap();
    let store = Embedded::open(place.path()).unwrap();
    let keys = [1, 2, 3, 4, 5].map(|byte| (KeyId::from_bytes([byte; 16]), Zeroizing::new([byte; 32])));
    let path = |id: KeyId| place.path().join("keys").join(KeyName::Data(id).to_string());
    store.make(&keys[..1]).unwrap();
    fs::create_dir(path(keys[2].0)).unwrap();
    store.make(&keys).unwrap_err();
    let there = keys.each_ref().map(|(id, _)| path(*id).exists());
    assert_eq!(there, [true, false, true, false, false], "what was there, and what was in the way");
}
