//! The control stream of a session: hello, welcome, heartbeats, nudges, goodbye; and the request streams beside it.

use std::sync::Arc;
use std::time::Duration;

use quinn::{Connection, SendStream, VarInt};
use tokio::sync::Notify;
use tokio::time::timeout;
use windlass_coordinator_core::authorise::{self, Peer, SessionPermit};
use windlass_coordinator_core::scope;
use windlass_coordinator_core::state::State;
use windlass_protocol::Timestamp;
use windlass_protocol::message::{
    EffectiveScope, FromAgent, FromCoordinator, Generation, Goodbye, Hello, VERSION, Welcome,
};

use super::admission::{admit, record_clone};
use super::frames::Frames;
use super::registry::Progress;
use super::{Sessions, frames, origin, requests};
use crate::engine::now;

/// An agent gets this long to say hello, and to read what it is told.
const PATIENCE: Duration = Duration::from_secs(10);
/// And this long to read a goodbye.
const PARTING: Duration = Duration::from_secs(1);
/// Agents that one coordinator lets beat every [`FASTEST_HEARTBEAT`] seconds; more beat slower in proportion.
const FAST_AGENTS: usize = 1000;
const FASTEST_HEARTBEAT: u16 = 10;
/// QUIC itself gives a silent connection up after 30 seconds, so no heart may beat slower than this.
const SLOWEST_HEARTBEAT: u16 = 20;

/// Serves one session until it ends.
pub(super) async fn serve(sessions: Arc<Sessions>, connection: Connection, peer: Peer) {
    let address = connection.remote_address();
    let goodbye = match timeout(PATIENCE, open(&connection)).await {
        Err(_) | Ok(None) => Err(Goodbye::Protocol),
        Ok(Some((mut send, frames, hello))) => {
            match admit(&sessions, &peer, &hello, &origin(address)).await {
                Err(goodbye) => {
                    part(&mut send, goodbye).await;
                    Err(goodbye)
                }
                Ok(()) => Ok(live(&sessions, &connection, peer, send, frames).await),
            }
        }
    };
    let (Ok(goodbye) | Err(goodbye)) = goodbye;
    tracing::debug!(target = %peer.target, ?goodbye, "session over");
    connection.close(VarInt::from_u32(0), b"goodbye");
}

/// Says something. Who does not read it in time keeps nothing waiting, least of all the end of the session.
async fn say(send: &mut SendStream, message: &FromCoordinator) -> Result<(), Goodbye> {
    match timeout(PATIENCE, frames::write(send, message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Goodbye::Protocol),
    }
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
    let registry = &sessions.registry;
    let (number, older) = registry.enter(peer.target, Arc::clone(&wake), connection.clone(), address);
    if let Some(older) = older {
        // An agent that comes back before its old connection timed out is no clone: it comes from the same place.
        if origin(older.address) != origin(address) && older.connection.close_reason().is_none() {
            record_clone(sessions, &peer, &origin(older.address), &origin(address)).await;
        }
        older.wake.notify_one();
    }
    let began_expired = peer.expires < now();
    let mut session = Session { sessions, peer, number, told: None, began_expired };
    let goodbye = session.run(connection, &wake, &mut send, &mut frames).await;
    registry.leave(peer.target, number);
    part(&mut send, goodbye).await;
    goodbye
}

/// What the agent was told last, so that it is told again only what is new.
#[derive(PartialEq)]
struct Told {
    generation: Generation,
    effective: EffectiveScope,
    /// Whether it was told to renew its certificate.
    renew: bool,
}

struct Session<'a> {
    sessions: &'a Arc<Sessions>,
    peer: Peer,
    /// Its number in the registry.
    number: u64,
    told: Option<Told>,
    /// A session with an expired certificate stands, to renew it and for nothing else.
    began_expired: bool,
}

