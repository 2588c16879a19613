//! The coordinator's own certificate authority: its key, the agents' and the coordinators' certificates.
//!
//! Agents and coordinators have separate key usages and names, and each side checks the other's (THREATS C4).

mod agents;
mod ca;
mod client_verifier;

pub use agents::{BadRequest, peer_of, requested_key};
pub use ca::{AGENT_SECONDS, Authority, AuthorityError, ServerIdentity};
pub use client_verifier::{AgentVerifier, JournalTime};
