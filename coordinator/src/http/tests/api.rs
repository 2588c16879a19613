//! A coordinator's API with nothing around it, and a client's view of it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt;
use windlass_coordinator_core::authorise::Peer;
use windlass_coordinator_core::decide::{Command, EnrolmentUse, Reply, SpaceCommand};
use windlass_coordinator_core::event::Actor;
use windlass_coordinator_core::model::TargetKey;
use windlass_coordinator_core::state::{State, WorkKind, assignment_id};
use windlass_packages::PackageStore;
use windlass_protocol::ids::{AssignmentId, DeploymentId, EnrolmentId, KeyId, TargetId};
use windlass_protocol::message::{Advertised, Isolation, OutputLine, OutputStream};
use windlass_protocol::token::{Token, TokenKind};
use windlass_protocol::{Digest, Timestamp};

use super::described;
use crate::authority::Authority;
use crate::engine::Engine;
use crate::http::caller::IDEMPOTENCY_KEY;
use crate::http::presence::{FetchProgress, Presence};
use crate::http::{Context, router};
use crate::output::{self, Limits, Logs};
use crate::registry::Registry;
use crate::services::Services;
use crate::vault::{self, KeyName, Vault};
use crate::{installation, journal};

/// Everybody is connected.
struct Everybody;

impl Presence for Everybody {
    fn online(&self, _: TargetId) -> bool {
        true
    }

    fn last_seen(&self, _: TargetId) -> Option<Timestamp> {
        Some(Timestamp::from_milliseconds(0))
    }

    fn progress(&self, _: DeploymentId, _: TargetId) -> Option<FetchProgress> {
        Some(FetchProgress { moved: 1, saved: 2, total: 10 })
    }
}

/// Nobody is.
struct Nobody;

impl Presence for Nobody {
    fn online(&self, _: TargetId) -> bool {
        false
    }

    fn last_seen(&self, _: TargetId) -> Option<Timestamp> {
        None
    }

    fn progress(&self, _: DeploymentId, _: TargetId) -> Option<FetchProgress> {
        None
    }
}

pub(super) struct ApiFixture {
    pub(super) router: Router,
    pub(super) context: Context,
    pub(super) engine: Engine,
    pub(super) token: String,
    pub(super) keys: vault::InMemory,
    pub(super) logs: output::InMemory,
    /// Of the journal, which the record is read from, and of uploads.
    pub(super) place: tempfile::TempDir,
}

impl ApiFixture {
    pub(super) fn new() -> Self {
        windlass_trust::install_provider();
        let place = tempfile::tempdir().unwrap();
        let data = place.path().to_owned();
        let keys = vault::InMemory::default();
        let packages =
            PackageStore::open_on(data.join("packages"), Arc::new(object_store::memory::InMemory::new()))
                .unwrap();
        let logs = output::InMemory::new(Limits::with_total(1 << 30));
        let vault = Arc::new(Vault::new(keys.clone()));
        let authority = Authority::create(&vault).unwrap();
        let (token, command) = installation::first(&vault, &authority).unwrap();
        let mut journal = journal::Embedded::open(&data).unwrap();
        installation::record(&mut journal, &journal::replay(&data).unwrap(), &command).unwrap();
        let replayed = journal::replay(&data).unwrap();
        let registry = Arc::<Registry>::default();
        let waking = Arc::clone(&registry);
        let published = Box::new(move |before: &State, after: &Arc<State>| {
            waking.wake_changed(before, after);
        });
        let (engine, _) = Engine::start(journal, None, replayed, published).unwrap();
        let services = Services {
            vault,
            authority: Arc::new(authority),
            packages: Arc::new(packages),
            output: Arc::new(logs.clone()),
            registry,
            strangers: Arc::default(),
            data,
        };
        let mut context = Context::new(engine.clone(), services);
        context.presence = Arc::new(Everybody);
        let (router, token) = (router(context.clone()), token.to_text().to_string());
        Self { router, context, engine, token, keys, logs, place }
    }

