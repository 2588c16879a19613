//! One address holds all that it can get: handshakes that never end, enrolments that say nothing, connections that ask
//! for nothing, uploads that do not come. Everybody else enrols, uploads and deploys meanwhile (THREATS G6).

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use quinn::Endpoint;
use tokio::io::AsyncReadExt;
use tokio::net::TcpSocket;
use tokio::time::sleep;
use windlass_protocol::message::{COORDINATOR_NAME, ENROLMENT_ALPN, SESSION_ALPN};
use windlass_tests::agents::{Agent, wait_for_presence};
use windlass_tests::client::runtime;
use windlass_tests::installation::Installation;
use windlass_tests::journal::field;
use windlass_tests::raw::Caller;

use super::{GRANT, Stream, connect, deploy, installation};

/// Where those come from that take what they can get.
const GREEDY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));
/// Places of strangers, at each door: few, so that holding them all is little work for the machine of the test.
const STRANGERS: usize = 32;
const CONFIGURATION: &str = "strangers-at-once = 32";
/// How long who is sent away waits before it comes again: this is about who holds, not about who floods.
const BACK_OFF: Duration = Duration::from_millis(500);

/// First packets of handshakes, as a client sends them, that nobody will ever go on with.
async fn first_packets(client: &Endpoint, count: usize) -> Vec<Vec<u8>> {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let mut packets = Vec::new();
    for _ in 0..count {
        let connecting = client.connect(socket.local_addr().expect("bound"), COORDINATOR_NAME);
        let mut packet = vec![0; 2048];
        let length = socket.recv(&mut packet).await.expect("a first packet");
        packet.truncate(length);
        packets.push(packet);
        drop(connecting);
    }
    packets
}

/// Sends them to the coordinator, again and again.
async fn never_finish_handshakes(client: Endpoint, to: SocketAddr) {
    let packets = first_packets(&client, STRANGERS / 2).await;
    let socket = tokio::net::UdpSocket::bind((GREEDY, 0)).await.expect("a socket");
    loop {
        for packet in &packets {
            let _ = socket.send_to(packet, to).await;
            sleep(Duration::from_millis(2)).await;
        }
        sleep(BACK_OFF).await;
    }
}

/// Connects and says nothing until it is sent away; then again.
async fn say_nothing(client: Endpoint, to: SocketAddr) {
    loop {
        if let Ok(connecting) = client.connect(to, COORDINATOR_NAME)
            && let Ok(connection) = connecting.await
        {
            connection.closed().await;
        }
        sleep(BACK_OFF).await;
    }
}

/// The same with TCP, and not even a handshake of TLS.
async fn ask_nothing(to: SocketAddr) {
    loop {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from((GREEDY, 0))).expect("an address of loopback");
        if let Ok(mut stream) = socket.connect(to).await {
            let _ = stream.read(&mut [0]).await;
        }
        sleep(BACK_OFF).await;
    }
}

/// An upload whose body does not come.
fn hanging_upload(installation: &Installation, token: &str) -> Stream {
    let mut stream = connect(installation.http(), token).expect("a connection");
    let head = format!(
        "POST /api/v1/packages?name=hanging.1.0.0.zip HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n\
         Authorization: Bearer {token}\r\nContent-Type: application/octet-stream\r\n\r\nPK"
    );
    stream.write_all(head.as_bytes()).expect("the head is sent");
    stream
}

#[test]
fn one_address_holds_all_that_it_can_get_and_everybody_else_works() {
    let (folder, installation) = installation(CONFIGURATION);
    let witness = Agent::enrol(&installation, "witness", &GRANT);
    let greedy = || {
        let honest = Caller::of(&witness.state()).expect("enrolled");
        Caller { chain: Vec::new(), from: GREEDY, ..honest }
    };
    let quic = greedy().address;
    let http = installation.http().parse().expect("an address");
    let made = installation.json(&["token", "create", "--name", "ci", "--role", "administrator"]);
    let uploads: Vec<Stream> = (0..8).map(|_| hanging_upload(&installation, field(&made, "token"))).collect();

    let runtime = runtime();
    runtime.block_on(async {
        let client = greedy().endpoint(ENROLMENT_ALPN).expect("an endpoint");
        tokio::spawn(never_finish_handshakes(client.clone(), quic));
        for _ in 0..2 * STRANGERS {
            tokio::spawn(say_nothing(client.clone(), quic));
            tokio::spawn(ask_nothing(http));
        }
        sleep(Duration::from_secs(4)).await;
    });

    let mut agent = Agent::enrol(&installation, "machine", &GRANT);
    agent.run();
    wait_for_presence(&installation, "machine", true);
    installation.windlass(&["target", "disable", "witness"]);
    let file = folder.path().join("synergy-web.1.4.0.txt");
    std::fs::write(&file, "content").expect("written");
    installation.windlass(&["package", "upload", &file.to_string_lossy()]);
    let took = deploy(&installation, "1.0.0");
    assert!(took < Duration::from_secs(15), "a deployment took {took:?}");
    drop((uploads, runtime));
}

#[test]
fn a_revoked_certificate_is_a_strangers() {
    let (_folder, installation) = installation(CONFIGURATION);
    let agent = Agent::enrol(&installation, "machine", &GRANT);
    installation.windlass(&["target", "revoke", "machine"]);
    let caller = Caller { from: GREEDY, ..Caller::of(&agent.state()).expect("enrolled") };
    let open = runtime().block_on(async {
        let (quic, client) = (caller.address, caller.endpoint(SESSION_ALPN).expect("an endpoint"));
        let mut connecting = tokio::task::JoinSet::new();
        for _ in 0..4 * STRANGERS {
            let client = client.clone();
            connecting.spawn(async move { client.connect(quic, COORDINATOR_NAME).ok()?.await.ok() });
        }
        let connections = connecting.join_all().await;
        // What was refused or evicted is known here in a moment.
        sleep(Duration::from_millis(500)).await;
        connections.into_iter().flatten().filter(|open| open.close_reason().is_none()).count()
    });
    assert!(open <= STRANGERS, "{open} connections of a revoked certificate are open at once");
}
