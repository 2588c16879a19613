//! The control stream of a session: hello, welcome, heartbeats, nudges, goodbye; and the request streams beside it.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use quinn::{Connection, SendStream, VarInt};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use windlass_coordinator_core::authorise::{self, Peer, SessionPermit};
use windlass_coordinator_core::state::State;
use windlass_protocol::Timestamp;
use windlass_protocol::message::{FromAgent, FromCoordinator, Generation, Goodbye, Hello, VERSION, Welcome};

use super::admission::{admit, denial, record_clone};
use super::connection_slot::ConnectionSlot;
use super::endpoint::widen;
use super::frames::Frames;
use super::last_sent::{LastSent, Scope};
use super::requests::{self, Asker, Room};
use super::throttle::Throttle;
use super::{Sessions, frames, origin};
use crate::comings;
use crate::engine::now;
use crate::registry::{Entered, Progress};

/// An agent gets this long to say hello, and to read what it is told.
const PATIENCE: Duration = Duration::from_secs(10);
/// And this long to read a goodbye.
const PARTING: Duration = Duration::from_secs(1);
/// Agents that one coordinator lets beat every [`FASTEST_HEARTBEAT`] seconds; more beat slower in proportion.
const FAST_AGENTS: usize = 1000;
const FASTEST_HEARTBEAT: u16 = 10;
/// QUIC itself gives a silent connection up after 30 seconds, so no heart may beat slower than this.
const SLOWEST_HEARTBEAT: u16 = 20;

/// Serves one session until it ends. Until it is admitted, whoever has a certificate is a stranger and keeps its slot
/// as one: certificates are revoked, and machines disabled. From then on its connection counts as one of its machine's,
/// until it is out of memory.
pub(super) async fn serve(
    sessions: Arc<Sessions>,
    connection: &Connection,
    peer: Peer,
    mut slot: ConnectionSlot,
) {
    let (address, registry) = (connection.remote_address(), &sessions.services.registry);
    // Before anything is looked at for it: who comes so often, or has left so much behind, waits until that is over.
    if !registry.came(peer.target, address.ip().into()) {
        return refuse(&sessions, connection, &peer).await;
    }
    let goodbye = match timeout(PATIENCE, open(connection)).await {
        Err(_) | Ok(None) => Err(Goodbye::Protocol),
        Ok(Some((mut send, frames, hello))) => {
            match admit(&sessions, &peer, &hello, &origin(address)).await {
                Err(goodbye) => {
                    part(&mut send, goodbye).await;
                    Err(goodbye)
                }
                Ok(()) => {
                    let Some(counted) = registry.hold_connection(peer.target, address.ip().into()) else {
                        return refuse(&sessions, connection, &peer).await;
                    };
                    slot.admitted(counted);
                    widen(connection);
                    // Who comes and goes again and again is told of only so often.
                    let is_told = sessions.takes_line(peer.target);
                    if is_told {
                        comings::connected(&sessions.engine.state(), peer.target, &origin(address));
                    }
                    let goodbye = live(&sessions, connection, peer, send, frames).await;
                    if is_told {
                        let ended = connection.close_reason();
                        comings::disconnected(&sessions.engine.state(), peer.target, ended.as_ref(), goodbye);
                    }
                    Ok(goodbye)
                }
            }
        }
    };
    let (Ok(goodbye) | Err(goodbye)) = goodbye;
    tracing::debug!(target = %peer.target, ?goodbye, "session over");
    connection.close(VarInt::from_u32(0), b"goodbye");
}

/// Ends a connection of a machine that has too many in memory, or had too many of late. Where it is not the one that has a
/// session it may be a copy of it.
async fn refuse(sessions: &Sessions, connection: &Connection, peer: &Peer) {
    let address = connection.remote_address();
    if let Some(live) = sessions.services.registry.address(peer.target) {
        found_elsewhere(sessions, peer, live, address).await;
    }
    if sessions.takes_line(peer.target) {
        tracing::warn!(target = %peer.target, "a machine connects again and again; it has to wait");
    }
    connection.close(VarInt::from_u32(1), b"too many connections of one machine");
}

/// Says goodbye, and waits a moment for it to be read: closing at once would overtake what was just written.
async fn part(send: &mut SendStream, goodbye: Goodbye) {
    let parting = async {
        if frames::write(send, &FromCoordinator::Goodbye(goodbye)).await.is_ok() {
            let _ = send.finish();
            let _ = send.stopped().await;
        }
    };
    let _ = timeout(PARTING, parting).await;
}

async fn open(connection: &Connection) -> Option<(SendStream, Frames, Hello)> {
    let (send, receive) = connection.accept_bi().await.ok()?;
    let mut frames = Frames::new(receive);
    let hello = frames.next::<Hello>().await.ok()?;
    Some((send, frames, hello))
}

