//! Random things that can happen in a world, small enough that they meet each other.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use windlass_coordinator_core::authorise;
use windlass_coordinator_core::decide::{
    Command, Refusals, Refused, Repeat, Repeated, Reply, SpaceCommand, TargetChange, WorkReportKind,
};
use windlass_coordinator_core::event::StrangerReason;
use windlass_coordinator_core::model::StoredValue;
use windlass_coordinator_core::state::{Caps, WorkKind};
use windlass_protocol::Digest;
use windlass_protocol::ids::{AssignmentId, TargetId};
use windlass_protocol::message::{Advertised, EnrolRefusal, Generation, Outcome};

use super::{Machine, Operators, World, ended, project, small};

/// The machines that there may be, by name.
const MACHINES: [&str; 3] = ["one", "two", "three"];
const TENANTS: [&str; 3] = ["Alpha", "Beta", "Gamma"];
const ENVIRONMENTS: [&str; 2] = ["Testing", "Staging"];

/// Something that happens: what it is, and three numbers that say to whom and how.
#[derive(Debug, Clone, Copy)]
pub struct Happening {
    kind: u8,
    numbers: [u8; 3],
}

/// Any happening.
pub fn happening() -> impl Strategy<Value = Happening> {
    (0..KINDS, any::<[u8; 3]>()).prop_map(|(kind, numbers)| Happening { kind, numbers })
}

const KINDS: u8 = 18;

/// The world in which they happen: the project Shop deploys a package and runs two scripts.
pub fn lively() -> World {
    let mut world = small();
    let scripts = ["Check", "Report"]
        .map(|name| json!({"name": name, "roles": ["web", "db"], "script": {"body": "true"}}));
    world.apply(&[
        project(
            "Shop",
            json!([{"name": "Copy", "roles": ["web"], "package": {"id": "shop"}}, scripts[0], scripts[1]]),
        ),
        document(0, &[0, 1], &["Ring/Canary"]),
        document(1, &[0, 1], &["Ring/Stable"]),
    ]);
    world.package("shop", "1.0.0");
    world.release("Shop", "1.0.0");
    world.replays = false;
    for machine in ["one", "two"] {
        world.enrol_or_again(machine, [3, 7, 0]);
    }
    world
}

fn document(tenant: usize, environments: &[usize], tags: &[&str]) -> Value {
    let environments: Vec<_> = environments.iter().map(|index| ENVIRONMENTS[*index]).collect();
    json!({"kind": "tenant", "name": TENANTS[tenant], "tags": tags, "projects": {"Shop": environments}})
}

fn some<T: Clone>(of: &[T], bits: u8) -> Vec<T> {
    of.iter().enumerate().filter(|(index, _)| bits & (1 << index) != 0).map(|(_, one)| one.clone()).collect()
}

fn pick<T: Copy>(of: &[T], number: u8) -> T {
    of[usize::from(number) % of.len()]
}

fn texts(of: &[&str], bits: u8) -> Vec<String> {
    some(of, bits).into_iter().map(str::to_owned).collect()
}

fn grant([first, second, third]: [u8; 3]) -> Value {
    let participation = pick(&["tenanted", "both", "both", "untenanted"], third);
    json!({"roles": some(&["web", "db"], first | 1), "environments": some(&ENVIRONMENTS, second),
        "tenants": {"tenants": some(&TENANTS, first >> 2), "tags": some(&["Ring/Canary", "Ring/Stable"], second >> 2)},
        "participation": participation})
}

impl World {
    /// Lets something happen; what cannot happen now is refused, and that is how it is.
    pub fn happen(&mut self, happening: Happening) {
        let numbers = happening.numbers;
        let [first, second, third] = numbers;
        let name = pick(&MACHINES, first);
        self.wait(u64::from(third));
        match happening.kind {
            0 | 1 => self.enrol_or_again(name, [second, third, first]),
            2 => self.rescope(name, [second, third, first]),
            3 => self.bar_or_open(name, second),
            4 => self.say(name, numbers),
            5 => {
                let tags = some(&["Ring/Canary", "Ring/Stable"], second);
                let tenant = usize::from(first) % TENANTS.len();
                self.apply(&[document(tenant, &some(&[0, 1], third | (first & 1)), &tags)]);
            }
            6 => self.renew(name, second),
            7 if second < 48 => drop(self.delete("tenant", pick(&TENANTS, first))),
            8 if second < 12 => self.give_up(self.now.plus_seconds(3 * 3600)),
            8 if second < 24 => self.serve_again(self.now.plus_seconds(3 * 3600)),
            9 if second < 40 => self.cancel_one(first),
            7..=10 => self.deploy_some(numbers),
            11 => self.lose_or_find(name, second),
            12 if second < 64 => self.set_caps(numbers),
            _ => self.work_one(numbers),
        }
    }

