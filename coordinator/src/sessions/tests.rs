//! Sessions whose coordinator has a wrong clock, or had one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use quinn::crypto::rustls::QuicClientConfig;
use rcgen::{CertificateParams, KeyPair};
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use windlass_api::requests::EnrolmentRequest;
use windlass_coordinator_core::decide::{Command, SpaceCommand};
use windlass_coordinator_core::event::Actor;
use windlass_packages::PackageStore;
use windlass_protocol::gathering::FrameError;
use windlass_protocol::ids::EnrolmentId;
use windlass_protocol::message::{
    COORDINATOR_NAME, Enrol, Enrolled, FromAgent, FromCoordinator, Hello, Isolation, SESSION_ALPN, VERSION,
};
use windlass_protocol::{Digest, Timestamp};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::frames::Frames;
use super::*;
use crate::engine::{ahead, now};
use crate::journal;
use crate::vault::{self, Vault};
use crate::{alone, installation, output};

const DAY: u64 = 24 * 3600;
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The sessions of a coordinator with nothing around them.
fn sessions(place: &tempfile::TempDir) -> (Arc<Sessions>, Arc<Authority>) {
    windlass_trust::install_provider();
    let data = place.path().to_owned();
    let vault = Arc::new(Vault::new(vault::InMemory::default()));
    let authority = Arc::new(Authority::create(&vault).unwrap());
    let (_, command) = installation::first(&vault, &authority).unwrap();
    let mut journal = journal::Embedded::open(&data).unwrap();
    installation::record(&mut journal, &journal::replay(&data).unwrap(), &command).unwrap();
    let replayed = journal::replay(&data).unwrap();
    let (engine, _) = Engine::start(journal, None, replayed, Box::new(|_, _| {})).unwrap();
    let services = Services {
        vault,
        authority: Arc::clone(&authority),
        packages: Arc::new(PackageStore::open(data.join("packages")).unwrap()),
        output: Arc::new(output::InMemory::new(output::Limits::with_total(1 << 30))),
        registry: Arc::default(),
        strangers: Arc::default(),
        data,
    };
    (Sessions::new(engine, services, Limits { pulls: 1, strangers: 16 }).unwrap(), authority)
}

/// Where they are served.
fn serving(sessions: &Arc<Sessions>, authority: &Authority) -> SocketAddr {
    let reset_key = zeroize::Zeroizing::new([4; 32]);
    let endpoint = Endpoint::bind((LOOPBACK, 0).into(), authority, reset_key).unwrap();
    let (serving, address) = (Arc::clone(sessions), endpoint.address().unwrap());
    tokio::spawn(async move { serving.serve(&endpoint).await });
    address
}

async fn enrolled(sessions: &Sessions, key: &KeyPair) -> Enrolled {
    let (enrolment, secret) = (EnrolmentId::from_bytes([1; 16]), [2; 32]);
    let space = *sessions.engine.state().spaces.keys().next().unwrap();
    let (request, token) = (EnrolmentRequest::default(), (enrolment, Digest::of(secret)));
    let command = Command::Space(space, SpaceCommand::CreateEnrolment { request, token });
    sessions.engine.submit(Engine::envelope(Actor::Installer, None), command).await.unwrap();
    let message = Enrol {
        enrolment,
        secret,
        request: CertificateParams::default().serialize_request(key).unwrap().der().to_vec(),
        sealing_key: [3; 32],
        name: "machine".to_owned(),
        advertised: Default::default(),
        isolation: Isolation::None,
    };
    enrol::enrol(sessions, message, "192.0.2.1").await.unwrap()
}

/// An agent's connection.
async fn connected(
    to: SocketAddr,
    enrolled: &Enrolled,
    key: &KeyPair,
) -> (quinn::Endpoint, quinn::Connection) {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(enrolled.authority.clone())).unwrap();
    let own = vec![CertificateDer::from(enrolled.certificate.clone())];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut tls = rustls::ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_root_certificates(roots)
        .with_client_auth_cert(own, key)
        .unwrap();
    tls.alpn_protocols = vec![SESSION_ALPN.to_vec()];
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    let endpoint = quinn::Endpoint::client((LOOPBACK, 0).into()).unwrap();
    let connection = endpoint.connect_with(config, to, COORDINATOR_NAME).unwrap().await.unwrap();
    (endpoint, connection)
}

