//! How the programs trust each other: the coordinator by its CA's fingerprint, assignments by their signature, sealed
//! values by the key that they were sealed to.
//!
//! What lives here is what several programs must do exactly alike. Issuing certificates is the coordinator's alone.

mod dates;
mod pinned;
mod sealing;
mod signing;

pub use dates::ClockDisagrees;
pub use pinned::{PinnedAuthority, install_provider};
pub use sealing::{SealError, Sealed, SealingKey, seal};
pub use signing::{AssignmentSigner, BadSignature, verify_assignment};
