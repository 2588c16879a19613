//! Losing the power at every point of the keys' lives: one that was acknowledged opens, one whose destruction was is gone
//! and noted, and nothing of it was left where it lay (THREATS G7, F3).

use std::ffi::OsString;
use std::ops::RangeInclusive;

use windlass_segments::power::{Loss, Recording};

use super::*;

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Unmade,
    There,
    Gone,
}
use Fate::{Gone, There, Unmade};

/// What is done once there is an installation, each with what becomes of these keys: one and few are made durable in
/// another way than many, and the first that is destroyed begins the list.
const STORY: [(Fate, RangeInclusive<u8>); 6] =
    [(There, 1..=1), (There, 2..=10), (Gone, 1..=1), (Gone, 5..=5), (There, 11..=12), (Gone, 11..=11)];

fn fate(story: &[(Fate, RangeInclusive<u8>)], number: u8) -> Fate {
    story.iter().rev().find(|(_, keys)| keys.contains(&number)).map_or(Unmade, |(fate, _)| *fate)
}

fn check(loss: &Loss<'_>) {
    let name = loss.name;
    let Some(done) = usize::try_from(loss.acknowledged).unwrap().checked_sub(1) else {
        // Interrupted before anybody was told of it, an installation is made again.
        return drop(Embedded::create(loss.folder).unwrap_or_else(|why| panic!("{name}: {why}")));
    };
    let store = Embedded::open(loss.folder).unwrap_or_else(|why| panic!("{name}: {why}"));
    let (before, after) = (&STORY[..done], &STORY[..STORY.len().min(done + 1)]);
    for number in 1..=12 {
        let found = match read(&store, number) {
            Ok(first) if first == number => There,
            Err(VaultError::Destroyed(_)) => Gone,
            Err(VaultError::Missing { .. } | VaultError::Unusable { .. }) => Unmade,
            other => panic!("{name}: key {number} is {other:?}"),
        };
        let (before, after) = (fate(before, number), fate(after, number));
        assert!(found == before || found == after, "{name}: key {number} is {found:?}, and was {before:?}");
        if before == Gone {
            assert!(!store.destroyed().left.contains(&id(number)), "{name}: key {number} is back");
        } else if after == Gone {
            store.destroy(id(number)).unwrap();
        }
    }
    assert_eq!(store.destroyed().left, BTreeSet::new(), "{name}");
    store.make(&[(id(99), key(99))]).unwrap();
    assert_eq!(read(&store, 99).unwrap(), 99, "{name}");
}

#[test]
fn a_vault_that_loses_its_power_has_the_keys_that_it_made_and_none_that_it_destroyed() {
    let place = tempfile::tempdir().unwrap();
    let recording = Recording::start(place.path());
    let store = Embedded::create(place.path()).unwrap();
    recording.acknowledge(1);
    for (acknowledged, (fate, keys)) in (2..).zip(STORY) {
        match fate {
            Gone => keys.for_each(|number| store.destroy(id(number)).unwrap()),
            _ => store.make(&Vec::from_iter(keys.map(|number| (id(number), key(number))))).unwrap(),
        }
        recording.acknowledge(acknowledged);
    }
    let recorded = recording.finish();
    let (names, left): (Vec<_>, Vec<_>) = recorded.removed().into_iter().unzip();
    assert_eq!(names, [1, 5, 11].map(|number| OsString::from(id(number).to_string())));
    for bytes in left {
        assert!(bytes.len() > 32 && bytes.iter().all(|byte| *byte == 0), "its sectors hold {bytes:?}");
    }
    let disks = recorded.cut(check);
    assert!(disks > 200, "{disks} disks are not many");
}
