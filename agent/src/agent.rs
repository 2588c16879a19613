//! The running agent: one session after the other, and the duties that outlive them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::sync::{Semaphore, mpsc, watch};
use windlass_agent_core::admission::{Admission, Known, admit};
use windlass_agent_core::backoff::Backoff;
use windlass_agent_packages::Cache;
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::limits::UNFINISHED_ASSIGNMENTS;
use windlass_protocol::message::{
    Answer, Assignment, FromAgent, FromCoordinator, Generation, Goodbye, Hello, Refusal, Report, ReportKind,
    Request, SESSION_ALPN, SignedAssignment, VERSION, Welcome,
};
use windlass_protocol::{Digest, Timestamp};
use windlass_trust::{BadSignature, verify_assignment};

use crate::configuration::Configuration;
use crate::duty::{self, Duty};
use crate::identity::Identity;
use crate::ledger::{Entry, Ledger};
use crate::link::{self, Credentials, Link};
use crate::status::{self, Connection, Status};

/// Everything that sessions and duties share.
pub(crate) struct Agent {
    pub(crate) configuration: Configuration,
    pub(crate) identity: Identity,
    pub(crate) ledger: Mutex<Ledger>,
    pub(crate) cache: Cache,
    /// The session that stands, if one does.
    pub(crate) link: watch::Sender<Option<Link>>,
    /// Steps run one at a time unless they say otherwise.
    pub(crate) turn: Semaphore,
    /// What duties want to be shown on the control stream.
    pub(crate) progress: mpsc::Sender<FromAgent>,
    duties: Mutex<BTreeMap<AssignmentId, Duty>>,
    status: Mutex<Status>,
}