impl Session<'_> {
    async fn run(
        &mut self,
        connection: &Connection,
        wake: &Notify,
        send: &mut SendStream,
        frames: &mut Frames,
    ) -> Goodbye {
        loop {
            if let Err(goodbye) = self.tell(send).await {
                return goodbye;
            }
            tokio::select! {
                () = wake.notified() => {}
                // An agent may stay for longer than its certificate lasts, with nothing else to be told.
                () = self.certificate_due() => {}
                message = frames.next::<FromAgent>() => match message {
                    Ok(FromAgent::Heartbeat) => {
                        if let Err(goodbye) = self.answer_heartbeat(send).await {
                            return goodbye;
                        }
                    }
                    Ok(FromAgent::Progress { assignment, moved, saved, total }) => {
                        self.progressed(assignment, Progress { moved, saved, total });
                    }
                    Err(_) => return Goodbye::Protocol,
                },
                stream = connection.accept_bi() => match stream {
                    Ok((answers, question)) => {
                        let (sessions, peer) = (Arc::clone(self.sessions), self.peer);
                        tokio::spawn(async move { requests::serve(&sessions, &peer, answers, question).await });
                    }
                    Err(_) => return Goodbye::Protocol,
                },
            }
        }
    }

    /// Tells the agent what is new: its scope, or that its work changed. An error is the goodbye.
    async fn tell(&mut self, send: &mut SendStream) -> Result<(), Goodbye> {
        if !self.sessions.registry.is_newest(self.peer.target, self.number) {
            return Err(Goodbye::Replaced);
        }
        let state = self.sessions.engine.state();
        let permit = self.permit(&state)?;
        let generation = generation_of(&state, &permit);
        let effective = effective_scope(&state, &permit).ok_or(Goodbye::NotAdmitted)?;
        let now = now();
        let renew = self.sessions.authority.is_renewal_due(self.peer.expires, now);
        let same = self.told.as_ref().is_some_and(|told| told.effective == effective && told.renew == renew);
        let message = match &self.told {
            // It was told to renew and did not: it comes back with the expired certificate, which may do just that.
            Some(_) if self.peer.expires < now && !self.began_expired => return Err(Goodbye::Expired),
            Some(told) if same && told.generation == generation => return Ok(()),
            Some(_) if same => FromCoordinator::Nudge { generation },
            _ => {
                let welcome = self.welcome(&state, &permit, generation, effective.clone(), renew, now);
                FromCoordinator::Welcome(Box::new(welcome.ok_or(Goodbye::NotAdmitted)?))
            }
        };
        self.told = Some(Told { generation, effective, renew });
        say(send, &message).await
    }

    /// Ends when the agent's certificate is due for renewal or, where the agent was told that already, has expired.
    /// Should the clock be set meanwhile, the next heartbeat finds out.
    async fn certificate_due(&self) {
        let left = match &self.told {
            Some(told) if told.renew => self.peer.expires.since(now()),
            _ => self.sessions.authority.until_renewal(self.peer.expires, now()),
        };
        if self.began_expired {
            return std::future::pending().await;
        }
        // A little later than the moment itself: what is due then is due.
        tokio::time::sleep(left + Duration::from_millis(1)).await;
    }

    /// The permit of this moment: sessions of disabled and revoked targets end here, at once.
    fn permit(&self, state: &State) -> Result<SessionPermit, Goodbye> {
        authorise::session(state, &self.peer, now()).map_err(|_| Goodbye::NotAdmitted)
    }

    fn welcome(
        &self,
        state: &State,
        permit: &SessionPermit,
        generation: Generation,
        effective: EffectiveScope,
        renew: bool,
        now: Timestamp,
    ) -> Option<Welcome> {
        let space = state.space(permit.space())?;
        Some(Welcome {
            version: VERSION,
            now,
            heartbeat_seconds: heartbeat_seconds(self.sessions.registry.len()),
            target: space.targets.get(permit.target())?.name.to_string(),
            space: space.head.name.to_string(),
            effective,
            generation,
            renew,
        })
    }

    async fn answer_heartbeat(&mut self, send: &mut SendStream) -> Result<(), Goodbye> {
        let state = self.sessions.engine.state();
        let permit = self.permit(&state)?;
        let now = now();
        self.sessions.registry.seen(self.peer.target, now, || self.sessions.engine.state());
        let alive = FromCoordinator::Alive {
            now,
            heartbeat_seconds: heartbeat_seconds(self.sessions.registry.len()),
            generation: generation_of(&state, &permit),
        };
        say(send, &alive).await
    }

    fn progressed(&self, assignment: windlass_protocol::ids::AssignmentId, progress: Progress) {
        let state = || self.sessions.engine.state();
        self.sessions.registry.progressed(self.peer.target, assignment, progress, state);
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

/// A target's effective scope in names, as `windlass-agent status` shows it.
fn effective_scope(state: &State, permit: &SessionPermit) -> Option<EffectiveScope> {
    let space = state.space(permit.space())?;
    let target = space.targets.get(permit.target())?;
    let environments = scope::environments(target).into_iter().filter_map(|id| space.environments.get(id));
    // Names of tenants beyond those that the machine itself named are not its business: it learns them when it
    // is given their work.
    let tenants = match (scope::takes_part(target, true), &target.advertised.tenants) {
        (false, _) => "none".to_owned(),
        (true, None) => "those that its grant admits".to_owned(),
        (true, Some(_)) => "those of its configuration that its grant admits".to_owned(),
    };
    Some(EffectiveScope {
        roles: scope::roles(target).into_iter().collect(),
        environments: environments.map(|environment| environment.name.to_string()).collect(),
        tenants,
        participation: scope::participation(target),
    })
}
