//! One connection's life: hello, what the coordinator says, heartbeats and progress, until it breaks or is ended.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use tokio::sync::mpsc;
use windlass_agent_core::backoff::Backoff;
use windlass_protocol::Timestamp;
use windlass_protocol::limits::UNFINISHED_ASSIGNMENTS;
use windlass_protocol::message::{
    Answer, FromAgent, FromCoordinator, Generation, Goodbye, Hello, Request, SESSION_ALPN, VERSION, Welcome,
};

use super::Agent;
use crate::link::{self, Credentials, Link};
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
    let mut session =
        Session { agent, link: link.clone(), taken: None, heartbeat: FIRST_HEARTBEAT, renew: false };
    let mut beat = tokio::time::interval(session.heartbeat);
    beat.reset();
    loop {
        tokio::select! {
            said = replies.next() => match said {
                Err(_) => return Ok(Over::Broken("the connection was lost".to_owned())),
                Ok(said) => {
                    let before = session.heartbeat;
                    if let Some(over) = session.heard(said, backoff).await? {
                        link.close();
                        return Ok(over);
                    }
                    if session.heartbeat != before {
                        beat = tokio::time::interval(session.heartbeat);
                        beat.reset();
                    }
                }
            },
            _ = beat.tick() => control.say(&FromAgent::Heartbeat).await?,
            shown = to_show.recv() => if let Some(shown) = shown {
                control.say(&shown).await?;
            },
        }
    }
}

/// A session that stands.
pub(super) struct Session<'a> {
    pub(super) agent: &'a Arc<Agent>,
    pub(super) link: Link,
    /// The generation up to which assignments were taken in this session.
    pub(super) taken: Option<Generation>,
    heartbeat: Duration,
    /// Whether the coordinator said that the certificate is due for renewal.
    renew: bool,
}

impl Session<'_> {
    /// Acts upon what the coordinator says; what ends the session is returned.
    async fn heard(&mut self, said: FromCoordinator, backoff: &mut Backoff) -> anyhow::Result<Option<Over>> {
        match said {
            FromCoordinator::Welcome(welcome) => {
                backoff.welcomed(welcome.renew);
                return self.welcomed(*welcome).await;
            }
            FromCoordinator::Nudge { generation } => self.pull(generation).await?,
            FromCoordinator::Alive { now, heartbeat_seconds, generation } => {
                self.agent.time(now)?;
                self.heartbeat = Duration::from_secs(heartbeat_seconds.max(1).into());
                if let Some(over) = self.renew_if_due().await {
                    return Ok(Some(over));
                }
                self.pull(generation).await?;
            }
            FromCoordinator::Goodbye(goodbye) => return Ok(Some(Over::Goodbye(goodbye))),
        }
        Ok(None)
    }

    async fn welcomed(&mut self, welcome: Welcome) -> anyhow::Result<Option<Over>> {
        self.agent.time(welcome.now)?;
        self.heartbeat = Duration::from_secs(welcome.heartbeat_seconds.max(1).into());
        tracing::info!(target = welcome.target, space = welcome.space, "connected");
        self.agent.update_status(|status| {
            status.connection = Connection::Connected;
            status.target.clone_from(&welcome.target);
            status.effective = Some(welcome.effective);
            status.time = welcome.now;
        });
        self.renew = welcome.renew;
        if let Some(over) = self.renew_if_due().await {
            return Ok(Some(over));
        }
        self.agent.link.send_replace(Some(self.link.clone()));
        self.pull(welcome.generation).await?;
        Ok(None)
    }

    /// Renews the certificate, if it is due. A coordinator that cannot do it now is asked again with the next heartbeat:
    /// until the certificate has expired, everything else goes on.
    async fn renew_if_due(&mut self) -> Option<Over> {
        if !self.renew {
            return None;
        }
        match self.agent.renew(&self.link).await {
            Ok(()) => Some(Over::Renewed),
            Err(why) => {
                tracing::warn!(
                    why = format!("{why:#}"),
                    "the certificate is due for renewal and was not renewed"
                );
                None
            }
        }
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

    /// The time, by the coordinator's clock: never earlier than the latest that it told.
    fn time(&self, told: Timestamp) -> anyhow::Result<Timestamp> {
        self.clock.told(told);
        let ledger = self.ledger();
        let latest = ledger.clock()?;
        if told > latest {
            ledger.set_clock(told)?;
        }
        Ok(told.max(latest))
    }

    async fn renew(&self, link: &Link) -> anyhow::Result<()> {
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