    /// Forgets the keys that it has read, as a start does.
    pub(super) fn forget_keys(&mut self) {
        self.context.services.vault = Arc::new(Vault::new(self.keys.clone()));
        self.router = router(self.context.clone());
    }

    /// Lets every agent go.
    pub(super) fn disconnect(&mut self) {
        self.context.presence = Arc::new(Nobody);
        self.router = router(self.context.clone());
    }

    /// The data keys that are there.
    pub(super) fn data_keys(&self) -> Vec<KeyId> {
        let data_key = |name| if let KeyName::Data(key) = name { Some(key) } else { None };
        self.keys.names().into_iter().filter_map(data_key).collect()
    }

    /// Sends a request with this token and tells the status and the bytes of the answer.
    pub(super) async fn raw(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: impl Into<Body>,
    ) -> (StatusCode, Vec<u8>) {
        let mut request =
            Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let answer = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let status = answer.status();
        (status, axum::body::to_bytes(answer.into_body(), 64 << 20).await.unwrap().to_vec())
    }

    /// Sends a request as the administrator.
    pub(super) async fn send(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let path = format!("/api/v1{path}");
        let (status, bytes) = self.raw(method.clone(), &path, Some(&self.token), body).await;
        let answer = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        described::expect_described(&method, &path, status, &answer);
        (status, answer)
    }

    /// Sends a request as the administrator, with a key that it may be repeated with.
    pub(super) async fn send_with_key(
        &self,
        method: Method,
        path: &str,
        body: Value,
        key: &str,
    ) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method.clone())
            .uri(format!("/api/v1{path}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(IDEMPOTENCY_KEY, key)
            .body(Body::from(body.to_string()));
        let answer = self.router.clone().oneshot(request.unwrap()).await.unwrap();
        let status = answer.status();
        let bytes = axum::body::to_bytes(answer.into_body(), 64 << 20).await.unwrap();
        let answer = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        described::expect_described(&method, &format!("/api/v1{path}"), status, &answer);
        (status, answer)
    }

    /// Reads, and must succeed.
    pub(super) async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.send(Method::GET, path, Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }

    /// Posts, and must succeed.
    pub(super) async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.send(Method::POST, path, body).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }

    /// Applies documents, and must succeed.
    pub(super) async fn apply(&self, documents: &[Value]) -> Value {
        self.post("/apply", apply_body(documents)).await
    }

    /// Makes a target as an agent would, with an enrolment token that the API gave.
    pub(super) async fn enrol(&self, name: &str, grant: Value) -> TargetId {
        let made = self.post("/enrolments", json!({"grant": grant})).await;
        let token = Token::parse(TokenKind::Enrolment, made["token"].as_str().unwrap()).unwrap();
        let enrolment = EnrolmentId::from_bytes(token.id);
        let key = TargetKey {
            public_key: Digest::of(name),
            sealing_key: String::new(),
            certificate_expires: Timestamp::from_milliseconds(i64::MAX / 2),
        };
        let machine = EnrolmentUse {
            enrolment,
            secret: token.secret_digest(),
            key,
            name: name.to_owned(),
            advertised: Advertised::default(),
            isolation: Isolation::Accounts,
        };
        let command = SpaceCommand::Enrol(Box::new(machine));
        match self.in_space(Actor::Enrolment(enrolment), command).await {
            Reply::Enrolled(target) => target,
            other => panic!("{other:?}"),
        }
    }

    /// Submits a command that comes from elsewhere than the API.
    pub(super) async fn in_space(&self, actor: Actor, command: SpaceCommand) -> Reply {
        let space = self.engine.state().space_named(None).unwrap().head.id;
        let envelope = Engine::envelope(actor, None);
        self.engine.submit(envelope, Command::Space(space, command)).await.unwrap()
    }

    /// Who a connection of a target proves to be.
    pub(super) fn peer(&self, target: TargetId) -> Peer {
        let state = self.engine.state();
        let space = state.space_of(target).unwrap();
        let key = &space.targets.get(target).unwrap().key;
        Peer { target, public_key: key.public_key, expires: key.certificate_expires }
    }

    /// Puts out three lines, as a step that runs.
    pub(super) async fn print(&self, assignment: AssignmentId) {
        let line = |number| {
            let text = format!("line {number}");
            OutputLine { time: Timestamp::from_milliseconds(0), stream: OutputStream::Out, text }
        };
        let target = TargetId::from_bytes([1; 16]);
        self.logs.append(target, assignment, 1, [1, 2, 3].map(line).to_vec()).await.unwrap();
    }

    /// What a target has to do now.
    pub(super) fn work(&self, target: TargetId) -> Vec<(AssignmentId, WorkKind)> {
        let state = self.engine.state();
        let space = state.space_named(None).unwrap();
        let item = |(_, item): (&AssignmentId, &windlass_coordinator_core::state::WorkItem)| {
            (assignment_id(item.deployment, target, item.kind, item.attempt), item.kind)
        };
        space.work_of(target).map(item).collect()
    }
}

