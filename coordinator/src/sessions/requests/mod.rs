//! Request streams: read one request, ask for the permit, and let the file of its kind answer.

mod assignments;
mod metered;
mod output;
mod pull;
mod renew;
mod report;
mod variables;

use std::time::Duration;

use quinn::{RecvStream, SendStream};
use tokio::time::timeout;
use windlass_api::error::{Problem, ProblemKind};
use windlass_coordinator_core::authorise::{self, Peer, RequestPermit};
use windlass_protocol::gathering::FrameError;
use windlass_protocol::message::{Answer, Denied, Request};

use super::Sessions;
use super::frames::{self, Frames};
use crate::engine::now;

/// A request has to be said in this time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers one request. Whatever is not granted gets the same answer as what does not exist.
pub(super) async fn serve(sessions: &Sessions, peer: &Peer, mut answers: SendStream, question: RecvStream) {
    let mut question = Frames::new(question);
    let request = match timeout(PATIENCE, question.next::<Request>()).await {
        Ok(Ok(request)) => request,
        Ok(Err(FrameError::Malformed(_))) => {
            let _ = frames::write(&mut answers, &Answer::Denied(Denied::Malformed)).await;
            let _ = answers.finish();
            return;
        }
        Ok(Err(FrameError::Ended | FrameError::TooLarge(_))) | Err(_) => return,
    };
    let permit = authorise::request(&sessions.engine.state(), peer, &request, now());
    let answer = match permit {
        Err(authorise::Denied) => Err(Denied::NotFound),
        Ok(permit) => match (permit, &request) {
            (RequestPermit::Pull(permit), Request::Pull(wanted)) => {
                // The only answer that does not fit one frame writes for itself.
                match pull::serve(sessions, peer, permit, wanted, &mut answers).await {
                    Ok(()) => return,
                    Err(denied) => Err(denied),
                }
            }
            (permit, request) => answer(sessions, peer, permit, request).await,
        },
    };
    // What only could not be done now was not denied, and no record says that it was.
    if let Err(Denied::NotFound) = answer {
        sessions.counters.denied(peer.target, request.kind(), 1);
        // A session that is about to end says nothing of what exists: the agent asks again in its next one, and keeps
        // what it wanted to tell until then.
        if !stands(sessions, peer) {
            return;
        }
    }
    let answer = answer.unwrap_or_else(Answer::Denied);
    if frames::write(&mut answers, &answer).await.is_ok() {
        let _ = answers.finish();
    }
}

/// Whether the session itself may go on, and for more than to renew its certificate.
fn stands(sessions: &Sessions, peer: &Peer) -> bool {
    let permit = authorise::session(&sessions.engine.state(), peer, now());
    permit.is_ok_and(|permit| !permit.renews_only())
}

/// What a problem of the engine's means to who asked.
fn denied(why: &Problem) -> Denied {
    if is_decision(why) { Denied::NotFound } else { Denied::Busy }
}

/// Whether a problem of the engine's is that the decision said no, and not that none could be recorded (the disk is full,
/// the clock has jumped, the coordinator is stopping), so that the same may be asked again.
pub(super) const fn is_decision(why: &Problem) -> bool {
    use ProblemKind::{Conflict, NotAuthorised, NotFound, Usage};
    matches!(why.kind, NotFound | Conflict | NotAuthorised | Usage)
}

async fn answer(
    sessions: &Sessions,
    peer: &Peer,
    permit: RequestPermit,
    request: &Request,
) -> Result<Answer, Denied> {
    // Each kind of permit is named, so that a new one does not compile without its answer. One for another kind of request
    // than was asked cannot be got.
    let other = Err(Denied::NotFound);
    match permit {
        RequestPermit::Assignments(permit) => match request {
            Request::Assignments { since, after } => {
                assignments::answer(sessions, &permit, *since, *after).await
            }
            _ => other,
        },
        RequestPermit::Variables(permit) => variables::answer(sessions, peer, &permit, request).await,
        RequestPermit::Report(permit) => match request {
            Request::Report(reports) => report::answer(sessions, peer, &permit, reports).await,
            _ => other,
        },
        RequestPermit::Output(permit) => match request {
            Request::Output { assignment, first, lines } => {
                output::answer(sessions, &permit, *assignment, *first, lines).await
            }
            _ => other,
        },
        RequestPermit::Renew(permit) => match request {
            Request::Renew { request } => renew::answer(sessions, peer, &permit, request).await,
            _ => other,
        },
        // It writes for itself, where the request is read.
        RequestPermit::Pull(_) => other,
    }
}
