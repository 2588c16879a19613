//! The right to an answer that is on its way, as whoever sends it asks for it.

use tokio::sync::futures::Notified;

use super::refusal::Refusal;

/// A right that may go at any moment.
pub(super) trait Right: Send + Sync {
    /// Whether who asked may still have such an answer, which costs next to nothing to know.
    fn stands(&self) -> bool;

    /// An error where no more of the answer may be given.
    fn expect(&self) -> Result<(), Refusal>;

    /// Ends with the next change that the right could rest on, counted from this call.
    fn changed(&self) -> Notified<'_>;
}
