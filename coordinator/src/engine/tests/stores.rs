//! Two coordinators over one journal, one store of keys and one of output: whoever does what, both have the same keys and
//! lines, and what one destroys opens nowhere.

use std::io::ErrorKind;

use futures_util::FutureExt;
use windlass_api::sealed::Sealed;
use windlass_protocol::Secret;
use windlass_protocol::ids::{AssignmentId, TargetId};
use windlass_protocol::message::{OutputLine, OutputStream};

use super::*;
use crate::output::{self, Limits, Logs, Piece, Room};
use crate::vault::{self, KeyName, Vault, VaultError};

struct Coordinator {
    ledger: Ledger<InMemory>,
    vault: Vault,
    logs: output::InMemory,
    seen: Arc<State>,
}

/// What all of them share, and what happened to it.
struct Scene {
    chance: Chance,
    keys: vault::InMemory,
    space: SpaceId,
    /// A value for each key that was made.
    sealed: BTreeMap<KeyId, Sealed>,
    /// Lines that were acknowledged, by assignment.
    acknowledged: BTreeMap<AssignmentId, u64>,
}

impl Coordinator {
    fn start(journal: &InMemory, keys: &vault::InMemory, logs: &output::InMemory) -> Self {
        let (ledger, vault) = (engine(journal), Vault::new(keys.clone()));
        Self { ledger, vault, logs: logs.clone(), seen: Arc::default() }
    }

    /// As the engine's thread: between a commit and its answers.
    fn publish(&mut self) {
        let after = Arc::clone(self.ledger.state());
        self.vault.forget_new(&self.seen, &after);
        self.seen = after;
    }

    fn carry_out(&mut self, asked: Asked) -> Answer {
        let answer = self.ledger.carry_out(&[asked]).expect("the journal is whole").remove(0);
        self.publish();
        answer
    }

    fn space(&self, space: SpaceId) -> &windlass_coordinator_core::state::Space {
        self.seen.space(space).expect("there is one")
    }
}

impl Scene {
    fn ask(&mut self, coordinator: &mut Coordinator, command: SpaceCommand) -> Answer {
        let asked = asked(&mut self.chance, Actor::Installer, Command::Space(self.space, command));
        coordinator.carry_out(asked)
    }

    /// A key and a value come before the record that says so.
    fn make_tenant(&mut self, coordinator: &mut Coordinator, name: &str) {
        let key = KeyId::from_bytes(self.chance.bytes());
        if coordinator.vault.make(&[key]).is_err() {
            return;
        }
        let secret = Secret::new(format!("of {key}"));
        self.sealed.insert(key, coordinator.vault.seal(key, &secret).expect("it was made"));
        let placed = json!({"place": "a:1", "document": {"kind": "tenant", "name": name}});
        let request = serde_json::from_value(json!({"documents": [placed]})).expect("a request");
        // Somebody may have made it meanwhile; then nobody refers to the key.
        drop(self.ask(coordinator, SpaceCommand::Apply { request, keys: BTreeMap::from([(0, key)]) }));
    }

    /// Who asked destroys the key before the answer, unless it crashes.
    fn delete_tenant(&mut self, coordinator: &mut Coordinator, name: &str) {
        let key = coordinator.space(self.space).tenants.named(name).map(|tenant| tenant.key);
        let delete = SpaceCommand::Delete { kind: "tenant".to_owned(), name: name.to_owned() };
        let answer = self.ask(coordinator, delete);
        let crashes = self.chance.below(3) == 0;
        if let (Ok(_), Some(key), false) = (answer, key, crashes)
            && coordinator.space(self.space).destroyed_keys.contains(&key)
        {
            drop(coordinator.vault.destroy(key));
        }
    }

