//! Request streams: read one request, ask for the permit, let the file of its kind answer, and write what it says.

mod answering;
mod assignments;
mod metered;
mod output;
mod pull;
mod renew;
mod report;
mod room;
mod variables;
mod work;

use std::time::Duration;

use quinn::{RecvStream, SendStream};
use tokio::time::timeout;
use windlass_api::error::{Problem, ProblemKind};
use windlass_coordinator_core::authorise::{self, RequestPermit};
use windlass_protocol::gathering::FrameError;
use windlass_protocol::message::{Answer, Assignment, Denied, Request};

use super::frames::Frames;
use crate::engine::now;
pub(super) use answering::Asker;
use answering::{AnswerStream, Ending, Rests, Right};
pub(super) use room::Room;
use room::Taken;
use work::work_out;

/// A request has to be said in this time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers one request. Whatever is not granted gets the same answer as what does not exist. It may be dropped at any
/// moment, as it is with its session.
pub(super) async fn serve(asker: &Asker, answers: SendStream, question: RecvStream) {
    let (mut answers, mut question) = (AnswerStream::new(answers), Frames::new(question));
    let place = tokio::select! {
        place = asker.places.acquire() => place,
        () = answers.stopped() => return,
    };
    let Ok(_place) = place else { return };
    let asked = timeout(PATIENCE, question.next::<Request>()).await;
    // Whoever does not read its answer does not keep here what else it sent.
    drop(question);
    let request = match asked {
        Ok(Ok(request)) => request,
        Ok(Err(FrameError::Malformed(_))) => return deny(asker, Denied::Malformed, answers).await,
        Ok(Err(FrameError::Ended | FrameError::TooLarge(_))) | Err(_) => return,
    };
    let kind = request.kind();
    // Whoever does not read what it asked for waits here, before anything is looked at for it.
    let room = if is_large(&request) {
        tokio::select! {
            room = asker.room.take() => room,
            () = answers.stopped() => return,
        }
    } else {
        None
    };
    let permit = authorise::request(&asker.sessions.engine.state(), &asker.peer, &request, now());
    let answer = match permit {
        Err(authorise::Denied) => Err(Denied::NotFound),
        Ok(permit) => match (permit, &request) {
            (RequestPermit::Pull(permit), Request::Pull(wanted)) => {
                // The only answer that does not fit one frame is written as it is read.
                match pull::serve(asker, permit, wanted, answers).await {
                    Ok(()) => return,
                    Err((denied, stream)) => {
                        answers = stream;
                        Err(denied)
                    }
                }
            }
            (permit, request) => tokio::select! {
                biased;
                answer = answer(asker, permit, request) => answer,
                // Nobody waits for it: its place in a queue is another's.
                () = answers.stopped() => return,
            },
        },
    };
    match answer {
        Ok(answer) => granted(asker, request, answer, answers, room).await,
        Err(denied) => {
            drop((request, room));
            // What only could not be done now was not denied, and no record says that it was.
            if denied == Denied::NotFound {
                asker.sessions.counters.denied(asker.peer.target, kind, 1);
                // A session that is about to end says nothing of what exists: the agent asks again in its next one, and
                // keeps what it wanted to tell until then.
                if !stands(asker) {
                    return;
                }
            }
            deny(asker, denied, answers).await;
        }
    }
}

/// Whether the answer may be as large as one can be: how large it is turns out when it is made.
const fn is_large(request: &Request) -> bool {
    match request {
        Request::Assignments { .. } | Request::Variables { .. } => true,
        // A pull has its own turns and is never whole in memory.
        Request::Pull(_) | Request::Report(_) | Request::Output { .. } | Request::Renew { .. } => false,
    }
}

/// Writes what was granted, as long as it is.
async fn granted(
    asker: &Asker,
    request: Request,
    answer: Answer,
    answers: AnswerStream,
    room: Option<Taken>,
) {
    let kind = request.kind();
    let rests = match (request, &answer) {
        (_, Answer::Assignments(told)) => {
            Rests::Work(told.new.iter().filter_map(|signed| Assignment::id_in(&signed.body)).collect())
        }
        // What was taken is said, whatever becomes of the right to tell more; the lines or reports are not kept for that.
        (Request::Report(_) | Request::Output { .. }, _) => Rests::Session,
        (request, _) => Rests::Request(request),
    };
    // Work that is no more while it is told of was not asked for without a right.
    let is_asked_again = matches!(rests, Rests::Request(_));
    match (Right { asker, rests }).answer(answers, answer, room).await {
        Err(Ending::Withdrawn) if is_asked_again => asker.withdrawn(kind),
        Err(Ending::Stalled) if asker.takes_line() => {
            tracing::warn!(target = %asker.peer.target, kind, "an answer that nobody reads was ended");
        }
        Ok(()) | Err(_) => {}
    }
}

async fn deny(asker: &Asker, denied: Denied, answers: AnswerStream) {
    // It says nothing that anybody could have a right to; who does not read it misses nothing.
    let _ = Right { asker, rests: Rests::Session }.answer(answers, Answer::Denied(denied), None).await;
}

/// Whether the session itself may go on, and for more than to renew its certificate.
fn stands(asker: &Asker) -> bool {
    let permit = authorise::session(&asker.sessions.engine.state(), &asker.peer, now());
    permit.is_ok_and(|permit| !permit.renews_only())
}

/// What a problem of the engine's means to who asked.
fn denied(why: &Problem) -> Denied {
    match why.kind {
        // It exists, and can never be done as it was asked for.
        ProblemKind::Usage => Denied::Malformed,
        _ if is_decision(why) => Denied::NotFound,
        _ => Denied::Busy,
    }
}

/// Whether a problem of the engine's is that the decision said no, and not that none could be recorded (the disk is full,
/// the clock has jumped, the coordinator is stopping), so that the same may be asked again.
pub(super) const fn is_decision(why: &Problem) -> bool {
    use ProblemKind::{Conflict, NotAuthorised, NotFound, Usage};
    matches!(why.kind, NotFound | Conflict | NotAuthorised | Usage)
}

async fn answer(asker: &Asker, permit: RequestPermit, request: &Request) -> Result<Answer, Denied> {
    let (sessions, peer) = (&*asker.sessions, &asker.peer);
    // Each kind of permit is named, so that a new one does not compile without its answer. One for another kind of request
    // than was asked cannot be got.
    let other = Err(Denied::NotFound);
    match permit {
        RequestPermit::Assignments(permit) => match request {
            Request::Assignments { since, after } => assignments::answer(asker, permit, *since, *after).await,
            _ => other,
        },
        RequestPermit::Variables(permit) => variables::answer(asker, permit).await,
        RequestPermit::Report(permit) => match request {
            Request::Report(reports) => report::answer(asker, &permit, reports).await,
            _ => other,
        },
        RequestPermit::Output(permit) => match request {
            Request::Output { assignment, first, lines } => {
                output::answer(asker, &permit, *assignment, *first, lines).await
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