/// What an agent that comes is told first.
async fn welcomed(to: SocketAddr, enrolled: &Enrolled, key: &KeyPair) -> Result<FromCoordinator, FrameError> {
    let (_endpoint, connection) = connected(to, enrolled, key).await;
    let (mut says, hears) = connection.open_bi().await.unwrap();
    frames::write(&mut says, &hello()).await?;
    Frames::new(hears).next().await
}

fn hello() -> Hello {
    Hello {
        lowest: VERSION,
        highest: VERSION,
        agent_version: "1.0.0".to_owned(),
        advertised: Default::default(),
        isolation: Isolation::None,
        generation: None,
        unfinished: Vec::new(),
    }
}

/// When a certificate is good, in seconds since 1970.
fn validity(certificate: &[u8]) -> (i64, i64) {
    let (_, parsed) = X509Certificate::from_der(certificate).unwrap();
    (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp())
}

/// Agents keep the latest time that they were told for good: what a clock says that has jumped would lock all of them out.
#[tokio::test]
async fn while_the_clock_has_jumped_nobody_is_told_what_it_says_and_what_is_certified_is_good_afterwards() {
    if !alone::is_alone(
        "sessions::tests::\
         while_the_clock_has_jumped_nobody_is_told_what_it_says_and_what_is_certified_is_good_afterwards",
    ) {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let (sessions, authority) = sessions(&place);
    let address = serving(&sessions, &authority);
    let key = KeyPair::generate().unwrap();
    let machine = enrolled(&sessions, &key).await;
    let (_endpoint, connection) = connected(address, &machine, &key).await;
    let (mut says, hears) = connection.open_bi().await.unwrap();
    frames::write(&mut says, &hello()).await.unwrap();
    let mut hears = Frames::new(hears);
    let FromCoordinator::Welcome(welcome) = hears.next().await.unwrap() else { panic!("no welcome") };
    let near = |time: Timestamp| time >= welcome.now && time.since(welcome.now) < Duration::from_secs(200);
    for days in [400, 20, 0] {
        ahead::set(days * DAY);
        frames::write(&mut says, &FromAgent::Heartbeat).await.unwrap();
        let FromCoordinator::Alive { now: told, .. } = hears.next().await.unwrap() else {
            panic!("it is not heard")
        };
        assert!(near(told), "{days} days ahead the agent was told {told:?}");
        assert!(near(now()) && near(Engine::own_envelope().time), "{days}");
        let life = i64::try_from(authority.agent_seconds()).unwrap();
        let request = CertificateParams::default().serialize_request(&key).unwrap();
        let agents = authority.certify(machine.target, request.der(), authority.expiry(now())).unwrap();
        let own = authority.server_identity(&[]).unwrap();
        let begun = welcome.now.milliseconds() / 1000;
        let ((from, until), (own_from, own_until)) = (validity(&agents), validity(&own.chain[0]));
        assert!(from <= begun && own_from <= begun, "{days} days ahead one was made that begins too late");
        assert!((until - begun - life).abs() < 200 && own_until - begun < 31 * DAY as i64, "{days}");
    }
    // Its side of TLS is done before the other has judged its certificate: only a welcome says that it is good.
    let welcome = welcomed(address, &machine, &key).await;
    assert!(matches!(welcome, Ok(FromCoordinator::Welcome(_))), "it comes back: {welcome:?}");
}

/// Its certificate begins a day too late for a clock that is right again, and has begun by the journal.
#[tokio::test]
async fn who_was_enrolled_while_the_clock_was_fast_comes_back_when_it_is_right_again() {
    if !alone::is_alone(
        "sessions::tests::who_was_enrolled_while_the_clock_was_fast_comes_back_when_it_is_right_again",
    ) {
        return;
    }
    // As an earlier process had it, all of whose life the clock was wrong.
    ahead::set(DAY);
    let place = tempfile::tempdir().unwrap();
    let (sessions, authority) = sessions(&place);
    let key = KeyPair::generate().unwrap();
    let machine = enrolled(&sessions, &key).await;
    ahead::set(0);
    let welcome = welcomed(serving(&sessions, &authority), &machine, &key).await;
    assert!(matches!(welcome, Ok(FromCoordinator::Welcome(_))), "{welcome:?}");
}
