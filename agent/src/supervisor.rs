//! The hidden subcommand: the small process that a step runs under, and that outlives the agent.

use std::path::Path;

use windlass_protocol::message::OUTPUT_PURPOSE;

/// Supervises the step of this folder until it ends.
pub fn supervise(folder: &Path) -> anyhow::Result<()> {
    Ok(windlass_supervisor::supervise(folder, &seal)?)
}

/// Sensitive output is sealed to the coordinator before it touches this machine's disk.
fn seal(public: &[u8; 32], bytes: &[u8]) -> Option<Vec<u8>> {
    let sealed = windlass_trust::seal(public, bytes, OUTPUT_PURPOSE).ok()?;
    Some([sealed.encapsulated, sealed.ciphertext].concat())
}
