//! The hidden subcommand: the small process that a step runs under, and that outlives the agent.

use std::path::Path;

use windlass_protocol::limits;
use windlass_protocol::message::OUTPUT_PURPOSE;
use windlass_supervisor::limits as supervised;

// What a step may print and set fits what may be reported: the supervisor, which knows no protocol, has the same limits.
const _: () = {
    assert!(supervised::VARIABLES == limits::OUTPUT_VARIABLES);
    assert!(supervised::VARIABLE_VALUE_BYTES == limits::VARIABLE_BYTES);
    assert!(supervised::VARIABLE_NAME_CHARACTERS == limits::NAME_CHARACTERS);
    assert!(supervised::LINE_BYTES <= limits::OUTPUT_LINE_BYTES);
    assert!(supervised::SECRET_CHARACTERS == limits::SECRET_CHARACTERS);
};

/// Supervises the step of this folder until it ends.
pub fn supervise(folder: &Path) -> anyhow::Result<()> {
    Ok(windlass_supervisor::supervise(folder, &seal)?)
}

/// Sensitive output is sealed to the coordinator before it touches this machine's disk.
fn seal(public: &[u8; 32], bytes: &[u8]) -> Option<Vec<u8>> {
    let sealed = windlass_trust::seal(public, bytes, OUTPUT_PURPOSE).ok()?;
    Some([sealed.encapsulated, sealed.ciphertext].concat())
}
