//! What takes long to work out: beside the threads that serve everybody, in fair turns, and only while somebody waits.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use windlass_protocol::ids::SpaceId;
use windlass_protocol::message::Denied;

use super::super::Sessions;
use super::answering::Asker;

/// Works out what takes a while in a thread of its own, and only so much at once: who asks for a lot keeps neither the
/// others' heartbeats waiting nor the memory of many answers in the making. What has many parts looks before each of
/// them whether who asked has `gone`.
pub(super) async fn work_out<T: Send + 'static>(
    asker: &Asker,
    space: SpaceId,
    work: impl FnOnce(&Sessions, &CancellationToken) -> T + Send + 'static,
) -> Result<T, Denied> {
    let turn = asker.sessions.work.take(space, asker.peer.target).await;
    let sessions = Arc::clone(&asker.sessions);
    let gone = CancellationToken::new();
    let _ends_with_the_asker = gone.clone().drop_guard();
    let working = move || {
        // Whoever stops waiting leaves it to this to be over.
        let _turn = turn;
        // It may have waited for a thread.
        (!gone.is_cancelled()).then(|| work(&sessions, &gone))
    };
    tokio::task::spawn_blocking(working).await.ok().flatten().ok_or(Denied::Busy)
}
