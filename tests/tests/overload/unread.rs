//! Answers that nobody takes: they cost the coordinator little memory, whoever asks for them.

use std::io::Write;
use std::time::Duration;

use windlass_tests::agents::{Agent, wait_for_presence};
use windlass_tests::journal::field;

use super::{GRANT, Stream, connect, deploy, installation, memory, status};

/// Connections that ask for a route.
const OF_EACH: usize = 40;
/// What all of them may take: the share of one token, what is made at once, and connections.
const MEMORY: u64 = 160 << 20;

#[test]
fn who_reads_none_of_its_answers_takes_little_memory_and_others_go_on() {
    let (_folder, installation) = installation("");
    installation.apply(
        "kind: project\nname: Website\nsteps:\n- name: Install\n  roles: [web]\n  script:\n    body: |\n      \
         line=$(head -c 16000 /dev/zero | tr '\\0' x)\n      for i in $(seq 1200); do echo $line; done\n",
    );
    let mut agent = Agent::enrol(&installation, "machine", &GRANT);
    agent.run();
    wait_for_presence(&installation, "machine", true);
    deploy(&installation, "1.0.0");
    let made = installation.json(&["token", "create", "--name", "audit", "--role", "auditor"]);
    let token = field(&made, "token");
    let id = field(&installation.json(&["deployment", "list"])["items"][0], "id").to_owned();
    let process = installation.process().expect("it runs");
    let (before, mut most) = (memory(process), 0);
    let logs = format!("deployments/{id}/logs?limit=2000");
    let follow = format!("deployments/{id}/logs/follow");
    let mut unread: Vec<Stream> = Vec::new();
    for path in [logs.as_str(), follow.as_str(), "export", "audit?limit=1000", "definitions/project/Website"]
    {
        for _ in 0..OF_EACH {
            let mut stream = connect(installation.http(), token).expect("a connection");
            let head =
                format!("GET /api/v1/{path} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {token}\r\n\r\n");
            stream.write_all(head.as_bytes()).expect("it is asked");
            unread.push(stream);
        }
        for _ in 0..20 {
            most = most.max(memory(process));
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let took = most.saturating_sub(before);
    println!("{} unread answers took {} MiB, from {} MiB", unread.len(), took >> 20, before >> 20);
    assert!(took < MEMORY, "{} MiB", took >> 20);
    // Everybody else is answered.
    assert_eq!(status(installation.http(), installation.token(), "GET", &logs, ""), Some(200));
}
