//! Targets, releases and deployments of a world, and agents that do as they are told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use windlass_api::error::Problem;
use windlass_api::plan::{Plan, PlannedDeployment};
use windlass_api::requests::DeployRequest;
use windlass_coordinator_core::authorise::Peer;
use windlass_coordinator_core::decide::{
    EnrolmentUse, Greeted, Greeting, ReadNames, Reply, SpaceCommand, TargetChange, WorkReport, WorkReportKind,
};
use windlass_coordinator_core::event::{Actor, DeploymentEvent, Event};
use windlass_coordinator_core::model::{
    Deployment, DeploymentEnd, DeploymentState, Package, PackageKey, TargetKey,
};
use windlass_coordinator_core::plan::{self, Printed};
use windlass_coordinator_core::reasons;
use windlass_coordinator_core::state::{WorkItem, WorkKind};
use windlass_protocol::ids::{AssignmentId, DeploymentId, EnrolmentId, TargetId};
use windlass_protocol::message::{Advertised, Isolation, Outcome};
use windlass_protocol::{Digest, Timestamp};

use super::World;

/// A machine that wants to be a target: its name is the secret of its key.
pub struct Machine<'a> {
    /// The name that it would like to have.
    pub name: &'a str,
    /// What its key is made from.
    pub key: &'a str,
    /// What the key is that is sealed to it with, as a byte.
    pub sealing: &'a str,
    /// What its configuration says.
    pub advertised: Advertised,
}

impl<'a> Machine<'a> {
    /// A machine whose key is named like itself, and whose configuration says nothing.
    pub fn new(name: &'a str) -> Self {
        Self { name, key: name, sealing: "00", advertised: Advertised::default() }
    }
}

impl World {
    /// Makes an enrolment token, of a request written as JSON, whose secret's digest is that of `secret`.
    pub fn token(&mut self, request: Value) -> Result<EnrolmentId, Problem> {
        let request = serde_json::from_value(request).expect("the request is right");
        let id = EnrolmentId::from_bytes(self.bytes());
        self.ask(SpaceCommand::CreateEnrolment { request, token: (id, Digest::of("secret")) })?;
        Ok(id)
    }

    /// Uses an enrolment token with a secret.
    pub fn use_token(&mut self, enrolment: EnrolmentId, secret: &str, machine: &Machine<'_>) -> Reply {
        let machine = EnrolmentUse {
            enrolment,
            secret: Digest::of(secret),
            key: self.key(machine),
            name: machine.name.to_owned(),
            advertised: machine.advertised.clone(),
            isolation: Isolation::Accounts,
        };
        let actor = std::mem::replace(&mut self.actor, Actor::Enrolment(enrolment));
        let reply = self.ask(SpaceCommand::Enrol(Box::new(machine))).expect("an enrolment is answered");
        self.actor = actor;
        reply
    }

    /// A target with this grant, enrolled with a token of its own.
    pub fn enrol(&mut self, name: &str, grant: Value) -> TargetId {
        let token = self.token(serde_json::json!({"grant": grant})).expect("the grant is right");
        match self.use_token(token, "secret", &Machine::new(name)) {
            Reply::Enrolled(target) => target,
            other => panic!("{name} is not enrolled: {other:?}"),
        }
    }

    fn key(&self, machine: &Machine<'_>) -> TargetKey {
        TargetKey {
            public_key: Digest::of(machine.key),
            sealing_key: machine.sealing.repeat(32),
            certificate_expires: self.now.plus_seconds(30 * 24 * 3600),
        }
    }

    /// Who a connection of a target proves to be.
    pub fn peer(&self, target: TargetId) -> Peer {
        let key = &self.space().targets.get(target).expect("the target exists").key;
        Peer { target, public_key: key.public_key, expires: key.certificate_expires }
    }

    /// Changes a target.
    pub fn change(&mut self, target: &str, change: TargetChange) {
        self.ask(SpaceCommand::ChangeTarget { target: target.to_owned(), change })
            .expect("the change is right");
    }

    /// Sets a target's grant, written as JSON.
    pub fn grant(&mut self, target: &str, grant: Value) {
        let grant = serde_json::from_value(grant).expect("the grant is right");
        self.change(target, TargetChange::Grant(grant));
    }

