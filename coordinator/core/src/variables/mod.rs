//! Variables: which value a name has, and which names a step needs (SEMANTICS 6).

mod needs;
mod rank;
mod resolve;
mod system;

pub use needs::{Needs, bare_data, missing, references, references_in};
pub use rank::Rank;
pub use resolve::{Candidate, Context, Resolution, Source, candidates, resolve};
pub use system::{SystemNames, system_variables};
