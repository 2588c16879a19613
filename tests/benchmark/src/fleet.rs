//! Agents by the thousand in one process: each with its own key, certificate, socket and session, speaking the
//! protocol through the agent's own code, and doing no work.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use tokio::io::AsyncReadExt as _;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use windlass_agent::link::{self, ControlReceiver, ControlSender, Credentials, Link};
use windlass_protocol::codec;
use windlass_protocol::ids::EnrolmentId;
use windlass_protocol::message::{
    Advertised, Answer, Assignment, ENROLMENT_ALPN, Enrol, EnrolAnswer, FromAgent, FromCoordinator, Hello,
    Isolation, PullRequest, Request, SESSION_ALPN, VERSION, Work,
};
use windlass_protocol::token::{Token, TokenKind};
use zeroize::Zeroizing;

use crate::arrivals::Arrivals;

/// Handshakes that are under way at once.
const AT_ONCE: usize = 32;

/// Connected agents. Dropped, they go.
pub struct Fleet {
    agents: Vec<Link>,
    nudges: Arc<Arrivals>,
    _sessions: JoinSet<()>,
}

impl Fleet {
    /// Enrols `count` machines with one token, and connects them.
    pub async fn connect(address: &str, token: &str, name: &str, count: usize) -> anyhow::Result<Self> {
        let mut joining = JoinSet::new();
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        for number in 0..count {
            let (address, token, name) = (address.to_owned(), token.to_owned(), format!("{name}-{number}"));
            let turns = Arc::clone(&turns);
            joining.spawn(async move {
                let _turn = turns.acquire().await;
                join(&address, &token, name).await
            });
        }
        let nudges = Arc::new(Arrivals::new());
        let mut agents = Vec::with_capacity(count);
        let mut sessions = JoinSet::new();
        while let Some(joined) = joining.join_next().await {
            let (link, sender, receiver, pace) = joined??;
            sessions.spawn(session(sender, receiver, pace, Arc::clone(&nudges)));
            agents.push(link);
        }
        Ok(Self { agents, nudges, _sessions: sessions })
    }

    /// Counts the nudges that the agents read. The next one is awaited from all of them.
    pub fn expect_nudges(&self) -> &Arrivals {
        self.nudges.expect(self.agents.len());
        &self.nudges
    }

    /// Has every agent pull the packages that it is assigned, and returns how many bytes came to all of them.
    pub async fn pull(&self) -> anyhow::Result<u64> {
        let mut pulling = JoinSet::new();
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        for link in &self.agents {
            let (link, turns) = (link.clone(), Arc::clone(&turns));
            pulling.spawn(async move {
                let _turn = turns.acquire().await;
                pull(&link).await
            });
        }
        let mut bytes = 0;
        while let Some(pulled) = pulling.join_next().await {
            bytes += pulled??;
        }
        Ok(bytes)
    }
}

async fn join(
    address: &str,
    token: &str,
    name: String,
) -> anyhow::Result<(Link, ControlSender, ControlReceiver, Duration)> {
    let token = Token::parse(TokenKind::Enrolment, token)?;
    let key = rcgen::KeyPair::generate()?;
    let request = rcgen::CertificateParams::default().serialize_request(&key)?;
    let message = Enrol {
        enrolment: EnrolmentId::from_bytes(token.id),
        secret: *token.secret,
        request: request.der().to_vec(),
        sealing_key: [9; 32],
        name,
        advertised: Advertised::default(),
        isolation: Isolation::Accounts,
    };
    let enrolling = link::connect(address, token.fingerprint, None, ENROLMENT_ALPN).await?;
    let answer = enrolling.exchange::<Enrol, EnrolAnswer>(&message).await?;
    enrolling.close();
    let EnrolAnswer::Enrolled(enrolled) = answer else { bail!("the enrolment was refused") };
    let credentials =
        Credentials { certificate: enrolled.certificate, key: Zeroizing::new(key.serialized_der().to_vec()) };
    let link = link::connect(address, token.fingerprint, Some(&credentials), SESSION_ALPN).await?;
    let hello = Hello {
        lowest: VERSION,
        highest: VERSION,
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        advertised: Advertised::default(),
        isolation: Isolation::Accounts,
        generation: None,
        unfinished: Vec::new(),
    };
    let (sender, mut receiver) = link.hello(&hello).await?;
    let FromCoordinator::Welcome(welcome) = receiver.next().await? else { bail!("no welcome") };
    Ok((link, sender, receiver, Duration::from_secs(u64::from(welcome.heartbeat_seconds))))
}

/// Reads what the coordinator says, and beats.
async fn session(
    mut sender: ControlSender,
    mut receiver: ControlReceiver,
    pace: Duration,
    nudges: Arc<Arrivals>,
) {
    let beating = tokio::spawn(async move {
        loop {
            tokio::time::sleep(pace).await;
            if sender.say(&FromAgent::Heartbeat).await.is_err() {
                return;
            }
        }
    });
    while let Ok(message) = receiver.next().await {
        if matches!(message, FromCoordinator::Nudge { .. }) {
            nudges.arrived();
        }
    }
    beating.abort();
}

async fn pull(link: &Link) -> anyhow::Result<u64> {
    let answer = link.answer(&Request::Assignments { since: None, after: None }).await?;
    let Answer::Assignments(assignments) = answer else { bail!("assignments were denied") };
    let mut bytes = 0;
    for signed in &assignments.new {
        let assignment: Assignment = codec::decode(&signed.body)?;
        let Work::Fetch(work) = assignment.work else { continue };
        for package in work.packages {
            let request = Request::Pull(PullRequest {
                assignment: assignment.id,
                manifest: package.manifest,
                has_manifest: false,
                holds: Vec::new(),
                complete_files: 0,
                complete_segments: 0,
            });
            let mut stream = link.ask(&request).await?;
            let (mut piece, before) = (vec![0; 64 << 10], bytes);
            loop {
                match stream.read(&mut piece).await? {
                    0 => break,
                    read => bytes += read as u64,
                }
            }
            if bytes - before < package.size {
                bail!("a pull brought {} bytes of {}", bytes - before, package.size);
            }
        }
    }
    Ok(bytes)
}
