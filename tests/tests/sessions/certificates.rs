//! Certificates: renewed by the agent itself, of one purpose each, and good for one thing when they have expired.

use std::fs;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use quinn::crypto::rustls::QuicServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use windlass_agent::identity::Identity;
use windlass_agent::link;
use windlass_coordinator::authority::{AGENT_SECONDS, Authority};
use windlass_coordinator::installation::certificate;
use windlass_coordinator::vault::{Embedded, Vault};
use windlass_coordinator_core::state::{WorkKind, assignment_id};
use windlass_protocol::message::{Answer, Outcome, PullRequest, Report, ReportKind, Request, SESSION_ALPN};
use windlass_protocol::{Digest, ids::DeploymentId};
use windlass_tests::agents::wait_for_presence;
use windlass_tests::client::{runtime, session};
use windlass_tests::installation::{CONFIGURATION, wait_until};
use windlass_tests::journal::{events, field};
use windlass_tests::raw::{self, Caller, body};

use super::{deploy, enrolled, installation};

const SCRIPT: &str = "script: {body: 'echo hello'}";

#[test]
fn an_agent_renews_its_certificate_by_itself_and_outlives_its_first_one() {
    let (_folder, installation) = installation("agent-certificate = \"6s\"\n", SCRIPT);
    let mut agent = enrolled(&installation, "machine");
    let first = fs::read(agent.state().join("identity/certificate.der")).expect("a certificate");
    agent.run();
    let expired = first_expiry(&installation);
    wait_until("two renewals", || {
        let events = events(&installation.data());
        events.iter().filter(|event| event["event"] == "certificate-renewed").count() >= 2
    });
    wait_until("the end of the first certificate", || now() > expired);
    wait_for_presence(&installation, "machine", true);
    let id = deploy(&installation, "1.0.0");
    wait_until("a deployment with a later certificate", || {
        field(&installation.json(&["deployment", "view", &id]), "state") == "succeeded"
    });
    let last = fs::read(agent.state().join("identity/certificate.der")).expect("a certificate");
    assert_ne!(first, last);
}

/// When the certificate of the only enrolment expires, in milliseconds since 1970.
fn first_expiry(installation: &windlass_tests::installation::Installation) -> i64 {
    let events = events(&installation.data());
    let enrolled = events.iter().find(|event| event["event"] == "target-enrolled").expect("it was enrolled");
    enrolled["target"]["key"]["certificate_expires"].as_i64().expect("a time")
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_millis()).expect("before the end of time")
}

#[test]
fn an_expired_certificate_may_do_one_thing_renew() {
    let (folder, mut installation) = installation("agent-certificate = \"2s\"\n", SCRIPT);
    let agent = enrolled(&installation, "machine");
    let identity = Identity::read(&agent.state()).expect("enrolled");
    let id: DeploymentId = deploy(&installation, "1.0.0").parse().expect("an id");
    let events = events(&installation.data());
    let project = events.iter().find_map(|event| event["definition"]["project"]["steps"][0]["id"].as_str());
    let step = project.expect("a step").parse().expect("an id");
    let work = assignment_id(id, identity.membership.target, WorkKind::Run(step), 1);
    let expired = first_expiry(&installation);
    wait_until("the end of the certificate", || now() > expired + 1000);
    // What is renewed now lasts.
    installation.kill();
    fs::write(folder.path().join(CONFIGURATION), "").expect("a file");
    installation.serve().expect("it starts again");
    runtime().block_on(async {
        let late = session(&agent.state()).await.expect("an expired certificate has a session");
        assert!(late.welcome.renew);
        let other_key = rcgen::KeyPair::generate().expect("a key");
        let other = rcgen::CertificateParams::default().serialize_request(&other_key).expect("a request");
        let ended = ReportKind::Ended { outcome: Outcome::Succeeded, variables: Vec::new(), lines: 0 };
        let manifest = Digest::of("anything");
        let pull = PullRequest {
            assignment: work,
            manifest,
            has_manifest: false,
            holds: Vec::new(),
            complete_files: 0,
            complete_segments: 0,
        };
        for request in [
            Request::Assignments { since: None, after: None },
            Request::Variables { assignment: work },
            Request::Pull(pull),
            Request::Report(vec![Report { assignment: work, kind: ended }]),
            Request::Output { assignment: work, first: 1, lines: Vec::new() },
            Request::Renew { request: other.der().to_vec() },
        ] {
            // No answer, and so no denial either: the agent keeps what it has to tell, and asks again when it may.
            assert!(late.link.answer(&request).await.is_err(), "request {:?}", body(&request));
        }
        let request = Request::Renew { request: identity.renewal_request().expect("a request") };
        let Ok(Answer::Renewed { certificate }) = late.link.answer(&request).await else {
            panic!("it is renewed");
        };
        identity.renewed(&certificate).expect("it is kept");
        late.link.close();
        let renewed = session(&agent.state()).await.expect("a session");
        assert!(!renewed.welcome.renew);
        let answer =
            renewed.link.answer(&Request::Assignments { since: None, after: None }).await.expect("an answer");
        let Answer::Assignments(own) = answer else { panic!("its own work again") };
        assert!(own.active.contains(&work));
    });
}