    /// What an agent's `Hello` says.
    pub fn advertise(&mut self, target: TargetId, advertised: Advertised) {
        let greeting = Greeting { advertised, ..self.greeting(target) };
        // A target that is disabled or revoked is told to go; then nothing of what it says counts.
        drop(self.greet(greeting));
    }

    /// What a target's agent says that has nothing to say.
    pub fn greeting(&self, target: TargetId) -> Greeting {
        Greeting {
            peer: self.peer(target),
            advertised: Advertised::default(),
            isolation: Isolation::Accounts,
            agent_version: "0.1.0".to_owned(),
            unfinished: None,
            may_change: true,
        }
    }

    /// Lets an agent greet.
    pub fn greet(&mut self, greeting: Greeting) -> Result<Greeted, Problem> {
        match self.ask(SpaceCommand::Greet(Box::new(greeting)))? {
            Reply::Greeted(greeted) => Ok(greeted),
            other => panic!("not the answer to a greeting: {other:?}"),
        }
    }

    /// Uploads a package.
    pub fn package(&mut self, id: &str, version: &str) {
        let package = Package {
            key: PackageKey { id: id.to_owned(), version: version.parse().expect("a version") },
            manifest: Digest::of(format!("{id} {version}")),
            original: Digest::of("file"),
            format: "zip".to_owned(),
            size: 1000,
            files: 3,
            uploaded: self.now,
        };
        self.ask(SpaceCommand::AddPackage(package)).expect("the package is new");
    }

    /// Makes a release. No package of most worlds reads anything; that is known of each.
    pub fn release(&mut self, project: &str, version: &str) {
        self.try_release(project, version, &ReadNames::default()).expect("the release can be made");
    }

    /// Makes a release in which every package does this with variables.
    pub fn try_release(&mut self, project: &str, version: &str, read: &ReadNames) -> Result<Reply, Problem> {
        let request = windlass_api::requests::ReleaseRequest {
            project: project.to_owned(),
            version: Some(version.to_owned()),
            ..Default::default()
        };
        let steps = &self.space().projects.named(project).expect("it exists").steps;
        let manifests = self.space().packages.values().map(|package| package.manifest);
        let pairs = manifests.flat_map(|manifest| steps.iter().map(move |step| (step.id, manifest)));
        let package_names = pairs.map(|pair| (pair, read.clone())).collect();
        self.ask(SpaceCommand::CreateRelease { request, package_names })
    }

    /// Deploys, as a request written as JSON says.
    pub fn try_deploy(&mut self, request: Value) -> Result<Vec<DeploymentId>, Problem> {
        let request: DeployRequest = serde_json::from_value(request).expect("the request is right");
        match self.ask(SpaceCommand::Deploy(request))? {
            Reply::Deployments { made, .. } => Ok(made),
            other => panic!("not the answer to a deployment: {other:?}"),
        }
    }

    /// What a request, written as JSON, would do while everybody is connected.
    pub fn plan(&self, request: Value) -> Result<Plan, Problem> {
        let request = serde_json::from_value(request).expect("the request is right");
        plan::plan(self.space(), &request, self.now, &|_| true)
    }

    /// What is recorded when somebody is shown a plan.
    pub fn printed(&self, request: Value) -> Printed {
        let plan = self.plan(request.clone()).expect("it can be planned");
        let request = serde_json::from_value(request).expect("the request is right");
        Printed::new(self.space(), &request, &plan).expect("it was planned")
    }

    /// Makes one deployment.
    pub fn deploy(&mut self, request: Value) -> DeploymentId {
        let made = self.try_deploy(request).expect("the deployment can be made");
        assert_eq!(made.len(), 1);
        made[0]
    }

    pub fn deployment(&self, id: DeploymentId) -> &Deployment {
        self.space().deployments.get(&id).expect("the deployment exists")
    }