    fn there(&self, name: &str) -> Option<TargetId> {
        self.space().targets.named(name).map(|target| target.id)
    }

    fn enrol_or_again(&mut self, name: &str, numbers: [u8; 3]) {
        let key = format!("key {}", numbers[2]);
        let (before, grant) = (self.there(name), grant(numbers));
        let request = match before {
            Some(_) => json!({"target": name}),
            None => json!({"grant": grant}),
        };
        // A tenant that the grant names may be deleted by now: then there is no token.
        let Ok(token) = self.token(request) else { return };
        let machine = Machine { key: &key, ..Machine::new(name) };
        if let Reply::Enrolled(target) = self.use_token(token, "secret", &machine) {
            if before.is_none() {
                self.operators.granted(target, grant);
            }
            self.operators.enrolled(self.peer(target));
        }
    }

    fn change_if_there(&mut self, name: &str, change: TargetChange) -> bool {
        self.ask(SpaceCommand::ChangeTarget { target: name.to_owned(), change }).is_ok()
    }

    fn bar_or_open(&mut self, name: &str, number: u8) {
        let Some(target) = self.there(name) else { return };
        let (change, told): (_, fn(&mut Operators, TargetId)) = match number {
            0..32 => (TargetChange::Disable, Operators::disabled),
            32..64 => (TargetChange::Revoke, Operators::revoked),
            64..96 => (TargetChange::Delete, Operators::deleted),
            96..112 => return self.hold_or_confirm(name, target, number),
            _ => (TargetChange::Enable, Operators::enabled),
        };
        if self.change_if_there(name, change) {
            told(&mut self.operators, target);
        }
    }

    fn hold_or_confirm(&mut self, name: &str, target: TargetId, number: u8) {
        let peer = self.peer(target);
        if number < 104 {
            let generation = Generation { epoch: self.state.epoch, sequence: u64::from(number) * 100 };
            let ahead = authorise::is_ahead(&self.state, target, generation);
            let asked = self.ask(SpaceCommand::RecordAhead { peer, generation });
            if ahead && asked.is_ok() {
                self.operators.held(target);
            }
        } else if self.change_if_there(name, TargetChange::Confirm) {
            self.operators.confirmed(target);
        }
    }

    fn rescope(&mut self, name: &str, numbers: [u8; 3]) {
        let Some(target) = self.there(name) else { return };
        let grant = grant(numbers);
        let text = serde_json::from_value(grant.clone()).expect("a grant");
        // A tenant that the grant names may be deleted by now: then it is refused.
        if self.change_if_there(name, TargetChange::Grant(text)) {
            self.operators.granted(target, grant);
        }
    }

    fn say(&mut self, name: &str, [first, second, third]: [u8; 3]) {
        let Some(target) = self.there(name) else { return };
        let tenants = (first & 64 != 0).then(|| texts(&["Alpha", "Beta", "Gamma", "Nobody"], third));
        let roles = (first & 128 != 0).then(|| texts(&["web", "db", "root"], second));
        let environments = (first & 32 != 0).then(|| texts(&ENVIRONMENTS, second >> 3));
        self.advertise(target, Advertised { roles, environments, tenants, ..Advertised::default() });
    }

    fn renew(&mut self, name: &str, days: u8) {
        let Some(target) = self.there(name) else { return };
        let life_seconds = u64::from(days) * 24 * 3600;
        drop(self.ask(SpaceCommand::Renew { peer: self.peer(target), life_seconds }));
    }

