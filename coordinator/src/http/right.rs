//! The right to an answer that is on its way, as whoever sends it asks for it.

use tokio::sync::futures::Notified;

use super::refusal::Refusal;

/// A right that may go at any moment.
pub(super) trait Right: Send + Sync {
    /// An error where no more of the answer may be given. Where nothing has changed it costs next to nothing to know.
    fn expect(&self) -> Result<(), Refusal>;

    /// Ends with the next change that the right could rest on, counted from this call.
    fn changed(&self) -> Notified<'_>;
}
