//! Enrolments: one token, one machine, however many ask at once; and the same again is the same.

use std::fs;

use windlass_agent::link;
use windlass_protocol::ids::EnrolmentId;
use windlass_protocol::message::{Advertised, ENROLMENT_ALPN, Enrol, EnrolAnswer, EnrolRefusal, Isolation};
use windlass_protocol::token::{Token, TokenKind};
use windlass_tests::agents::{Agent, token};
use windlass_tests::client::runtime;
use windlass_tests::journal::events;

use super::{GRANT, enrolled, installation};

const MACHINES: usize = 64;

fn message(token: &Token, key: &rcgen::KeyPair, name: &str) -> Enrol {
    let request = rcgen::CertificateParams::default().serialize_request(key).expect("a request");
    Enrol {
        enrolment: EnrolmentId::from_bytes(token.id),
        secret: *token.secret,
        request: request.der().to_vec(),
        sealing_key: [7; 32],
        name: name.to_owned(),
        advertised: Advertised::default(),
        isolation: Isolation::Accounts,
    }
}

async fn ask(address: &str, token: &Token, message: &Enrol) -> EnrolAnswer {
    let link = link::connect(address, token.fingerprint, None, ENROLMENT_ALPN).await.expect("connected");
    let answer = link.exchange(message).await.expect("an answer");
    link.close();
    answer
}

#[test]
fn of_64_machines_that_use_one_token_at_once_exactly_one_wins() {
    let (_folder, mut installation) = installation("", "script: {body: 'echo hello'}");
    let token = Token::parse(TokenKind::Enrolment, &token(&installation, &GRANT)).expect("a token");
    let answers = runtime().block_on(async {
        let together = std::sync::Arc::new(tokio::sync::Barrier::new(MACHINES));
        let machines: Vec<_> = (0..MACHINES)
            .map(|number| {
                let (token, address) = (token.clone(), installation.quic.clone());
                let together = std::sync::Arc::clone(&together);
                tokio::spawn(async move {
                    let key = rcgen::KeyPair::generate().expect("a key");
                    let message = message(&token, &key, &format!("machine-{number}"));
                    let connected = link::connect(&address, token.fingerprint, None, ENROLMENT_ALPN).await;
                    let link = connected.expect("connected");
                    together.wait().await;
                    let answer: EnrolAnswer = link.exchange(&message).await.expect("an answer");
                    link.close();
                    answer
                })
            })
            .collect();
        let mut answers = Vec::new();
        for machine in machines {
            answers.push(machine.await.expect("it asks"));
        }
        answers
    });
    let (enrolled, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| matches!(answer, EnrolAnswer::Enrolled(_)));
    assert_eq!(enrolled.len(), 1, "one token, one machine");
    assert!(refused.iter().all(|answer| *answer == EnrolAnswer::Refused(EnrolRefusal::Used)), "{refused:?}");
    let targets = installation.json(&["target", "list"]);
    assert_eq!(targets["items"].as_array().map(Vec::len), Some(1), "{targets}");
    // Each of them is in the journal: one as a record of its own, the others as counts.
    let data = installation.data();
    let times = |kind: &str| -> u64 {
        let events = events(&data);
        let refused = events.iter().filter(|event| event["event"] == kind);
        refused.map(|event| event["count"].as_u64().unwrap_or(1)).sum()
    };
    assert!(installation.stop(), "it ends well, and what it has counted is recorded");
    assert_eq!((times("enrolment-refused"), times("enrolment-refused-again")), (1, 62));
}