    /// An agent sends some lines after those that it knows to be taken, or again with them.
    fn print(&mut self, coordinator: &Coordinator) {
        let assignment = AssignmentId::from_bytes([u8::try_from(self.chance.below(3)).unwrap_or(0); 16]);
        let known = self.acknowledged.entry(assignment).or_insert(0);
        let first = known.saturating_sub(self.chance.below(3)) + 1;
        let line = |number: u64| OutputLine {
            time: Timestamp::from_milliseconds(START),
            stream: OutputStream::Out,
            text: format!("line {number}"),
        };
        let lines = (first..=first + self.chance.below(5)).map(line).collect();
        let answer = coordinator
            .logs
            .append(TargetId::from_bytes([1; 16]), assignment, first, lines)
            .now_or_never()
            .expect("it is in memory");
        if let Ok(next) = answer {
            *known = next - 1;
        }
    }

    /// What is destroyed opens nowhere from when it is known, whatever the store is at; what is there opens everywhere.
    fn check(&self, coordinator: &Coordinator, settled: bool) {
        let space = coordinator.space(self.space);
        for key in &space.destroyed_keys {
            let why = coordinator.vault.reveal(&self.sealed[key]).err();
            assert!(matches!(why, Some(VaultError::Destroyed(_))), "{why:?}");
            assert!(!settled || !self.keys.names().contains(&KeyName::Data(*key)), "{key} is left");
        }
        for tenant in space.tenants.iter().filter(|_| settled) {
            let secret = coordinator.vault.reveal(&self.sealed[&tenant.key]).expect("its key is there");
            assert_eq!(secret.reveal(), format!("of {}", tenant.key));
        }
    }
}

#[test]
fn two_coordinators_share_keys_and_output_and_what_one_destroys_opens_nowhere() {
    let (mut destroyed, mut tenants) = (0, 0);
    for seed in 1..=40 {
        let journal = InMemory::default();
        let mut chance = Chance(seed);
        let space = initialise(&mut engine(&journal), &mut chance);
        let (keys, logs) = (vault::InMemory::default(), output::InMemory::new(Limits::with_total(1 << 30)));
        let start = || Coordinator::start(&journal, &keys, &logs);
        let mut coordinators = [start(), start()];
        let (sealed, acknowledged) = (BTreeMap::new(), BTreeMap::new());
        let mut scene = Scene { chance, keys: keys.clone(), space, sealed, acknowledged };
        for coordinator in &mut coordinators {
            coordinator.ledger.catch_up().expect("the journal is whole");
            coordinator.publish();
        }
        for _ in 0..60 {
            let coordinator =
                &mut coordinators[usize::try_from(scene.chance.below(2)).expect("it is 0 or 1")];
            let name = format!("tenant {}", scene.chance.below(4));
            match scene.chance.below(10) {
                0..3 => scene.make_tenant(coordinator, &name),
                3..5 => scene.delete_tenant(coordinator, &name),
                5..8 => scene.print(coordinator),
                8 => {
                    let broken = scene.chance.below(2) == 0;
                    keys.set_trouble(broken.then_some(ErrorKind::NotConnected));
                    logs.set_room(broken.then_some(0));
                }
                _ => {
                    *coordinator = start();
                    coordinator.ledger.catch_up().expect("the journal is whole");
                    coordinator.publish();
                    coordinator.vault.destroy_all(&coordinator.seen);
                }
            }
            scene.check(coordinator, false);
        }
        keys.set_trouble(None);
        for coordinator in &mut coordinators {
            coordinator.ledger.catch_up().expect("the journal is whole");
            coordinator.publish();
            coordinator.vault.destroy_all(&coordinator.seen);
            scene.check(coordinator, true);
            for (assignment, last) in &scene.acknowledged {
                let pieces = coordinator
                    .logs
                    .read(*assignment, 1, Room { pieces: usize::MAX, bytes: u64::MAX }, None)
                    .expect("it can be read");
                let numbers: Vec<_> = pieces.iter().map(Piece::last).collect();
                assert_eq!(numbers, (1..=*last).collect::<Vec<_>>(), "each line once");
            }
        }
        let space = coordinators[0].space(space);
        destroyed += space.destroyed_keys.len();
        tenants += space.tenants.iter().count();
    }
    assert!(destroyed > 50 && tenants > 40, "tenants came and went: {destroyed}, {tenants}");
}
