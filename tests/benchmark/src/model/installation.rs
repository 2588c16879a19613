//! Installations of any size, made by the same commands as everybody's.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Context;
use serde_json::{Value, json};
use windlass_api::plan::Plan;
use windlass_api::requests::{ApplyRequest, DeployRequest, EnrolmentRequest, PlacedDocument, ReleaseRequest};
use windlass_coordinator_core::decide::{
    Command, EnrolmentUse, Envelope, ReadNames, Reply, SpaceCommand, decide, has_more,
};
use windlass_coordinator_core::event::{Actor, Record};
use windlass_coordinator_core::model::{Package, PackageKey, TargetKey};
use windlass_coordinator_core::plan;
use windlass_coordinator_core::state::{Caps, Space, State};
use windlass_protocol::ids::{EnrolmentId, KeyId, SpaceId, TokenId};
use windlass_protocol::message::{Advertised, Isolation};
use windlass_protocol::{Digest, Timestamp};

const NOW: Timestamp = Timestamp::from_milliseconds(1_800_000_000_000);
/// Tenants that share a pool of machines.
const TENANTS_IN_POOL: usize = 200;
/// Machines of a pool; every other machine is one tenant's own.
const MACHINES_IN_POOL: usize = 4;
/// Machines that serve everybody.
const SERVING_ALL: usize = 10;
/// Documents of one apply, and tenants of one deployment.
const AT_ONCE: usize = 500;

/// How much there is.
#[derive(Clone, Copy)]
pub struct Size {
    pub tenants: usize,
    pub targets: usize,
    pub projects: usize,
    pub running: usize,
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tenants, targets, projects, running } = self;
        write!(
            formatter,
            "{tenants} tenants, {targets} targets, {projects} projects, {running} deployments running"
        )
    }
}

pub struct SyntheticInstallation {
    pub size: Size,
    pub state: State,
    made: u64,
}

impl SyntheticInstallation {
    /// Everybody is connected to project 0 and to another one; deployments of the others run.
    pub fn build(size: Size) -> anyhow::Result<Self> {
        let mut installation = Self { size, state: State::default(), made: 0 };
        let token = (TokenId::from_bytes(installation.bytes()), Digest::of("token"));
        let (authority, key) = (Digest::of("authority"), KeyId::from_bytes(installation.bytes()));
        installation.run(&Command::Initialise { authority, token, key })?;
        installation.ask(SpaceCommand::SetCaps(Caps { space: 10 * size.running, tenant: 20 }))?;
        installation.define()?;
        installation.enrol()?;
        installation.release()?;
        installation.deploy()?;
        Ok(installation)
    }

    fn define(&mut self) -> anyhow::Result<()> {
        let pools = self.size.tenants / TENANTS_IN_POOL;
        let names = |names: Vec<String>| -> Vec<Value> {
            names.into_iter().map(|name| json!({"name": name})).collect()
        };
        let pools = names((0..pools).map(|pool| format!("Pool {pool}")).collect());
        let mut documents = vec![
            json!({"kind": "environment", "name": "Staging"}),
            json!({"kind": "environment", "name": "Production"}),
            json!({"kind": "tag-set", "name": "Ring", "tags": [{"name": "Canary"}, {"name": "Stable"}]}),
            json!({"kind": "tag-set", "name": "Pool", "tags": pools}),
            json!({"kind": "lifecycle", "name": "Free", "phases": [
                {"name": "Try", "environments": ["Staging"], "optional": true},
                {"name": "Live", "environments": ["Production"]}]}),
            json!({"kind": "library-set", "name": "Common", "variables": {
                "Region": [{"value": "eu"}, {"value": "test", "environments": ["Staging"]}],
                "Greeting": [{"value": "Hello from #{Region}"}]}}),
        ];
        documents.extend((0..self.size.projects).map(|number| project(number, "echo hello")));
        documents.extend((0..self.size.tenants).map(|number| self.tenant(number, "new")));
        while !documents.is_empty() {
            let rest = documents.split_off(AT_ONCE.min(documents.len()));
            let command = self.apply(std::mem::replace(&mut documents, rest));
            self.run(&command)?;
        }
        Ok(())
    }

