//! Requests that were answered: asked again with the same key they get the same answer, and nothing is done.

use imbl::{OrdMap, Vector};
use serde::{Deserialize, Serialize};
use windlass_api::error::Problem;
use windlass_api::json;
use windlass_protocol::Timestamp;
use windlass_protocol::ids::TokenId;

use crate::decide::Reply;
use crate::event::{Answered, Request};

/// Seconds for which an answer is remembered: whoever repeats a request does so within a day.
const KEPT_SECONDS: u64 = 24 * 3600;

/// Answers that are remembered at most, and their bytes as JSON; the oldest go.
const MOST: usize = 10_000;
const MOST_BYTES: usize = 64 << 20;

/// The requests that were answered lately.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vector<(Timestamp, Answered)>", into = "Vector<(Timestamp, Answered)>")]
pub struct Requests {
    answers: OrdMap<(TokenId, String), (Timestamp, Answered)>,
    /// The keys by age, the oldest first.
    order: Vector<(TokenId, String)>,
    bytes: usize,
}

impl From<Vector<(Timestamp, Answered)>> for Requests {
    fn from(stored: Vector<(Timestamp, Answered)>) -> Self {
        let mut requests = Self::default();
        stored.into_iter().for_each(|(time, answered)| requests.push(time, answered));
        requests
    }
}

impl From<Requests> for Vector<(Timestamp, Answered)> {
    fn from(requests: Requests) -> Self {
        requests.order.iter().filter_map(|key| requests.answers.get(key)).cloned().collect()
    }
}

/// What is too old is let go of when the next answer comes, and counts for nothing until then.
fn is_too_old(then: Timestamp, now: Timestamp) -> bool {
    then.plus_seconds(KEPT_SECONDS) < now
}

impl Requests {
    /// The answer to a request that was answered within the last day; an error where its key was used for another one.
    pub fn answer(&self, request: &Request, now: Timestamp) -> Result<Option<Reply>, Problem> {
        let known = self.answers.get(&(request.token, request.key.clone()));
        let Some((_, known)) = known.filter(|(then, _)| !is_too_old(*then, now)) else {
            return Ok(None);
        };
        if known.request.digest == request.digest {
            return Ok(Some(known.reply.clone()));
        }
        Err(Problem::conflict(format!(
            "the Idempotency-Key `{}` was used for another request; a key belongs to one request and its repetitions",
            request.key
        )))
    }

    /// Remembers an answer, and lets go of those that are too old.
    pub(crate) fn remember(&mut self, time: Timestamp, answered: &Answered) {
        while let Some(oldest) = self.order.front() {
            let too_old = self.answers.get(oldest).is_none_or(|(then, _)| is_too_old(*then, time));
            if !too_old && self.order.len() < MOST && self.bytes <= MOST_BYTES {
                break;
            }
            if let Some((_, gone)) = self.answers.remove(oldest) {
                self.bytes -= json::bytes(&gone);
            }
            self.order.pop_front();
        }
        self.push(time, answered.clone());
    }

    fn push(&mut self, time: Timestamp, answered: Answered) {
        let key = (answered.request.token, answered.request.key.clone());
        self.order.push_back(key.clone());
        self.bytes += json::bytes(&answered);
        if let Some((_, before)) = self.answers.insert(key, (time, answered)) {
            self.bytes -= json::bytes(&before);
        }
    }
}