    /// How a deployment ended, if it has.
    pub fn end(&self, id: DeploymentId) -> Option<DeploymentEnd> {
        match self.deployment(id).state {
            DeploymentState::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// Why a deployment ended, as who reads it now is told: of what was recorded, which the state keeps.
    pub fn reason(&self, id: DeploymentId) -> String {
        let events = self.records.iter().rev().flat_map(|record| &record.events);
        let mut reasons = events.filter_map(|event| match event {
            Event::Deployment(DeploymentEvent::Ended { deployment, why, .. }) if *deployment == id => {
                Some(why)
            }
            _ => None,
        });
        let recorded = reasons.next().expect("the deployment has ended");
        let deployment = self.deployment(id);
        assert_eq!(deployment.why.as_ref(), Some(recorded));
        reasons::end(self.space(), deployment, recorded)
    }

    /// Why a target was taken out of a deployment, if it was.
    pub fn removed(&self, id: DeploymentId, target: TargetId) -> Option<String> {
        let deployment = self.deployment(id);
        let why = deployment.parts.get(&target).expect("it has a part").removed?;
        Some(reasons::removal(self.space(), deployment, target, why))
    }

    /// How many successes the history knows of, wherever they were.
    pub fn successes(&self) -> usize {
        let keys: BTreeSet<_> =
            self.space().deployments.values().map(|deployment| deployment.key()).collect();
        keys.into_iter().map(|key| self.space().history.successes(key).count()).sum()
    }

    /// All work of a deployment, by target.
    pub fn work(&self, id: DeploymentId) -> Vec<(TargetId, AssignmentId, WorkItem)> {
        let all = self.space().indexes.work.iter().flat_map(|(target, items)| {
            items.iter().map(move |(assignment, item)| (*target, *assignment, *item))
        });
        all.filter(|(_, _, item)| item.deployment == id).collect()
    }

    /// Reports something of an assignment.
    pub fn report(&mut self, target: TargetId, assignment: AssignmentId, kind: WorkReportKind) {
        let (peer, reports) = (self.peer(target), vec![WorkReport { assignment, kind }]);
        self.ask(SpaceCommand::Report { peer, reports }).expect("its own reports are taken");
    }

    /// Every agent does what a deployment asks of it now, and `outcome` is how it ends.
    pub fn work_off(&mut self, id: DeploymentId, outcome: &Outcome) {
        for (target, assignment, item) in self.work(id) {
            match item.kind {
                WorkKind::Fetch => {
                    self.report(target, assignment, WorkReportKind::Fetched { moved: 10, saved: 990 });
                }
                WorkKind::Run(_) => {
                    self.report(target, assignment, WorkReportKind::Started);
                    self.report(target, assignment, ended(outcome.clone()));
                }
            }
        }
    }

    /// Every agent does all that a deployment asks of it, well.
    pub fn succeed(&mut self, id: DeploymentId) {
        while self.end(id).is_none() {
            assert!(!self.work(id).is_empty(), "the deployment runs");
            self.work_off(id, &Outcome::Succeeded);
        }
        assert_eq!(self.end(id), Some(DeploymentEnd::Succeeded));
    }

    /// The target of this name.
    pub fn target(&self, name: &str) -> TargetId {
        self.space().targets.named(name).expect("it exists").id
    }

    /// A target with work has had no session for half a minute.
    pub fn lose(&mut self, target: TargetId) {
        self.presence(vec![target], vec![]);
    }

    /// Records who is lost and who is back.
    pub fn presence(&mut self, lost: Vec<TargetId>, back: Vec<TargetId>) {
        self.ask(SpaceCommand::RecordPresence { lost, back }).expect("presence is always recorded");
    }

    /// The coordinator serves again at `now`.
    pub fn serve_again(&mut self, now: Timestamp) {
        self.now = now;
        self.ask(SpaceCommand::RecordReturn).expect("its return is always recorded");
    }

    /// Gives up what is overdue at `now`.
    pub fn give_up(&mut self, now: Timestamp) {
        self.now = now;
        self.ask(SpaceCommand::GiveUpOverdue).expect("giving up always works");
    }
}

/// The report of a step's end, without output.
pub fn ended(outcome: Outcome) -> WorkReportKind {
    WorkReportKind::Ended { outcome, outputs: BTreeMap::new(), lines: 0 }
}

/// The deployments of a plan, each with its steps, also where those are printed with an earlier one.
pub fn in_whole(plan: &Plan) -> Vec<PlannedDeployment> {
    let mut deployments = plan.deployments.clone();
    for deployment in &mut deployments {
        let Some(first) = deployment.steps_as.take() else { continue };
        let is_first =
            |one: &&PlannedDeployment| one.environment == first.environment && one.tenant == first.tenant;
        let first = plan.deployments.iter().find(is_first).expect("it is in the plan");
        deployment.steps.clone_from(&first.steps);
    }
    deployments
}