    /// A tenant's document, with a value that says `text`.
    pub fn tenant(&self, number: usize, text: &str) -> Value {
        let ring = if number.is_multiple_of(2) == (text == "new") { "Ring/Stable" } else { "Ring/Canary" };
        let pool = format!("Pool/Pool {}", number % (self.size.tenants / TENANTS_IN_POOL));
        let own = 1 + number % (self.size.projects - 1);
        let connected =
            BTreeMap::from([0, own].map(|number| (project_name(number), ["Staging", "Production"])));
        let values = BTreeMap::from([0, own].map(|number| (project_name(number), json!({"Url": text}))));
        json!({"kind": "tenant", "name": tenant_name(number), "tags": [ring, pool], "projects": connected,
            "values": values})
    }

    fn enrol(&mut self) -> anyhow::Result<()> {
        let pools = self.size.tenants / TENANTS_IN_POOL;
        for number in 0..self.size.targets {
            let (role, tenants) = if number < SERVING_ALL {
                ("watch", json!({"tags": ["Ring/Canary", "Ring/Stable"]}))
            } else if number < SERVING_ALL + pools * MACHINES_IN_POOL {
                ("db", json!({"tags": [format!("Pool/Pool {}", number % pools)]}))
            } else {
                ("web", json!({"tenants": [tenant_name(self.size.targets - 1 - number)]}))
            };
            let grant =
                json!({"roles": [role], "environments": ["Staging", "Production"], "tenants": tenants});
            let request: EnrolmentRequest = serde_json::from_value(json!({"grant": grant}))?;
            let (enrolment, secret) = (EnrolmentId::from_bytes(self.bytes()), Digest::of("secret"));
            self.ask(SpaceCommand::CreateEnrolment { request, token: (enrolment, secret) })?;
            let key = TargetKey {
                public_key: Digest::of(number.to_string()),
                sealing_key: "00".repeat(32),
                certificate_expires: NOW.plus_seconds(30 * 24 * 3600),
            };
            let (name, advertised) = (format!("machine-{number}"), Advertised::default());
            let machine =
                EnrolmentUse { enrolment, secret, key, name, advertised, isolation: Isolation::Accounts };
            let reply = self.ask(SpaceCommand::Enrol(Box::new(machine)))?;
            anyhow::ensure!(matches!(reply, Reply::Enrolled(_)), "machine {number} is not enrolled");
        }
        Ok(())
    }

    fn release(&mut self) -> anyhow::Result<()> {
        let manifest = Digest::of("shop");
        self.ask(SpaceCommand::AddPackage(Package {
            key: PackageKey { id: "shop".to_owned(), version: "1.0.0".parse()? },
            manifest,
            original: Digest::of("file"),
            format: "zip".to_owned(),
            size: 1_000_000,
            files: 100,
            uploaded: NOW,
        }))?;
        let steps: Vec<_> =
            self.space()?.projects.iter().flat_map(|project| &project.steps).map(|step| step.id).collect();
        let package_names: BTreeMap<_, _> =
            steps.into_iter().map(|step| ((step, manifest), ReadNames::default())).collect();
        for number in 0..self.size.projects {
            let (project, version) = (project_name(number), Some("1.0.0".to_owned()));
            let request = ReleaseRequest { project, version, ..ReleaseRequest::default() };
            self.ask(SpaceCommand::CreateRelease { request, package_names: package_names.clone() })?;
        }
        Ok(())
    }

    fn deploy(&mut self) -> anyhow::Result<()> {
        let of_project = |size: Size, own: usize| {
            (0..size.running).filter(move |number| 1 + number % (size.projects - 1) == own)
        };
        for own in 1..self.size.projects {
            let tenants: Vec<_> = of_project(self.size, own).map(tenant_name).collect();
            let request = self.request(own, json!({"tenants": tenants}));
            self.ask(SpaceCommand::Deploy(request))?;
        }
        let running = self.space()?.indexes.slots_taken;
        anyhow::ensure!(running == self.size.running, "{running} deployments run");
        Ok(())
    }

