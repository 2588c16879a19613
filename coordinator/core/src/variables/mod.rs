//! Variables: which value a name has, and which names a step needs (SEMANTICS 6).

mod code;
mod delivered;
mod dependencies;
mod known;
mod leads;
mod malformed;
mod needs;
mod outputs;
mod rank;
mod reach;
mod resolve;
mod secrets;
mod system;

pub use code::{Data, Inserted, data_as_code, shell};
pub use delivered::{Delivered, NotDelivered, delivered};
pub use dependencies::{Dependence, Dependencies};
pub use known::{KnownNames, Told};
pub use malformed::{malformed, malformed_in};
pub use needs::{Needs, missing, names_with_prefix, references_in};
pub use outputs::outputs;
pub use rank::Rank;
pub use resolve::{Candidate, Context, Resolution, Source, candidates, resolve};
pub use secrets::{Secret, Secrets, TooMuch, Undefined};
pub use system::{SystemNames, is_systems, is_tenants_name, shadows, system_variables};