/// How a session ended.
enum Over {
    /// The connection broke; come back.
    Broken(String),
    /// The coordinator said why.
    Goodbye(Goodbye),
    /// There is a new certificate, and a session is judged by the one that it began with: come back at once.
    Renewed,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the agent until `stop` ends.
pub async fn run(configuration: Configuration, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let identity = Identity::read(&configuration.state_root)?;
    let ledger = Ledger::open(&configuration.state_root)?;
    let cache = Cache::open(configuration.state_root.join("cache"))?;
    let (progress, to_show) = mpsc::channel(64);
    let status = Status {
        pid: std::process::id(),
        target: identity.membership.name.clone(),
        coordinator: configuration
            .coordinator
            .clone()
            .unwrap_or_else(|| identity.membership.coordinator.clone()),
        connection: Connection::Disconnected("starting".to_owned()),
        effective: None,
        last: None,
        time: ledger.clock()?,
    };
    let agent = Arc::new(Agent {
        configuration,
        identity,
        ledger: Mutex::new(ledger),
        cache,
        link: watch::Sender::new(None),
        turn: Semaphore::new(1),
        progress,
        duties: Mutex::default(),
        status: Mutex::new(status),
    });
    agent.resume_duties()?;
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    tokio::select! {
        () = stop => Ok(()),
        result = agent.sessions(to_show) => result,
    }
}

impl Agent {
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    /// Waits for a session, and returns its link.
    pub(crate) async fn linked(&self) -> Link {
        let mut links = self.link.subscribe();
        loop {
            if let Some(link) = links.borrow_and_update().clone() {
                return link;
            }
            if links.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Says what the agent last did, for its status.
    pub(crate) fn did(&self, what: String) {
        tracing::info!("{what}");
        self.update_status(|status| status.last = Some(what));
    }

    fn update_status(&self, change: impl FnOnce(&mut Status)) {
        let mut status = lock(&self.status);
        change(&mut status);
        if let Err(why) = status::write(&self.configuration.state_root, &status) {
            tracing::warn!(%why, "the status file cannot be written");
        }
    }

    /// Takes up what was admitted before this process began: first what has begun, since it may be running still and
    /// is to have its turn before anything else, then in the order of the orders.
    fn resume_duties(self: &Arc<Self>) -> anyhow::Result<()> {
        let mut open: Vec<_> =
            self.ledger().entries()?.into_iter().filter(|(_, entry)| !entry.closed).collect();
        open.sort_by_key(|(id, entry)| (!duty::has_begun(&self.ledger().folder(*id)), entry.generation));
        for (id, entry) in open {
            let signed = self.ledger().assignment(id)?;
            let key = self.identity.membership.assignment_key;
            let assignment = verify_assignment(key.as_bytes(), &signed)?;
            self.begin(assignment, entry);
        }
        Ok(())
    }

    fn begin(self: &Arc<Self>, assignment: Assignment, entry: Entry) {
        let id = assignment.id;
        let duty = duty::start(Arc::clone(self), assignment, entry);
        lock(&self.duties).insert(id, duty);
    }

    /// A duty is over and everything of it is reported.
    pub(crate) fn finished(&self, id: AssignmentId) {
        lock(&self.duties).remove(&id);
    }

    /// One session after the other, with a back-off between them.
    async fn sessions(self: &Arc<Self>, mut to_show: mpsc::Receiver<FromAgent>) -> anyhow::Result<()> {
        let mut backoff = Backoff::default();
        loop {
            let over = self.session(&mut to_show, &mut backoff).await;
            self.link.send_replace(None);
            let sentence = match over {
                // At once: nothing is wrong.
                Ok(Over::Renewed) => continue,
                Ok(Over::Goodbye(goodbye)) => goodbye_in_words(goodbye),
                Ok(Over::Broken(why)) => why,
                Err(why) => format!("{why:#}"),
            };
            tracing::warn!(why = sentence, "no session");
            self.update_status(|status| status.connection = Connection::Disconnected(sentence));
            let mut random = [0; 8];
            getrandom::fill(&mut random).context("no randomness")?;
            let wait = backoff.failed(u64::from_le_bytes(random));
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
    }

    async fn session(
        self: &Arc<Self>,
        to_show: &mut mpsc::Receiver<FromAgent>,
        backoff: &mut Backoff,
    ) -> anyhow::Result<Over> {
        let membership = &self.identity.membership;
        let address = self.configuration.coordinator.as_ref().unwrap_or(&membership.coordinator);
        let credentials = Credentials { certificate: self.identity.certificate()?, key: self.identity.key() };
        let fingerprint = self.identity.fingerprint()?;
        let link = link::connect(address, fingerprint, Some(&credentials), SESSION_ALPN).await?;
        let (mut control, mut replies) = link.hello(&self.hello()?).await?;
        let mut session = Session {
            agent: self,
            link: link.clone(),
            taken: None,
            heartbeat: Duration::from_secs(10),
            renew: false,
        };
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

fn goodbye_in_words(goodbye: Goodbye) -> String {
    match goodbye {
        Goodbye::Version { lowest, highest } => {
            format!(
                "the coordinator speaks protocol versions {lowest} to {highest}, this agent speaks {VERSION}"
            )
        }
        Goodbye::NotAdmitted => {
            "the coordinator does not admit this target: it is disabled, revoked or deleted".into()
        }
        Goodbye::Expired => "the certificate has expired".to_owned(),
        Goodbye::Replaced => {
            "another session with this certificate took over: is there a clone of this machine?".into()
        }
        Goodbye::FutureGeneration => {
            "this agent has seen later orders than the coordinator knows: was a backup restored?".to_owned()
        }
        Goodbye::Protocol => "the coordinator and this agent misunderstood each other".to_owned(),
    }
}

/// A session that stands.
struct Session<'a> {
    agent: &'a Arc<Agent>,
    link: Link,
    /// The generation up to which assignments were taken in this session.
    taken: Option<Generation>,
    heartbeat: Duration,
    /// Whether the coordinator said that the certificate is due for renewal.
    renew: bool,
}

impl Session<'_> {
    /// Acts upon what the coordinator says; what ends the session is returned.
    async fn heard(&mut self, said: FromCoordinator, backoff: &mut Backoff) -> anyhow::Result<Option<Over>> {
        match said {
            FromCoordinator::Welcome(welcome) => {
                backoff.succeeded();
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

    /// Pulls what is newer than what was taken.
    async fn pull(&mut self, generation: Generation) -> anyhow::Result<()> {
        if self.taken >= Some(generation) {
            return Ok(());
        }
        let mut after = None;
        loop {
            let request = Request::Assignments { since: self.taken, after };
            let Answer::Assignments(answer) = self.link.answer(&request).await? else {
                bail!("the coordinator did not answer with assignments");
            };
            for signed in &answer.new {
                self.take(signed).await?;
            }
            self.withdraw_all_but(&answer.active);
            match answer.next {
                None => {
                    self.taken = Some(answer.generation);
                    return Ok(());
                }
                next if next <= after => bail!("the coordinator's list of assignments does not go on"),
                next => after = next,
            }
        }
    }

    /// Admits or refuses one assignment; what is admitted is written down before it begins.
    async fn take(&self, signed: &SignedAssignment) -> anyhow::Result<()> {
        let agent = self.agent;
        let key = agent.identity.membership.assignment_key;
        let assignment = match verify_assignment(key.as_bytes(), signed) {
            Ok(assignment) => assignment,
            Err(why) => return self.refuse_unread(signed, why).await,
        };
        let digest = Digest::of(&signed.body);
        let admission = {
            let ledger = agent.ledger();
            let entries = ledger.entries()?;
            let assignments = entries.into_iter().map(|(id, entry)| (id, entry.digest)).collect();
            let known = Known {
                target: agent.identity.membership.target,
                configuration: &agent.configuration.advertised,
                isolation: agent.configuration.isolation,
                served: ledger.served()?,
                highest: ledger.highest()?,
                assignments: &assignments,
                now: ledger.clock()?,
            };
            admit(&known, &assignment, digest)
        };
        let generation = assignment.generation;
        match admission {
            Admission::Known => {}
            Admission::Refuse(refusal) => {
                tracing::error!(assignment = %assignment.id, ?refusal, "an assignment is refused");
                self.refuse(assignment.id, refusal).await?;
            }
            Admission::Admit => {
                let entry = Entry { generation, digest, closed: false };
                let owner = (assignment.place.space.0, assignment.place.tenant.as_ref().map(|(id, _)| *id));
                agent.ledger().admit(assignment.id, entry, signed, owner)?;
                agent.begin(assignment, entry);
            }
        }
        Ok(())
    }

    /// Refuses what is not the coordinator's, or is and cannot be read: another version may know work that this one
    /// does not. The coordinator is told of which of its assignments that is said, as far as the bytes say it.
    async fn refuse_unread(&self, signed: &SignedAssignment, why: BadSignature) -> anyhow::Result<()> {
        let refusal = match why {
            BadSignature::Signature => Refusal::BadSignature,
            BadSignature::Malformed(_) => Refusal::Unsupported,
        };
        let Some(id) = Assignment::id_in(&signed.body) else {
            tracing::error!(%why, "an assignment is refused, and does not even say which one it is");
            return Ok(());
        };
        tracing::error!(assignment = %id, %why, "an assignment is refused");
        // What was admitted stays so: bytes that are nobody's stop nothing that is under way.
        if self.agent.ledger().entries()?.contains_key(&id) {
            return Ok(());
        }
        self.refuse(id, refusal).await
    }

    /// Tells the coordinator, so that the deployment fails with the reason. Where that is not taken the session ends:
    /// in the next one the assignment comes again, and is refused again.
    async fn refuse(&self, assignment: AssignmentId, refusal: Refusal) -> anyhow::Result<()> {
        let report = Report { assignment, kind: ReportKind::Refused(refusal) };
        match self.link.answer(&Request::Report(vec![report])).await? {
            Answer::Reported => Ok(()),
            _ => bail!("the coordinator did not take the refusal of {assignment}"),
        }
    }

    /// What the coordinator no longer counts as this target's work is withdrawn.
    fn withdraw_all_but(&self, active: &[AssignmentId]) {
        for (id, duty) in lock(&self.agent.duties).iter() {
            if !active.contains(id) {
                duty.withdraw();
            }
        }
    }
}
