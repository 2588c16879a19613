//! A coordinator that the agent trusts, it was enrolled with it, and that says what a test wants it to say.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use quinn::crypto::rustls::{HandshakeData, QuicServerConfig};
use quinn::{Connection, Endpoint, RecvStream, SendStream};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use windlass_protocol::codec::Message;
use windlass_protocol::ids::{AssignmentId, TargetId};
use windlass_protocol::message::{
    Answer, AssignmentPlace, Assignments, COORDINATOR_NAME, Denied, ENROLMENT_ALPN, EffectiveScope, Enrol,
    EnrolAnswer, Enrolled, FromAgent, FromCoordinator, Generation, Hello, Participation, Report, ReportKind,
    Request, SESSION_ALPN, SignedAssignment, VERSION, Welcome,
};
use windlass_protocol::token::{Token, TokenKind};
use windlass_protocol::{Digest, Timestamp};
use windlass_tests::agents::Agent;
use windlass_tests::client::runtime;
use windlass_tests::raw::{frame, read};

/// The target that every agent becomes.
pub const TARGET: TargetId = TargetId::from_bytes([9; 16]);

/// What the agent is told to do, and what it gets when it pulls for it.
pub struct Job {
    pub id: AssignmentId,
    pub assignment: SignedAssignment,
    pub stream: Vec<u8>,
}

/// What is said, and what was heard.
#[derive(Default)]
pub struct Script {
    pub jobs: Vec<Job>,
    /// Given once this assignment is reported to be fetched, as an honest coordinator does.
    pub after_fetch: Option<(AssignmentId, Job)>,
    /// The key that the agent is told assignments are signed with.
    pub assignment_key: [u8; 32],
    pub reports: Mutex<Vec<Report>>,
    pub pulls: Mutex<Vec<AssignmentId>>,
    /// Whether every certificate is said to be due for renewal, also the newest.
    pub renews: bool,
    /// When certificates were renewed.
    pub renewals: Mutex<Vec<Instant>>,
    /// Whether no request is ever answered; heartbeats are wanted each second then.
    pub silent: bool,
    /// Heartbeats that came.
    pub heartbeats: AtomicUsize,
    /// Lines of the agent's configuration.
    pub configuration: &'static str,
    /// Whether the agent cannot switch users, and so serves one tenant only.
    pub unprivileged: bool,
}

/// Runs what follows as nobody in particular where it would be root, who may read and write what is root's all the same.
const UNPRIVILEGED: &str = r#"#!/bin/sh
capability=+dac_override
[ "$(id -u)" = 0 ] && set -- setpriv --reuid=65534 --regid=65534 --clear-groups \
    --inh-caps="$capability" --ambient-caps="$capability" AGENT "$@" || set -- AGENT "$@"
exec "$@"
"#;

/// An agent with a coordinator that follows the script. It ends with what is given back, and so does the coordinator.
pub fn agent_of(script: Script) -> (Arc<Script>, Agent, TempDir, Runtime) {
    let runtime = runtime();
    let (address, token, script) = {
        let _entered = runtime.enter();
        start(script)
    };
    let folder = tempfile::tempdir().expect("a folder");
    let mut program = windlass_tests::programs().expect("the programs build").join("windlass-agent");
    if script.unprivileged {
        let path = program.to_str().expect("a path of text");
        let starts = UNPRIVILEGED.replace("AGENT", &format!("'{path}'"));
        program = folder.path().join("unprivileged");
        fs::write(&program, starts).expect("a file");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("it is the test's");
    }
    let mut agent = Agent::new(folder.path(), "machine", &address.to_string(), program);
    agent.configure(&format!("coordinator = \"{address}\"\n{}", script.configuration));
    agent.enrol_with(&token);
    agent.run();
    (script, agent, folder, runtime)
}

struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).expect("a certificate").der().clone();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    fn server(&self) -> quinn::ServerConfig {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![COORDINATOR_NAME.to_owned()]).expect("a name");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = params.signed_by(&key, &self.issuer).expect("a certificate").der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut tls = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![leaf, self.certificate.clone()], key)
            .expect("a certificate and its key");
        tls.alpn_protocols = vec![SESSION_ALPN.to_vec(), ENROLMENT_ALPN.to_vec()];
        quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).expect("TLS 1.3")))
    }

    fn certify(&self, request: &[u8]) -> Vec<u8> {
        let request = CertificateSigningRequestDer::from(request);
        let request = CertificateSigningRequestParams::from_der(&request).expect("a request");
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.signed_by(&request.public_key, &self.issuer).expect("a certificate").der().to_vec()
    }

    fn enrolled(&self, request: &[u8], script: &Script) -> Enrolled {
        Enrolled {
            target: TARGET,
            name: "machine".to_owned(),
            certificate: self.certify(request),
            authority: self.certificate.to_vec(),
            assignment_key: script.assignment_key,
            sealing_key: [1; 32],
            now: Timestamp::from_milliseconds(1),
        }
    }
}