    /// A request to deploy a project's release to production.
    pub fn request(&self, number: usize, tenants: Value) -> DeployRequest {
        let request = json!({"project": project_name(number), "version": "latest", "environments": ["Production"],
            "tenants": tenants});
        serde_json::from_value(request).expect("the request is right")
    }

    /// What a request would do.
    pub fn plan(&self, request: &DeployRequest) -> anyhow::Result<Plan> {
        Ok(plan::plan(self.space()?, request, NOW, &|_| true)?)
    }

    /// Applies documents.
    pub fn apply(&self, documents: Vec<Value>) -> Command {
        let placed = |document| PlacedDocument {
            place: String::new(),
            document: serde_json::from_value(document).expect("the document is right"),
        };
        let documents = documents.into_iter().map(placed).collect();
        let request = ApplyRequest { documents, ..ApplyRequest::default() };
        Command::Space(self.space_id(), SpaceCommand::Apply { request, keys: BTreeMap::new() })
    }

    fn ask(&mut self, command: SpaceCommand) -> anyhow::Result<Reply> {
        let command = Command::Space(self.space_id(), command);
        let (reply, _) = self.decide(&command)?;
        self.go_on()?;
        Ok(reply)
    }

    /// Carries a command out, and what it leaves to go on with. The records.
    pub fn run(&mut self, command: &Command) -> anyhow::Result<Vec<Record>> {
        let (_, record) = self.decide(command)?;
        let mut records: Vec<_> = record.into_iter().collect();
        records.extend(self.go_on()?);
        Ok(records)
    }

    fn go_on(&mut self) -> anyhow::Result<Vec<Record>> {
        let mut records = Vec::new();
        while has_more(&self.state, self.space_id()) {
            let command = Command::Space(self.space_id(), SpaceCommand::GoOn);
            records.extend(self.decide(&command)?.1);
        }
        Ok(records)
    }

    fn decide(&mut self, command: &Command) -> anyhow::Result<(Reply, Option<Record>)> {
        let (actor, seed) = (Actor::Installer, *Digest::of(self.next().to_string()).as_bytes());
        let (time, request) = (NOW, None);
        let envelope = Envelope { time, actor, origin: None, reason: None, cause: None, request, seed };
        let decision = decide(&self.state, &envelope, command)?;
        self.state = decision.state;
        Ok((decision.reply, decision.record))
    }

    fn space(&self) -> anyhow::Result<&Space> {
        self.state.space_named(None).context("an installation has a space")
    }

    fn space_id(&self) -> SpaceId {
        *self.state.spaces.keys().next().unwrap_or(&SpaceId::from_bytes([0; 16]))
    }

    fn next(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    fn bytes(&mut self) -> [u8; 16] {
        Digest::of(self.next().to_string()).as_bytes()[..16].try_into().expect("a digest has 32 bytes")
    }
}

/// A project, with a script that says `text`.
pub fn project(number: usize, text: &str) -> Value {
    let script = format!("{text}\necho \"$(get_windlassvariable Greeting)\"\n");
    json!({"kind": "project", "name": project_name(number), "tenancy": "tenanted", "lifecycle": "Free",
        "library-sets": ["Common"], "templates": [{"name": "Url"}],
        "variables": {"Address": [{"value": "#{Url}/shop"}]},
        "steps": [
            {"name": "Migrate", "roles": ["db"], "script": {"body": script}},
            {"name": "Install", "roles": ["web"], "package": {"id": "shop"}, "needs": ["Address", "Region"]}]})
}

pub fn project_name(number: usize) -> String {
    format!("Project {number}")
}

pub fn tenant_name(number: usize) -> String {
    format!("Tenant {number}")
}
