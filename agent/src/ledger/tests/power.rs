//! Losing the power at every point of two assignments' lives: the agent starts, it has what it wrote down before it
//! went on, and a stage that was begun is never begun again.

use std::path::Path;

use windlass_protocol::ids::{AssignmentId, DeploymentId, EnvironmentId, ProjectId, SpaceId, TargetId};
use windlass_protocol::message::{Assignment, FetchWork, InstallationPath, ReportKind, Work};
use windlass_protocol::{Slug, codec};
use windlass_segments::power::{Loss, Recording};
use windlass_segments::{Options, Writer, read};

use super::super::*;
use crate::tasks::begin_attempt;

/// What has been promised, in its order.
const ADMITTED: u64 = 1;
const STARTED: u64 = 2;
const ENDED: u64 = 3;
const OTHER_ADMITTED: u64 = 4;
const CLOSED: u64 = 5;

fn id(number: u8) -> AssignmentId {
    AssignmentId::from_bytes([number; 16])
}

fn slug(text: &str) -> Slug {
    text.parse().unwrap()
}

fn signed(number: u8) -> (Entry, SignedAssignment) {
    let generation = Generation { epoch: 1, sequence: number.into() };
    let path = InstallationPath {
        space: (SpaceId::from_bytes([1; 16]), slug("default")),
        environment: (EnvironmentId::from_bytes([2; 16]), slug("production")),
        environment_name: "Production".to_owned(),
        tenant: None,
        tenant_name: None,
        project: (ProjectId::from_bytes([3; 16]), slug("synergy")),
        // Longer than a sector, so that it can be torn.
        version: "1".repeat(700),
    };
    let assignment = Assignment {
        target: TargetId::from_bytes([4; 16]),
        id: id(number),
        generation,
        not_before: Timestamp::default(),
        expires: Timestamp::default(),
        deployment: DeploymentId::from_bytes([5; 16]),
        path,
        work: Work::Fetch(FetchWork { packages: Vec::new() }),
    };
    let signed = SignedAssignment { body: codec::body(&assignment).unwrap(), signature: vec![7; 64] };
    (Entry { generation, digest: Digest::of(&signed.body), closed: false }, signed)
}

fn admit(ledger: &Ledger, number: u8) {
    let (entry, signed) = signed(number);
    ledger.admit(id(number), entry, &signed, (SpaceId::from_bytes([1; 16]), None)).unwrap();
}

fn attempt(ledger: &Ledger) -> PathBuf {
    ledger.folder(id(1)).join("run-1")
}

fn work(recording: &Recording, root: &Path) {
    let ledger = Ledger::open(root).unwrap();
    admit(&ledger, 1);
    recording.acknowledge(ADMITTED);
    begin_attempt(&attempt(&ledger)).unwrap();
    let (mut marks, _) = Writer::open(attempt(&ledger).join("marks"), Options::default()).unwrap();
    marks.append(b"started").unwrap();
    marks.sync().unwrap();
    recording.acknowledge(STARTED);
    ledger.end(&Report { assignment: id(1), kind: ReportKind::Started }).unwrap();
    recording.acknowledge(ENDED);
    admit(&ledger, 2);
    recording.acknowledge(OTHER_ADMITTED);
    ledger.close(id(1), signed(1).0).unwrap();
    recording.acknowledge(CLOSED);
}

fn check(loss: &Loss<'_>) {
    let (name, acknowledged) = (loss.name, loss.acknowledged);
    let ledger = Ledger::open(&loss.folder.join("state")).unwrap_or_else(|why| panic!("{name}: {why:#}"));
    let entries = ledger.entries().unwrap();
    for (number, since) in [(1, ADMITTED), (2, OTHER_ADMITTED)] {
        let entry = entries.get(&id(number)).copied();
        assert!(entry.is_some() || acknowledged < since, "{name}: {number} is forgotten");
        let Some(entry) = entry.filter(|entry| !entry.closed) else { continue };
        assert_eq!(ledger.assignment(id(number)).unwrap(), signed(number).1, "{name}");
        assert!(ledger.highest().unwrap() >= Some(entry.generation), "{name}");
    }
    ledger.needed_packages().unwrap();
    let closed = entries.get(&id(1)).is_some_and(|entry| entry.closed);
    assert!(closed || acknowledged < CLOSED, "{name}: it would be done once more");
    assert_eq!(
        ledger.folder(id(1)).exists(),
        entries.contains_key(&id(1)) && !closed,
        "{name}: nothing is left over"
    );
    if closed {
        return;
    }
    if acknowledged >= STARTED {
        let marks = read(attempt(&ledger).join("marks"), 1).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!(marks.map(Result::unwrap).collect::<Vec<_>>(), [(1, b"started".to_vec())], "{name}");
    }
    let report = ledger.ended(id(1)).unwrap();
    assert!(report.is_some() || acknowledged < ENDED, "{name}: its end is forgotten");
}

#[test]
fn an_agent_that_loses_its_power_knows_what_it_wrote_down() {
    let place = tempfile::tempdir().unwrap();
    let recording = Recording::start(place.path());
    work(&recording, &place.path().join("state"));
    let disks = recording.finish().cut(check);
    assert!(disks > 100, "{disks} disks are not many");
}
