//! Losing the power at every point of a journal's life, snapshots included: the coordinator starts, with what was
//! acknowledged, on one chain.

use windlass_segments::power::{Loss, Recording};

use super::super::verify;
use super::*;

/// The text of a token's name, so long that a record takes several sectors.
fn name(number: u64) -> String {
    format!("token-{number:03}")
}

fn check(loss: &Loss<'_>) {
    let replayed = replay(loss.folder).unwrap_or_else(|why| panic!("{}: {why}", loss.name));
    let found = replayed.state.number;
    assert!(found >= loss.acknowledged, "{}: {found} of {} records", loss.name, loss.acknowledged);
    if found == 0 {
        // Interrupted before its first record it is simply made again.
        return drop(Story::over(loss.folder));
    }
    let mut story = Story::after(loss.folder, replayed);
    assert_eq!(story.journal.durable(), found, "{}: what is replayed is what is kept", loss.name);
    story.create("afterwards");
    story.sync();
    assert_eq!(verify(loss.folder, None).unwrap().records, found + 1, "{}", loss.name);
    story.start();
}

#[test]
fn a_coordinator_that_loses_its_power_starts_with_what_it_acknowledged() {
    let place = tempfile::tempdir().unwrap();
    let recording = Recording::start(place.path());
    let mut story = Story::over(place.path());
    recording.acknowledge(story.journal.durable());
    for round in 0..6 {
        for number in 0..=round {
            story.create(&name(round * 10 + number));
        }
        story.sync();
        recording.acknowledge(story.journal.durable());
        if round % 2 == 1 {
            story.delete(&name(round * 10));
            story.snapshot();
            recording.acknowledge(story.journal.durable());
        }
    }
    drop(story);
    let disks = recording.finish().cut(check);
    assert!(disks > 300, "{disks} disks are not many");
}