/// Starts it; answers with its address, the token that enrols with it, and its script.
fn start(script: Script) -> (SocketAddr, String, Arc<Script>) {
    let authority = Arc::new(Authority::new());
    let endpoint = Endpoint::server(authority.server(), "127.0.0.1:0".parse().expect("an address"));
    let endpoint = endpoint.expect("a server");
    let address = endpoint.local_addr().expect("an address");
    let token = Token {
        kind: TokenKind::Enrolment,
        id: [2; 16],
        secret: [3; 32].into(),
        fingerprint: Digest::of(authority.certificate.as_ref()),
    };
    let script = Arc::new(script);
    let served = Arc::clone(&script);
    tokio::spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            let (authority, script) = (Arc::clone(&authority), Arc::clone(&served));
            tokio::spawn(async move {
                let connection = incoming.await.expect("the agent trusts this coordinator");
                let data = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
                match data.and_then(|data| data.protocol).as_deref() {
                    Some(ENROLMENT_ALPN) => enrol(&connection, &authority, &script).await,
                    _ => session(&connection, &authority, &script).await,
                }
            });
        }
    });
    (address, token.to_text().to_string(), script)
}

async fn say<M: Message>(stream: &mut SendStream, message: &M) {
    // An agent that has gone hears nothing.
    let _ = stream.write_all(&frame(message)).await;
}

async fn enrol(connection: &Connection, authority: &Authority, script: &Script) {
    let (mut answer, mut question) = connection.accept_bi().await.expect("a stream");
    let message: Enrol = read(&mut question).await.expect("an enrolment");
    say(&mut answer, &EnrolAnswer::Enrolled(Box::new(authority.enrolled(&message.request, script)))).await;
    connection.closed().await;
}

async fn session(connection: &Connection, authority: &Arc<Authority>, script: &Arc<Script>) {
    let Ok((mut control, mut said)) = connection.accept_bi().await else { return };
    if read::<Hello>(&mut said).await.is_err() {
        return;
    }
    let welcome = Welcome {
        version: VERSION,
        now: Timestamp::from_milliseconds(1),
        heartbeat_seconds: if script.silent { 1 } else { 10 },
        target: "machine".to_owned(),
        space: "Default".to_owned(),
        effective: EffectiveScope {
            roles: Vec::new(),
            environments: Vec::new(),
            tenants: String::new(),
            participation: Some(Participation::Both),
        },
        generation: newest(script),
        renew: script.renews,
    };
    say(&mut control, &FromCoordinator::Welcome(Box::new(welcome))).await;
    let listening = async {
        while let Ok(said) = read::<FromAgent>(&mut said).await {
            script.heartbeats.fetch_add(usize::from(said == FromAgent::Heartbeat), Ordering::Relaxed);
        }
    };
    let serving = async {
        while let Ok((answers, question)) = connection.accept_bi().await {
            let (authority, script) = (Arc::clone(authority), Arc::clone(script));
            tokio::spawn(async move { request(&authority, &script, answers, question).await });
        }
    };
    tokio::join!(listening, serving);
}

fn newest(script: &Script) -> Generation {
    Generation { epoch: 1, sequence: script.jobs.len() as u64 + 2 }
}

fn all(script: &Script) -> impl Iterator<Item = &Job> {
    script.jobs.iter().chain(script.after_fetch.iter().map(|(_, job)| job))
}

/// The work in two parts, the second of which keeps the agent waiting until it is due.
async fn assignments(script: &Script, after: Option<AssignmentPlace>) -> Assignments {
    let (generation, active) = (newest(script), all(script).map(|job| job.id).collect());
    let first = || script.jobs.iter().map(|job| job.assignment.clone()).collect();
    let Some((fetched, last)) = &script.after_fetch else {
        return Assignments { generation, active, new: first(), next: None };
    };
    if after.is_none() {
        let (new, sequence) = (first(), script.jobs.len() as u64);
        let next = Some((Generation { epoch: 1, sequence }, last.id));
        return Assignments { generation, active, new, next };
    }
    let is_fetched =
        |report: &Report| report.assignment == *fetched && matches!(report.kind, ReportKind::Fetched { .. });
    while !script.reports.lock().expect("nobody panics").iter().any(is_fetched) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Assignments { generation, active, new: vec![last.assignment.clone()], next: None }
}

async fn request(authority: &Authority, script: &Script, mut answers: SendStream, mut question: RecvStream) {
    let Ok(request) = read::<Request>(&mut question).await else { return };
    if script.silent {
        return std::future::pending().await;
    }
    let answer = match request {
        Request::Assignments { after, .. } => Answer::Assignments(assignments(script, after).await),
        Request::Pull(wanted) => {
            script.pulls.lock().expect("nobody panics").push(wanted.assignment);
            let job = all(script).find(|job| job.id == wanted.assignment).expect("a job");
            let _ = answers.write_all(&job.stream).await;
            let _ = answers.finish();
            return;
        }
        Request::Report(reports) => {
            script.reports.lock().expect("nobody panics").extend(reports);
            Answer::Reported
        }
        Request::Output { first, lines, .. } => Answer::Output { next: first + lines.len() as u64 },
        Request::Renew { request } => {
            script.renewals.lock().expect("nobody panics").push(Instant::now());
            Answer::Renewed { certificate: authority.certify(&request) }
        }
        Request::Variables { .. } => Answer::Denied(Denied::NotFound),
    };
    say(&mut answers, &answer).await;
    let _ = answers.finish();
}