#[test]
fn the_same_token_and_key_again_is_the_same_registration() {
    let (_folder, installation) = installation("", "script: {body: 'echo hello'}");
    let text = token(&installation, &GRANT);
    let parsed = Token::parse(TokenKind::Enrolment, &text).expect("a token");
    runtime().block_on(async {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut targets = Vec::new();
        for _ in 0..3 {
            match ask(&installation.quic, &parsed, &message(&parsed, &key, "first")).await {
                EnrolAnswer::Enrolled(enrolled) => targets.push(enrolled.target),
                EnrolAnswer::Refused(why) => panic!("{why}"),
            }
        }
        assert!(targets.iter().all(|target| *target == targets[0]), "{targets:?}");
        let other_key = rcgen::KeyPair::generate().expect("a key");
        let other = ask(&installation.quic, &parsed, &message(&parsed, &other_key, "second")).await;
        assert_eq!(other, EnrolAnswer::Refused(EnrolRefusal::Used));
        let mut wrong = message(&parsed, &key, "first");
        wrong.secret[0] ^= 1;
        assert_eq!(
            ask(&installation.quic, &parsed, &wrong).await,
            EnrolAnswer::Refused(EnrolRefusal::Unknown)
        );
    });
    // The same with the real program, which lost the answer to its first try.
    let program = windlass_tests::programs().expect("the programs build").join("windlass-agent");
    let machine = Agent::new(&installation.folder, "real", &installation.quic, program);
    let text = token(&installation, &GRANT);
    machine.enrol_with(&text);
    let certain = machine.state().join("identity/membership.json");
    let before: serde_json::Value =
        serde_json::from_slice(&fs::read(&certain).expect("a membership")).expect("JSON");
    fs::remove_file(&certain).expect("it is lost");
    machine.enrol_with(&text);
    let after: serde_json::Value =
        serde_json::from_slice(&fs::read(&certain).expect("a membership")).expect("JSON");
    assert_eq!(before["target"], after["target"]);
    assert_eq!(installation.json(&["target", "list"])["items"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_name_that_is_taken_is_refused_and_the_token_stays_good() {
    let (_folder, installation) = installation("", "script: {body: 'echo hello'}");
    let _first = enrolled(&installation, "machine");
    let text = token(&installation, &GRANT);
    let parsed = Token::parse(TokenKind::Enrolment, &text).expect("a token");
    runtime().block_on(async {
        let key = rcgen::KeyPair::generate().expect("a key");
        for taken in ["machine", "MACHINE"] {
            let answer = ask(&installation.quic, &parsed, &message(&parsed, &key, taken)).await;
            assert_eq!(answer, EnrolAnswer::Refused(EnrolRefusal::NameTaken), "{taken}");
        }
    });
    let program = windlass_tests::programs().expect("the programs build").join("windlass-agent");
    let other = installation.folder.join("elsewhere");
    fs::create_dir(&other).expect("a folder");
    let second = Agent::new(&other, "machine", &installation.quic, program.clone());
    let refused = second.try_enrol_with(&text);
    assert_eq!(refused.status.code(), Some(5));
    assert_eq!(
        String::from_utf8_lossy(&refused.stderr),
        "error: a target of this name exists already; choose another name, or have an operator delete that target\n"
    );
    Agent::new(&other, "another", &installation.quic, program).enrol_with(&text);
}

/// Whoever has no token that is known is nobody: counted by where it comes from, and nothing of what it sent is kept.
#[test]
fn strangers_are_counted_where_they_come_from_and_fill_nothing() {
    const TIMES: u64 = 50;
    let (_folder, mut installation) = installation("", "script: {body: 'echo hello'}");
    let known = Token::parse(TokenKind::Enrolment, &token(&installation, &GRANT)).expect("a token");
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut made_up = message(&known, &key, "stranger");
    made_up.enrolment = EnrolmentId::from_bytes([9; 16]);
    let wrong_secret = Enrol { secret: [9; 32], ..message(&known, &key, "stranger") };
    let malformed = Enrol { request: b"nothing".to_vec(), ..message(&known, &key, "stranger") };
    let before = events(&installation.data()).len();
    runtime().block_on(async {
        for _ in 0..TIMES / 2 {
            for (message, refusal) in [
                (&made_up, EnrolRefusal::Unknown),
                (&wrong_secret, EnrolRefusal::Unknown),
                (&malformed, EnrolRefusal::BadRequest),
            ] {
                let answer = ask(&installation.quic, &known, message).await;
                assert!(matches!(answer, EnrolAnswer::Refused(why) if why == refusal));
            }
        }
    });
    let secret = Token { kind: TokenKind::Api, ..known.clone() }.to_text().to_string();
    let mut command = installation.windlass_command(&["target", "list"]);
    let said = command.env("WINDLASS_TOKEN", &secret).output().expect("it starts");
    assert_eq!(said.status.code(), Some(3), "{}", String::from_utf8_lossy(&said.stderr));
    // Nobody waits for the next period: what was counted is recorded before the end.
    assert!(installation.stop(), "it ends well");
    let new = &events(&installation.data())[before..];
    let counted = |reason: &str| -> u64 {
        let of = new.iter().filter(|event| event["event"] == "stranger-refused" && event["reason"] == reason);
        of.map(|event| {
            assert_eq!(event["origin"], "127.0.0.1", "{event}");
            event["count"].as_u64().expect("a number")
        })
        .sum()
    };
    let counts = ["unknown-enrolment", "malformed-enrolment", "unknown-token"].map(counted);
    assert_eq!(counts, [TIMES, TIMES / 2, 1], "{new:?}");
    assert!(new.len() <= 8, "{} events", new.len());
    for text in windlass_tests::journal::segments(&installation.data()) {
        let text = fs::read_to_string(text).expect("a segment is text");
        assert!(!text.contains(&secret) && !text.contains(known.to_text().as_str()));
    }
}
