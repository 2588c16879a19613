//! Planning: what a request to deploy would do, and why everything else is left out (SEMANTICS 8, "Plan first").
//!
//! The deployment starts with the very functions that the plan is printed from: they decide and explain at once.

mod check;
mod given;
mod identity;
mod layout;
mod print;
mod request;
mod room;
mod tenants;
mod waits;
mod words;

pub use check::Checks;
pub use identity::{digest_in_sight, expected, refuse_another};
pub(crate) use layout::step_rule;
pub use layout::{LaidStep, Layout, lay_out};
pub use print::{MASK, Presence, plan, plan_in_sight};
pub use request::{Pair, Printed, Resolved, resolve};
pub use tenants::{Admitted, TenantRefusal, Wanted, admitted, judge, refusal_sentence};
pub(crate) use waits::{Away, called};
pub use waits::{wait_reason, wait_sentence};
pub use words::{source, target_reason};