/// The session stands: it is registered, told of changes, and its requests are served.
async fn live(
    sessions: &Arc<Sessions>,
    connection: &Connection,
    peer: Peer,
    mut send: SendStream,
    mut frames: Frames,
) -> Goodbye {
    let wake = Arc::new(Notify::new());
    let address = connection.remote_address();
    let registry = &sessions.services.registry;
    let is_open = {
        let connection = connection.clone();
        move || connection.close_reason().is_none()
    };
    let (entered, older) = registry.enter(peer.target, Arc::clone(&wake), Box::new(is_open), address);
    if let Some(older) = older {
        let was_live = (older.is_open)();
        older.wake.notify_one();
        if was_live {
            found_elsewhere(sessions, &peer, older.address, address).await;
        }
    }
    let began_expired = peer.expires < now();
    let asker = Asker {
        sessions: Arc::clone(sessions),
        peer,
        session: entered.number(),
        room: Room::new(),
        places: entered.requests(),
    };
    let requests = JoinSet::new();
    let mut session = Session { asker, entered, wake, requests, last_sent: None, began_expired };
    let End { goodbye, may_be_said } = session.run(connection, &mut send, &mut frames).await;
    // With this its answers end.
    drop(session);
    if may_be_said {
        part(&mut send, goodbye).await;
    }
    goodbye
}

/// A machine that has a session has come from somewhere. An agent that comes back before its old connection timed out is
/// no clone: it comes from the same place.
async fn found_elsewhere(sessions: &Sessions, peer: &Peer, live: SocketAddr, address: SocketAddr) {
    if origin(live) != origin(address) {
        record_clone(sessions, peer, &origin(live), &origin(address)).await;
    }
}

/// How a session ends.
struct End {
    goodbye: Goodbye,
    /// Who does not read what it was told before is not told more: it would wait behind that.
    may_be_said: bool,
}

impl From<Goodbye> for End {
    fn from(goodbye: Goodbye) -> Self {
        Self { goodbye, may_be_said: true }
    }
}

struct Session {
    asker: Asker,
    entered: Entered,
    /// Told when the target is not what it was, or has another session.
    wake: Arc<Notify>,
    /// What is being answered; it ends with the session.
    requests: JoinSet<()>,
    last_sent: Option<LastSent>,
    /// A session with an expired certificate stands, to renew it and for nothing else.
    began_expired: bool,
}

impl Session {
    async fn run(&mut self, connection: &Connection, send: &mut SendStream, frames: &mut Frames) -> End {
        let mut streams = pin!(connection.accept_bi());
        let mut certificate = pin!(sleep(Duration::ZERO));
        let mut set_for = None;
        let mut throttle = Throttle::new();
        loop {
            if let Err(end) = self.tell(send).await {
                return end;
            }
            let renew = self.last_sent.as_ref().map(|told| told.renew);
            if set_for != renew || certificate.is_elapsed() {
                certificate.as_mut().reset(Instant::now() + self.certificate_due());
                set_for = renew;
            }
            tokio::select! {
                () = self.wake.notified() => {}
                Some(_) = self.requests.join_next() => {}
                // An agent may stay for longer than its certificate lasts, with nothing else to be told.
                () = &mut certificate, if !self.began_expired => {}
                message = async { throttle.next().await; frames.next::<FromAgent>().await } => {
                    throttle.take();
                    match message {
                        Ok(FromAgent::Heartbeat) => {
                            if let Err(end) = self.answer_heartbeat(send).await {
                                return end;
                            }
                        }
                        Ok(FromAgent::Progress { assignment, moved, saved, total }) => {
                            self.progressed(assignment, Progress { moved, saved, total });
                        }
                        Err(_) => return Goodbye::Protocol.into(),
                    }
                }
                stream = &mut streams => match stream {
                    Ok((answers, question)) => {
                        streams.set(connection.accept_bi());
                        let asker = self.asker.clone();
                        self.requests
                            .spawn(async move { requests::serve(&asker, answers, question).await });
                    }
                    Err(_) => return Goodbye::Protocol.into(),
                },
            }
        }
    }

