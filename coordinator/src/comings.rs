//! The coordinator's log of targets that come and go: one line each, at info, so many an hour of each target
//! (`registry::Allowance`). Strangers are counted instead (`strangers`), so that nobody who is not a target makes it longer.

use quinn::ConnectionError;
use windlass_coordinator_core::state::State;
use windlass_protocol::ids::TargetId;
use windlass_protocol::message::Goodbye;

/// Characters of a name that a line has room for.
const NAME: usize = 64;

/// What a target is called, cut to what a line has room for.
fn name(state: &State, target: TargetId) -> String {
    let found = state.space_of(target).and_then(|space| space.targets.get(target));
    found.map(|target| target.name.as_str().chars().take(NAME).collect()).unwrap_or_default()
}

/// Its session begins.
pub(crate) fn connected(state: &State, target: TargetId, from: &str) {
    tracing::info!(%target, name = name(state, target), from, "a target is connected");
}

/// Its session is over: its connection `ended` by itself, or it was told `goodbye`.
pub(crate) fn disconnected(
    state: &State,
    target: TargetId,
    ended: Option<&ConnectionError>,
    goodbye: Goodbye,
) {
    let why = ended.map_or_else(|| format!("{goodbye:?}"), |ended| end(ended).to_owned());
    tracing::info!(%target, name = name(state, target), why, "a target is disconnected");
}

/// How a connection ended. What the peer says of it is the peer's word, and no word of the log.
const fn end(of: &ConnectionError) -> &'static str {
    match of {
        ConnectionError::ApplicationClosed(_) | ConnectionError::ConnectionClosed(_) => "it left",
        ConnectionError::TimedOut => "nothing was heard of it any more",
        ConnectionError::Reset => "it began anew",
        ConnectionError::LocallyClosed => "the coordinator closed it",
        ConnectionError::TransportError(_)
        | ConnectionError::VersionMismatch
        | ConnectionError::CidsExhausted => "it broke the protocol",
    }
}

/// It has work and no session for half a minute.
pub(crate) fn lost(state: &State, target: TargetId) {
    tracing::info!(%target, name = name(state, target), "a target with work is lost");
}

/// It was lost and has a session again.
pub(crate) fn back(state: &State, target: TargetId) {
    tracing::info!(%target, name = name(state, target), "a target that was lost is back");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logged::lines_of;

    #[test]
    fn each_coming_and_going_is_one_line_of_the_log() {
        let target = TargetId::from_bytes([1; 16]);
        let lines = lines_of(|| {
            let state = State::default();
            connected(&state, target, "192.0.2.1");
            disconnected(&state, target, None, Goodbye::Replaced);
            disconnected(&state, target, Some(&ConnectionError::TimedOut), Goodbye::Protocol);
            lost(&state, target);
            back(&state, target);
        });
        let said = ["is connected", "Replaced", "nothing was heard", "is lost", "is back"];
        assert_eq!(lines.len(), said.len(), "{lines:?}");
        for (line, said) in lines.iter().zip(said) {
            let its = line.contains("INFO") && line.contains(said) && line.contains(&target.to_string());
            assert!(its, "{said} in {line}");
        }
    }
}
