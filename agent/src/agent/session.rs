//! One connection's life: hello, what the coordinator says, heartbeats and progress, until it breaks or is ended.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use tokio::sync::{mpsc, watch};
use windlass_agent_core::backoff::Backoff;
use windlass_protocol::Timestamp;
use windlass_protocol::limits::UNFINISHED_ASSIGNMENTS;
use windlass_protocol::message::{
    Answer, FromAgent, FromCoordinator, Goodbye, Hello, Request, SESSION_ALPN, VERSION, Welcome,
};

use super::orders::{Orders, Renewed, Wanted};
use crate::link::{self, Credentials, Link};
use crate::shared::Agent;
use crate::status::Connection;

/// Until the coordinator has said how often it wants to hear from this agent.
const FIRST_HEARTBEAT: Duration = Duration::from_secs(10);

/// How a session ended.
pub(super) enum Over {
    /// The connection broke; come back.
    Broken(String),
    /// The coordinator said why.
    Goodbye(Goodbye),
    /// There is a new certificate, and a session is judged by the one that it began with: come back with the new one.
    Renewed,
}

/// Connects, says hello, and serves the session until it is over.
pub(super) async fn run(
    agent: &Arc<Agent>,
    to_show: &mut mpsc::Receiver<FromAgent>,
    backoff: &mut Backoff,
) -> anyhow::Result<Over> {
    let membership = &agent.identity.membership;
    let address = agent.configuration.coordinator.as_ref().unwrap_or(&membership.coordinator);
    let credentials = Credentials { certificate: agent.identity.certificate()?, key: agent.identity.key() };
    let fingerprint = agent.identity.fingerprint()?;
    let clock = Arc::clone(&agent.clock);
    let link = link::connect_by(clock, address, fingerprint, Some(&credentials), SESSION_ALPN).await?;
    let (mut control, mut replies) = link.hello(&agent.hello()?).await?;
    let mut session = Session { agent, heartbeat: FIRST_HEARTBEAT, wanted: watch::Sender::default() };
    let orders = Orders::new(agent, link.clone(), session.wanted.subscribe());
    let mut orders = pin!(orders.follow());
    let mut beat = tokio::time::interval(session.heartbeat);
    beat.reset();
    loop {
        tokio::select! {
            said = replies.next() => match said {
                Err(_) => return Ok(Over::Broken("the connection was lost".to_owned())),
                Ok(said) => {
                    let before = session.heartbeat;
                    if let Some(goodbye) = session.heard(said, backoff) {
                        link.close();
                        return Ok(Over::Goodbye(goodbye));
                    }
                    if session.heartbeat != before {
                        beat = tokio::time::interval(session.heartbeat);
                        beat.reset();
                    }
                }
            },
            // Beside the control stream: a coordinator that is slow to answer one hears the heartbeats all the same.
            Renewed = &mut orders => {
                link.close();
                return Ok(Over::Renewed);
            }
            _ = beat.tick() => control.say(&FromAgent::Heartbeat).await?,
            shown = to_show.recv() => if let Some(shown) = shown {
                control.say(&shown).await?;
            },
        }
    }
}

/// What the coordinator said on the control stream of a session.
struct Session<'a> {
    agent: &'a Arc<Agent>,
    heartbeat: Duration,
    wanted: watch::Sender<Wanted>,
}

impl Session<'_> {
    /// Acts upon what the coordinator says. Nothing of that ends the session but its own goodbye: what this machine cannot
    /// do just now (its disk may be full) is done later, and other work goes on.
    fn heard(&mut self, said: FromCoordinator, backoff: &mut Backoff) -> Option<Goodbye> {
        match said {
            FromCoordinator::Welcome(welcome) => {
                backoff.welcomed(welcome.renew);
                self.welcomed(*welcome);
            }
            FromCoordinator::Nudge { generation } => {
                self.wanted.send_modify(|wanted| wanted.generation = Some(generation));
            }
            FromCoordinator::Alive { now, heartbeat_seconds, generation } => {
                backoff.lasted();
                self.agent.told_time(now);
                self.heartbeat = Duration::from_secs(heartbeat_seconds.max(1).into());
                // Also where it is no other: what could not be done then may be done now.
                self.wanted.send_modify(|wanted| wanted.generation = Some(generation));
            }
            FromCoordinator::Goodbye(goodbye) => return Some(goodbye),
        }
        None
    }

    fn welcomed(&mut self, welcome: Welcome) {
        self.agent.told_time(welcome.now);
        self.heartbeat = Duration::from_secs(welcome.heartbeat_seconds.max(1).into());
        tracing::info!(target = welcome.target, space = welcome.space, "connected");
        self.agent.update_status(|status| {
            status.connection = Connection::Connected;
            status.target.clone_from(&welcome.target);
            status.effective = Some(welcome.effective);
            status.time = welcome.now;
        });
        let Welcome { generation, renew, .. } = welcome;
        self.wanted.send_replace(Wanted { generation: Some(generation), renew });
    }
}

impl Agent {
    /// The first message of a session.
    fn hello(&self) -> anyhow::Result<Hello> {
        let ledger = self.ledger();
        let unfinished = ledger.entries()?.into_iter().filter(|(_, entry)| !entry.closed).map(|(id, _)| id);
        Ok(Hello {
            lowest: VERSION,
            highest: VERSION,
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            advertised: self.configuration.advertised.clone(),
            isolation: self.configuration.isolation,
            generation: ledger.highest()?,
            unfinished: unfinished.take(UNFINISHED_ASSIGNMENTS).collect(),
        })
    }

    /// The coordinator told the time. It is kept for later processes too, unless the disk is full: this one knows it.
    fn told_time(&self, told: Timestamp) {
        self.clock.told(told);
        if let Err(why) = self.ledger().set_clock(self.clock.latest()) {
            tracing::warn!(why = format!("{why:#}"), "the time that the coordinator told is not kept");
        }
    }

    pub(super) async fn renew(&self, link: &Link) -> anyhow::Result<()> {
        let request = Request::Renew { request: self.identity.renewal_request()? };
        match link.answer(&request).await? {
            Answer::Renewed { certificate } => {
                self.identity.renewed(&certificate)?;
                self.did("renewed its certificate".to_owned());
                Ok(())
            }
            _ => bail!("the coordinator did not renew the certificate"),
        }
    }
}