pub(super) fn apply_body(documents: &[Value]) -> Value {
    let placed: Vec<_> = documents
        .iter()
        .enumerate()
        .map(|(index, document)| json!({"place": format!("sample.yaml:{}", index * 10 + 1), "document": document}))
        .collect();
    json!({"documents": placed})
}

/// The documents of the surface's description, as the command sends them.
pub(super) fn sample() -> Vec<Value> {
    vec![
        json!({"kind": "environment", "name": "Testing"}),
        json!({"kind": "environment", "name": "Staging"}),
        json!({"kind": "environment", "name": "Production"}),
        json!({"kind": "tag-set", "name": "Hosting", "tags": [
            {"name": "Shared 1", "colour": "#2f6fed"}, {"name": "Dedicated", "colour": "#8a3ffc"}]}),
        json!({"kind": "tag-set", "name": "Customer type", "type": "single", "tags": [{"name": "VIP"}]}),
        json!({"kind": "tag-set", "name": "Module", "tags": [{"name": "Exploration"}]}),
        json!({"kind": "lifecycle", "name": "Default", "phases": [
            {"name": "Test", "environments": ["Testing"]},
            {"name": "Stage", "environments": ["Staging"], "minimum": 1},
            {"name": "Live", "environments": ["Production"], "optional": true}]}),
        json!({"kind": "library-set", "name": "Standard tenant details", "templates": [
            {"name": "TenantAlias", "label": "Alias", "control": "single-line", "default": "none"}]}),
        json!({"kind": "project", "name": "Synergy", "tenancy": "tenanted-or-untenanted", "lifecycle": "Default",
            "library-sets": ["Standard tenant details"],
            "templates": [
                {"name": "SynergyDatabase", "default": "synergy-test"},
                {"name": "SynergyApiKey", "control": "sensitive", "default": {"secret": "canary-of-the-default"}}],
            "variables": {"LogLevel": [
                {"value": "Info"},
                {"value": "Warn", "environments": ["Production"], "tenants": {"tags": ["Customer type/VIP"]}},
                {"value": {"secret": "canary-of-a-variable"}, "steps": ["Website"]}]},
            "steps": [
                {"name": "Website", "roles": ["synergy-web"],
                    "package": {"id": "synergy-web", "substitute": ["config/*.json"]}},
                {"name": "Exploration module", "roles": ["synergy-web"],
                    "tenants": {"tags": ["Module/Exploration"], "exclude": {"tenants": ["Customer-3"]}},
                    "script": {"shell": "bash", "body": "echo \"exploring for $(get_windlassvariable TenantAlias)\""},
                    "needs": ["SynergyDatabase"]}]}),
        json!({"kind": "tenant", "name": "Customer-2", "tags": ["Hosting/Shared 1", "Customer type/VIP"],
            "projects": {"Synergy": ["Staging", "Production"]},
            "values": {
                "Standard tenant details": {"TenantAlias": "cust2"},
                "Synergy": {"SynergyDatabase": "db-2",
                    "environments": {"Production": {"SynergyApiKey": {"secret": "canary-of-customer-2"}}}}}}),
        json!({"kind": "tenant", "name": "Customer-3", "enabled": false}),
    ]
}
