//! What a stranger sends fills neither the log nor the memory nor the table of open files, and keeps nobody from
//! learning of a restart (THREATS G2, G6).

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::net::{TcpSocket, TcpStream};
use windlass_protocol::message::ENROLMENT_ALPN;
use windlass_tests::agents::{Agent, token, wait_for_presence};
use windlass_tests::client::runtime;
use windlass_tests::installation::{Installation, Process, wait_until};
use windlass_tests::raw::Caller;

use super::{GRANT, connect_with, installation};

const GREEDY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Somebody with no certificate, from an address of their own.
fn stranger(agent: &Agent) -> Caller {
    let honest = Caller::of(&agent.state()).expect("enrolled");
    Caller { chain: Vec::new(), from: GREEDY.into(), is_slow: true, ..honest }
}

fn log_bytes(installation: &Installation) -> u64 {
    std::fs::metadata(installation.folder.join("coordinator.log")).expect("a log").len()
}

#[test]
fn what_a_stranger_gets_wrong_is_not_written_into_the_log() {
    let (_folder, installation) = installation("");
    let before = log_bytes(&installation);
    for _ in 0..4 {
        let mut stream =
            connect_with(installation.http(), installation.token(), b"h2").expect("a connection");
        // Settings, and then answers to pings that nobody sent.
        let acknowledged = [&[0, 0, 8, 6, 1, 0, 0, 0, 0][..], &[7; 8]].concat();
        let sent = stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
            .and_then(|()| (0..100).try_for_each(|_| stream.write_all(&acknowledged.repeat(50))));
        // Being sent away is an answer as well.
        drop((sent, stream));
    }
    let udp = UdpSocket::bind((GREEDY, 0)).expect("a socket");
    for _ in 0..1000 {
        udp.send_to(&[0x7f; 1200], &installation.quic).expect("sent");
    }
    installation.windlass(&["target", "list"]);
    let grown = log_bytes(&installation) - before;
    assert!(grown < 4096, "{grown} bytes were written into the log for a stranger");
}

#[test]
fn a_stranger_has_one_stream_and_what_it_left_counts_until_it_is_out_of_memory() {
    let (_folder, installation) = installation("strangers-at-once = 16");
    let agent = Agent::enrol(&installation, "machine", &GRANT);
    let begun = Instant::now();
    let (streams, connected) = runtime().block_on(async {
        let quic = stranger(&agent).address;
        let client = stranger(&agent).endpoint(ENROLMENT_ALPN).expect("an endpoint");
        let connect = || async {
            let connecting = client.connect(quic, windlass_protocol::message::COORDINATOR_NAME).ok()?;
            connecting.await.ok()
        };
        let connection = connect().await.expect("the first one is admitted");
        let _first = connection.open_bi().await.expect("one stream");
        let second = tokio::time::timeout(Duration::from_secs(1), connection.open_bi()).await;
        connection.close(0_u32.into(), b"");
        let mut connected = 1;
        for _ in 0..90 {
            if let Some(connection) = connect().await {
                connected += 1;
                connection.close(0_u32.into(), b"");
            }
            // So that the coordinator has heard it.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        (1 + usize::from(second.is_ok()), connected)
    });
    assert_eq!(streams, 1);
    if begun.elapsed() < Duration::from_secs(50) {
        assert!(
            connected <= 64,
            "{connected} connections of one address may be in memory: 4 times 16 and no more"
        );
    }
    // Somebody else is not concerned.
    let mut other = Agent::enrol(&installation, "other", &GRANT);
    other.run();
    wait_for_presence(&installation, "other", true);
}

#[test]
fn a_fleet_that_enrols_leaves_nothing_behind_that_strangers_leave() {
    let (folder, installation) = installation("strangers-at-once = 16");
    let token = token(&installation, &[&GRANT[..], &["--uses", "70"]].concat());
    let program = PathBuf::from(installation.program("windlass-agent").get_program());
    // More than four times as many as strangers may be, from one address and sooner than a connection is out of memory.
    for number in 0..70 {
        let name = format!("machine-{number}");
        Agent::new(folder.path(), &name, &installation.quic, program.clone()).enrol_with(&token);
    }
}

#[test]
fn datagrams_of_a_stranger_keep_no_agent_from_learning_of_a_restart() {
    let (_folder, mut installation) = installation("");
    let mut agent = Agent::enrol(&installation, "machine", &GRANT);
    agent.run();
    wait_for_presence(&installation, "machine", true);
    let (over, quic) = (Arc::new(AtomicBool::new(false)), installation.quic.clone());
    let flood = {
        let over = Arc::clone(&over);
        std::thread::spawn(move || {
            let udp = UdpSocket::bind((GREEDY, 0)).expect("a socket");
            // A short header, as of a connection that nobody knows.
            let mut junk = [0x41_u8; 61];
            for number in 0_u64.. {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                junk[1..9].copy_from_slice(&number.to_be_bytes());
                // Nobody may listen for a moment.
                let _ = udp.send_to(&junk, &quic);
                std::thread::sleep(Duration::from_millis(1));
            }
        })
    };
    installation.kill();
    installation.serve().expect("it starts again");
    let begun = Instant::now();
    wait_for_presence(&installation, "machine", true);
    let took = begun.elapsed();
    over.store(true, Ordering::Relaxed);
    flood.join().expect("the flood ends");
    // Without a reset an agent waits for half a minute until its connection is idle, and then comes back.
    assert!(took < Duration::from_secs(25), "it took the agent {took:?} to come back");
}

#[test]
fn a_shell_that_lets_few_files_be_open_is_enough_for_operators_beside_a_stranger() {
    let (_folder, mut installation) = installation("");
    assert!(installation.stop());
    let serve = installation.serve_command();
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 256; exec \"$@\"", "sh"]).arg(serve.get_program()).args(serve.get_args());
    limited.process_group(0);
    let log = installation.folder.join("limited.log");
    let _coordinator = Process::start(&mut limited, &log).expect("it starts");
    wait_until("the start", || std::net::TcpStream::connect(installation.http()).is_ok());
    let http: SocketAddr = installation.http().parse().expect("an address");
    let runtime = runtime();
    let held = runtime.block_on(async {
        let mut held: Vec<TcpStream> = Vec::new();
        for _ in 0..300 {
            let socket = TcpSocket::new_v4().expect("a socket");
            socket.bind(SocketAddr::from((GREEDY, 0))).expect("an address of loopback");
            if let Ok(Ok(stream)) =
                tokio::time::timeout(Duration::from_millis(50), socket.connect(http)).await
            {
                held.push(stream);
            }
        }
        held
    });
    let begun = Instant::now();
    installation.windlass(&["target", "list"]);
    let took = begun.elapsed();
    drop(held);
    assert!(took < Duration::from_secs(5), "a list took {took:?}");
    assert!(std::fs::read_to_string(log).expect("a log").contains("raise the limit"), "it says so");
}
