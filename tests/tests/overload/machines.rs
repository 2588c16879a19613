//! A machine that is admitted and comes again and again: what its connections leave behind is counted (THREATS G6).

use std::time::{Duration, Instant};

use quinn::Endpoint;
use windlass_protocol::message::{COORDINATOR_NAME, FromAgent, FromCoordinator, SESSION_ALPN};
use windlass_tests::agents::{Agent, wait_for_presence};
use windlass_tests::client::{hello, runtime, session};
use windlass_tests::journal::events;
use windlass_tests::raw::{self, Caller, frame};

use super::reports::{SOON, longest_answer, processor_time};
use super::{GRANT, installation, memory};

const SESSIONS: usize = 200;
/// Requests of each, and the bytes of each request: nothing that a request begins with, and then much.
const STREAMS: usize = 16;
const BYTES: usize = 30 << 10;
/// What all of that may take.
const MEMORY: u64 = 24 << 20;
/// Until the first of its connections is out of memory.
const DRAINED: Duration = Duration::from_secs(75);

/// A session that takes no answers, is left as soon as it was sent much, and was not refused.
async fn left(client: &Endpoint, coordinator: std::net::SocketAddr) -> Option<()> {
    let connection = client.connect(coordinator, COORDINATOR_NAME).ok()?.await.ok()?;
    let (mut control, mut replies) = connection.open_bi().await.ok()?;
    control.write_all(&frame(&hello())).await.ok()?;
    raw::read::<FromCoordinator>(&mut replies).await.ok()?;
    let request = [vec![0xff; 4], vec![b'x'; BYTES - 4]].concat();
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let (mut question, answer) = connection.open_bi().await.ok()?;
        // One that is not wanted any more is as good as one that was sent.
        let _ = question.write_all(&request).await;
        streams.push((question, answer));
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    connection.close(0_u32.into(), b"");
    Some(())
}

#[test]
fn a_machine_that_comes_and_goes_leaves_no_memory_behind_and_keeps_nobody_out_for_long() {
    let (_folder, installation) = installation("");
    let machine = Agent::enrol(&installation, "machine", &GRANT);
    let mut other = Agent::enrol(&installation, "other", &GRANT);
    let process = installation.process().expect("it runs");
    let runtime = runtime();
    let (before, begun) = (memory(process), Instant::now());
    let stood = runtime.block_on(async {
        let honest = Caller::of(&machine.state()).expect("enrolled");
        // So little is taken of what the coordinator says that hardly one answer is.
        let caller = Caller { window: 8, is_slow: true, ..honest };
        let coordinator = caller.address;
        let client = caller.endpoint(SESSION_ALPN).expect("an endpoint");
        let mut stood = 0;
        for _ in 0..SESSIONS {
            stood += usize::from(left(&client, coordinator).await.is_some());
        }
        stood
    });
    let grown = memory(process).saturating_sub(before);
    let took = begun.elapsed();
    println!("{SESSIONS} sessions, of which {stood} stood, took {took:?} and {} KiB", grown >> 10);
    assert!(stood > 0, "a session stands");
    assert!(grown < MEMORY, "{} KiB are left of {stood} sessions in {took:?}", grown >> 10);
    let begun = Instant::now();
    other.run();
    wait_for_presence(&installation, "other", true);
    assert!(begun.elapsed() < Duration::from_secs(10), "another machine waited for {:?}", begun.elapsed());
    // And so does this one, as soon as what it left behind has gone.
    let begun = Instant::now();
    while let Err(why) = runtime.block_on(session(&machine.state())) {
        assert!(begun.elapsed() < DRAINED, "it stays out: {why:#}");
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Heartbeats that are written at once.
const BEATS: usize = 5000;

/// Says so much on its control stream, and reads what it is told.
async fn beat(machine: &Agent) {
    let caller = Caller::of(&machine.state()).expect("enrolled");
    let (_endpoint, connection) = caller.connect(SESSION_ALPN).await.expect("connected");
    let (mut control, mut replies) = connection.open_bi().await.expect("a stream");
    control.write_all(&frame(&hello())).await.expect("sent");
    tokio::spawn(async move {
        let mut said = vec![0; 64 << 10];
        while matches!(replies.read(&mut said).await, Ok(Some(_))) {}
    });
    let beats = frame(&FromAgent::Heartbeat).repeat(BEATS);
    while control.write_all(&beats).await.is_ok() {}
}

#[test]
fn a_machine_whose_heart_beats_without_a_pause_keeps_no_other_waiting() {
    let (_folder, installation) = installation("");
    let machine = Agent::enrol(&installation, "machine", &GRANT);
    let other = Agent::enrol(&installation, "other", &GRANT);
    // On a thread of its own, so that the test itself keeps nobody waiting.
    std::thread::spawn(move || runtime().block_on(beat(&machine)));
    runtime().block_on(async {
        let mut other = session(&other.state()).await.expect("a session");
        tokio::time::sleep(Duration::from_secs(1)).await;
        let longest = longest_answer(&mut other).await;
        assert!(longest < SOON, "an answer took {longest:?}");
    });
    let process = installation.process().expect("it runs");
    let before = processor_time(process);
    std::thread::sleep(Duration::from_secs(2));
    let busy = processor_time(process) - before;
    assert!(busy < Duration::from_millis(500), "{busy:?} of two seconds go into heartbeats");
}

/// Times that a copy comes before its machine does: more than one may in a minute.
const COMINGS: usize = 70;

/// Comes once with a certificate, and keeps what session it gets.
async fn come(client: &Endpoint, coordinator: std::net::SocketAddr) -> Option<impl Sized> {
    let connection = client.connect(coordinator, COORDINATOR_NAME).ok()?.await.ok()?;
    let (mut control, mut replies) = connection.open_bi().await.ok()?;
    control.write_all(&frame(&hello())).await.ok()?;
    raw::read::<FromCoordinator>(&mut replies).await.ok()?;
    Some((connection, control, replies))
}

#[test]
fn a_copy_that_comes_without_a_pause_keeps_its_machine_not_out_and_is_told_of() {
    let (_folder, installation) = installation("");
    let machine = Agent::enrol(&installation, "machine", &GRANT);
    runtime().block_on(async {
        let caller = Caller::of(&machine.state()).expect("enrolled");
        let coordinator = caller.address;
        let copy =
            Caller { from: [127, 0, 0, 2].into(), ..caller }.endpoint(SESSION_ALPN).expect("an endpoint");
        let mut kept = None;
        let mut refused = 0;
        for _ in 0..COMINGS {
            match come(&copy, coordinator).await {
                Some(session) => kept = Some(session),
                None => refused += 1,
            }
        }
        assert!(kept.is_some() && refused > 0, "it has a session, and {refused} times it had none");
        let own = session(&machine.state()).await;
        assert!(own.is_ok(), "the machine itself comes in: {:?}", own.err());
        let found = |event: &serde_json::Value| event["event"] == "clone-suspected";
        assert!(events(&installation.data()).iter().any(found), "that there is a copy is in the record");
    });
}