    /// Tells the agent what is new: its scope, or that its work changed. An error is the goodbye.
    async fn tell(&mut self, send: &mut SendStream) -> Result<(), End> {
        let state = self.asker.sessions.engine.state();
        let permit = self.permit(&state)?;
        let generation = generation_of(&state, &permit);
        let scope = Scope::of(&state, &permit).ok_or(Goodbye::NotAdmitted)?;
        let now = now();
        let renew = self.asker.sessions.services.authority.is_renewal_due(self.asker.peer.expires, now);
        let same = self
            .last_sent
            .as_ref()
            .is_some_and(|told| told.renew == renew && told.scope.says_the_same(&scope));
        let message = match &self.last_sent {
            // It was told to renew and did not: it comes back with the expired certificate, which may do just that.
            Some(_) if self.asker.peer.expires < now && !self.began_expired => {
                return Err(Goodbye::Expired.into());
            }
            Some(told) if same && told.generation == generation => return Ok(()),
            Some(_) if same => FromCoordinator::Nudge { generation },
            _ => {
                let welcome = self.welcome(&state, &permit, &scope, generation, renew, now);
                FromCoordinator::Welcome(Box::new(welcome.ok_or(Goodbye::NotAdmitted)?))
            }
        };
        self.last_sent = Some(LastSent { generation, scope, renew });
        self.say(send, &message).await
    }

    /// How long it is until the agent's certificate is due for renewal or, where the agent was told that already, has
    /// expired. Should the clock be set meanwhile, the next heartbeat finds out.
    fn certificate_due(&self) -> Duration {
        let left = match &self.last_sent {
            Some(told) if told.renew => self.asker.peer.expires.since(now()),
            _ => self.asker.sessions.services.authority.until_renewal(self.asker.peer.expires, now()),
        };
        // A little later than the moment itself: what is due then is due.
        left + Duration::from_millis(1)
    }

    /// Says something. Who does not read it keeps nothing waiting, least of all the end of the session: that comes
    /// beside the writing, as it does between two.
    async fn say(&self, send: &mut SendStream, message: &FromCoordinator) -> Result<(), End> {
        let unsaid = |goodbye| End { goodbye, may_be_said: false };
        let mut writing = pin!(timeout(PATIENCE, frames::write(send, message)));
        let mut has_news = false;
        let written = loop {
            tokio::select! {
                biased;
                () = self.wake.notified() => {
                    has_news = true;
                    self.permit(&self.asker.sessions.engine.state()).map_err(unsaid)?;
                }
                written = &mut writing => break written,
            }
        };
        if has_news {
            // What came meanwhile may be more than the end that was looked for, and is told after this.
            self.wake.notify_one();
        }
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(unsaid(Goodbye::Protocol)),
        }
    }

    /// The permit of this moment: sessions of disabled and revoked targets end here, at once, and so do those whose place
    /// another one has taken.
    fn permit(&self, state: &State) -> Result<SessionPermit, Goodbye> {
        if !self.entered.is_newest() {
            return Err(Goodbye::Replaced);
        }
        authorise::session(state, &self.asker.peer, now()).map_err(|_| denial(state, &self.asker.peer, None))
    }

    fn welcome(
        &self,
        state: &State,
        permit: &SessionPermit,
        scope: &Scope,
        generation: Generation,
        renew: bool,
        now: Timestamp,
    ) -> Option<Welcome> {
        let space = state.space(permit.space())?;
        Some(Welcome {
            version: VERSION,
            now,
            heartbeat_seconds: heartbeat_seconds(self.asker.sessions.services.registry.len()),
            target: scope.target_name(),
            space: space.head.name.to_string(),
            effective: scope.effective(),
            generation,
            renew,
        })
    }

    async fn answer_heartbeat(&mut self, send: &mut SendStream) -> Result<(), End> {
        let state = self.asker.sessions.engine.state();
        let permit = self.permit(&state)?;
        let now = now();
        self.asker
            .sessions
            .services
            .registry
            .seen(self.asker.peer.target, now, || self.asker.sessions.engine.state());
        let alive = FromCoordinator::Alive {
            now,
            heartbeat_seconds: heartbeat_seconds(self.asker.sessions.services.registry.len()),
            generation: generation_of(&state, &permit),
        };
        self.say(send, &alive).await
    }

    fn progressed(&self, assignment: windlass_protocol::ids::AssignmentId, progress: Progress) {
        let state = || self.asker.sessions.engine.state();
        self.asker.sessions.services.registry.progressed(self.asker.peer.target, assignment, progress, state);
    }
}

fn generation_of(state: &State, permit: &SessionPermit) -> Generation {
    let space = state.space(permit.space());
    space.and_then(|space| space.generations.get(&permit.target())).copied().unwrap_or_default()
}

/// Slower the more agents there are, so that heartbeats cost the same.
fn heartbeat_seconds(agents: usize) -> u16 {
    let seconds = usize::from(FASTEST_HEARTBEAT) * agents / FAST_AGENTS;
    u16::try_from(seconds).unwrap_or(SLOWEST_HEARTBEAT).clamp(FASTEST_HEARTBEAT, SLOWEST_HEARTBEAT)
}