    /// Everything that is counted happens again.
    fn repeat(&mut self, target: TargetId, assignment: AssignmentId, digest: Digest) {
        let (older, newer) = ("192.0.2.1".to_owned(), "192.0.2.2".to_owned());
        let mut repeats = vec![
            Repeated::Read { target, assignment, digest },
            Repeated::PullBroken { target, assignment, manifest: digest },
            Repeated::Clone { target, older, newer },
        ];
        let token = self.space().enrolments.keys().next().copied();
        repeats.extend(token.map(|enrolment| {
            let (rule, origin) = (EnrolRefusal::Used, "192.0.2.3".to_owned());
            Repeated::EnrolmentRefused { enrolment, rule, origin }
        }));
        let (first, last) = (self.now, self.now);
        let repeat = |what| Repeat { what, count: 2, bytes: 20, first, last };
        let repeats = repeats.into_iter().map(repeat).collect();
        self.ask(SpaceCommand::RecordRepeats(repeats)).expect("counts are always recorded");
        let (reason, origin) = (StrangerReason::UnknownToken, "192.0.2.4".to_owned());
        let refused = Refused::Stranger(reason);
        let refusals = vec![Refusals { refused, origin, count: 2, first, last }];
        self.run(&Command::RecordRefusals(refusals)).expect("counts are always recorded");
    }

    fn lose_or_find(&mut self, name: &str, number: u8) {
        let Some(target) = self.there(name) else { return };
        let (lost, back) = if number < 160 { (vec![target], vec![]) } else { (vec![], vec![target]) };
        self.presence(lost, back);
    }

    /// Few may run at once from now on, or many.
    fn set_caps(&mut self, [first, second, third]: [u8; 3]) {
        let few = |number: u8| 1 + usize::from(number % 3);
        let caps =
            if first < 128 { Caps { space: few(second), tenant: few(third) } } else { Caps::default() };
        self.ask(SpaceCommand::SetCaps(caps)).expect("the caps are right");
    }

    fn cancel_one(&mut self, number: u8) {
        let all: Vec<_> = self.space().deployments.keys().copied().collect();
        if !all.is_empty() {
            drop(self.ask(SpaceCommand::Cancel(pick(&all, number))));
        }
    }

    fn deploy_some(&mut self, [first, second, third]: [u8; 3]) {
        let tenants = if first & 1 == 0 {
            json!({"tags": ["Ring/Canary"]})
        } else {
            json!({"tenants": some(&TENANTS, second)})
        };
        let request = json!({"project": "Shop", "version": "latest", "environments": [pick(&ENVIRONMENTS, third)], "tenants": tenants});
        drop(self.try_deploy(request));
    }

    /// One agent does or tells something of what there is to do.
    fn work_one(&mut self, [first, second, third]: [u8; 3]) {
        let all: Vec<_> = self
            .space()
            .indexes
            .work
            .iter()
            // Who is held has no session to work in.
            .filter(|(target, _)| !self.space().targets.get(**target).is_some_and(|target| target.is_held()))
            .flat_map(|(target, items)| items.iter().map(move |(id, item)| (*target, *id, *item)))
            .collect();
        if all.is_empty() {
            return;
        }
        let (target, assignment, item) = pick(&all, first);
        let report = match (item.kind, second) {
            (WorkKind::Fetch, 0..16) => WorkReportKind::FetchFailed("no space".to_owned()),
            (WorkKind::Fetch, _) => {
                let manifest = Digest::of("shop 1.0.0");
                let peer = self.peer(target);
                let command = SpaceCommand::RecordPullBegun { peer, assignment, manifest, bytes: 10 };
                self.ask(command).expect("it is its work");
                let command = SpaceCommand::RecordPulled { peer, assignment, manifest, bytes: 10 };
                self.ask(command).expect("it is its work");
                self.repeat(target, assignment, manifest);
                WorkReportKind::Fetched { moved: 10, saved: 990 }
            }
            (WorkKind::Run(_), 0..16) => ended(Outcome::Failed { reason: "exit code 1".to_owned() }),
            (WorkKind::Run(_), 16..96) => {
                let (peer, names) = (self.peer(target), vec!["Seen".to_owned()]);
                let digest = Digest::of([third & 1]);
                let command = SpaceCommand::RecordVariablesRead { peer, assignment, names, digest };
                self.ask(command).expect("it is its work");
                WorkReportKind::Started
            }
            (WorkKind::Run(_), _) => {
                let outputs = BTreeMap::from([("Seen".to_owned(), StoredValue::Plain(third.to_string()))]);
                WorkReportKind::Ended { outcome: Outcome::Succeeded, outputs, lines: u64::from(third) }
            }
        };
        self.report(target, assignment, report);
    }
}
