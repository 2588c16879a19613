//! Enrolment: one message, one answer, then the connection is over.

use std::time::Duration;

use quinn::{Connection, SendStream, VarInt};
use tokio::time::timeout;
use windlass_coordinator_core::decide::{
    Command, EnrolmentUse, Envelope, Refused, Repeated, Reply, SpaceCommand,
};
use windlass_coordinator_core::event::{Actor, StrangerReason};
use windlass_coordinator_core::model::TargetKey;
use windlass_protocol::Digest;
use windlass_protocol::gathering::FrameError;
use windlass_protocol::ids::{SpaceId, TargetId};
use windlass_protocol::message::{Enrol, EnrolAnswer, EnrolRefusal, Enrolled};

use super::connection_slot::ConnectionSlot;
use super::frames::{self, Frames};
use super::{Sessions, origin};
use crate::authority::requested_key;
use crate::engine::{Engine, now};

/// A stranger gets this long for its one message.
const PATIENCE: Duration = Duration::from_secs(5);
/// And this long to close when it is answered: the connection must not be closed under the answer.
const PARTING: Duration = Duration::from_secs(2);

/// Who enrols is a stranger until the token is known to be good, and then the machine that it becomes.
pub(super) async fn serve(sessions: &Sessions, connection: &Connection, mut slot: ConnectionSlot) {
    let address = connection.remote_address();
    let refused = |reason| sessions.counters.strangers.refused(Refused::Stranger(reason), Some(address.ip()));
    let Ok(asked) = timeout(PATIENCE, ask(connection)).await else {
        return connection.close(VarInt::from_u32(1), b"too slow");
    };
    let (mut answers, _questions, message) = match asked {
        Ok(asked) => asked,
        Err(Some(FrameError::Malformed(_))) => return refused(StrangerReason::MalformedEnrolment),
        Err(_) => return,
    };
    let answer = match enrol(sessions, message, &origin(address)).await {
        Ok(enrolled) => {
            // Who asks again and again for the same has no more connections than its machine may have.
            let (registry, from) = (&sessions.services.registry, address.ip().into());
            let may_stay = registry.came(enrolled.target, from);
            let Some(counted) = may_stay.then(|| registry.hold_connection(enrolled.target, from)).flatten()
            else {
                return connection.close(VarInt::from_u32(1), b"too many connections of one machine");
            };
            slot.admitted(counted);
            EnrolAnswer::Enrolled(Box::new(enrolled))
        }
        Err(refusal) => {
            match refusal {
                EnrolRefusal::Unknown => refused(StrangerReason::UnknownEnrolment),
                EnrolRefusal::BadRequest => refused(StrangerReason::MalformedEnrolment),
                // Who has the token's secret is no stranger; these stand in the record by themselves.
                _ => {}
            }
            EnrolAnswer::Refused(refusal)
        }
    };
    let answering = async {
        frames::write(&mut answers, &answer).await.ok()?;
        answers.finish().ok()?;
        connection.closed().await;
        Some(())
    };
    if timeout(PARTING, answering).await.is_err() {
        connection.close(VarInt::from_u32(1), b"too slow");
    }
}

/// What a stranger asks; the error is its message's, where it sent one.
async fn ask(connection: &Connection) -> Result<(SendStream, Frames, Enrol), Option<FrameError>> {
    let (answers, questions) = connection.accept_bi().await.map_err(|_| None)?;
    let mut questions = Frames::new(questions);
    let message = questions.next::<Enrol>().await.map_err(Some)?;
    Ok((answers, questions, message))
}

/// The space whose token this is.
fn space_of(sessions: &Sessions, message: &Enrol) -> Option<SpaceId> {
    let state = sessions.engine.state();
    let mut spaces = state.spaces.values();
    spaces.find(|space| space.enrolments.contains_key(&message.enrolment)).map(|space| space.head.id)
}

pub(super) async fn enrol(sessions: &Sessions, message: Enrol, from: &str) -> Result<Enrolled, EnrolRefusal> {
    let space = space_of(sessions, &message).ok_or(EnrolRefusal::Unknown)?;
    let public_key = requested_key(&message.request).map_err(|_| EnrolRefusal::BadRequest)?;
    // Certified for nobody yet: only to know that the request can be.
    let nobody = TargetId::from_bytes([0; 16]);
    let expires = sessions.services.authority.expiry(now());
    let certified = sessions.services.authority.certify(nobody, &message.request, expires);
    certified.map_err(|_| EnrolRefusal::BadRequest)?;
    let key = TargetKey {
        public_key,
        sealing_key: Digest::from_bytes(message.sealing_key).to_hex(),
        certificate_expires: expires,
    };
    let machine = EnrolmentUse {
        enrolment: message.enrolment,
        secret: Digest::of(message.secret),
        key,
        name: message.name,
        advertised: message.advertised,
        isolation: message.isolation,
    };
    let envelope: Envelope = Engine::envelope(Actor::Enrolment(message.enrolment), Some(from.to_owned()));
    let command = Command::Space(space, SpaceCommand::Enrol(Box::new(machine)));
    match sessions.engine.submit(envelope, command).await {
        Ok(Reply::Enrolled(target)) => answer(sessions, space, target, &message.request),
        Ok(Reply::EnrolmentRefused(refusal)) => Err(refusal),
        Ok(Reply::EnrolmentRefusedAgain(refusal)) => {
            let (enrolment, rule, origin) = (message.enrolment, refusal, from.to_owned());
            let again = Repeated::EnrolmentRefused { enrolment, rule, origin };
            sessions.counters.again(again, 0);
            Err(refusal)
        }
        Ok(_) | Err(_) => Err(EnrolRefusal::Busy),
    }
}

fn answer(
    sessions: &Sessions,
    space: SpaceId,
    target: TargetId,
    request: &[u8],
) -> Result<Enrolled, EnrolRefusal> {
    let state = sessions.engine.state();
    let known =
        state.space(space).and_then(|space| space.targets.get(target)).ok_or(EnrolRefusal::Unknown)?;
    // As long as the journal says, also where the same is asked again: for a longer one, an agent renews.
    let expires = known.key.certificate_expires;
    let certificate = sessions
        .services
        .authority
        .certify(target, request, expires)
        .map_err(|_| EnrolRefusal::BadRequest)?;
    Ok(Enrolled {
        target,
        name: known.name.to_string(),
        certificate: certificate.to_vec(),
        authority: sessions.services.authority.certificate().to_vec(),
        assignment_key: sessions.signer.public(),
        sealing_key: sessions.sealing_key.public(),
        now: now(),
    })
}