#[test]
fn an_agents_certificate_is_no_coordinators() {
    let (_folder, installation) = installation("", SCRIPT);
    let agent = enrolled(&installation, "machine");
    let identity = Identity::read(&agent.state()).expect("enrolled");
    let vault = Vault::new(Embedded::open(&installation.data()).expect("a vault"));
    let fingerprint = identity.fingerprint().expect("a fingerprint");
    let certificate = certificate(&installation.data(), fingerprint).expect("a certificate");
    let authority = Authority::open(&vault, certificate, AGENT_SECONDS).expect("an authority");
    runtime().block_on(async {
        let own =
            vec![CertificateDer::from(identity.certificate().expect("one")), authority.certificate().clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key().to_vec()));
        let real = authority.server_identity(&[]).expect("a certificate");
        for (what, chain, key, accepted) in
            [("a coordinator's", real.chain, real.key, true), ("an agent's", own, key, false)]
        {
            let mut tls = rustls::ServerConfig::builder()
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .expect("a certificate and its key");
            tls.alpn_protocols = vec![SESSION_ALPN.to_vec()];
            let tls = QuicServerConfig::try_from(tls).expect("TLS 1.3");
            let config = quinn::ServerConfig::with_crypto(Arc::new(tls));
            let server = quinn::Endpoint::server(config, "127.0.0.1:0".parse().expect("an address"));
            let server = server.expect("a server");
            let address = server.local_addr().expect("an address").to_string();
            let serving = tokio::spawn(async move {
                let incoming = server.accept().await.expect("somebody comes");
                let connection = incoming.await;
                // Open until the other side has gone.
                if let Ok(connection) = connection {
                    connection.closed().await;
                }
            });
            let connected = link::connect(&address, fingerprint, None, SESSION_ALPN).await;
            match connected {
                Ok(link) => {
                    assert!(accepted, "{what} certificate was taken for a coordinator's");
                    link.close();
                }
                Err(why) => assert!(!accepted, "{what}: {why:#}"),
            }
            serving.await.expect("it ends");
        }
    });
}

#[test]
fn a_coordinators_certificate_is_no_agents() {
    let (_folder, installation) = installation("", SCRIPT);
    let agent = enrolled(&installation, "machine");
    let vault = Vault::new(Embedded::open(&installation.data()).expect("a vault"));
    let fingerprint = Identity::read(&agent.state()).expect("enrolled").fingerprint().expect("one");
    let certificate = certificate(&installation.data(), fingerprint).expect("a certificate");
    let authority = Authority::open(&vault, certificate, AGENT_SECONDS).expect("an authority");
    runtime().block_on(async {
        let server = authority.server_identity(&[]).expect("a certificate");
        let honest = Caller::of(&agent.state()).expect("enrolled");
        let caller = Caller { chain: server.chain, key: server.key, ..honest };
        // A client of TLS 1.3 may believe that it is connected until it hears the server's alert.
        if let Ok((_endpoint, connection)) = caller.connect(SESSION_ALPN).await {
            let why = raw::closed(&connection).await.expect("it is ended");
            assert!(matches!(why, quinn::ConnectionError::ConnectionClosed(_)), "{why}");
        }
        session(&agent.state()).await.expect("the agent's own certificate is good");
    });
}
