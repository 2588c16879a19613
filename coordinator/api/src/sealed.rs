//! A sensitive value as it is kept: sealed at the edge, opaque to every decision (SEMANTICS 11).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use windlass_protocol::Digest;
use windlass_protocol::ids::{KeyId, ValueId};

/// A sealed value. It is bound to its key and to its own id: moved elsewhere it does not open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The data key: of a tenant, or of the space.
    pub key: KeyId,
    /// What the ciphertext is bound to.
    pub value: ValueId,
    /// Nonce and ciphertext, base64.
    pub ciphertext: String,
    /// A digest of the value under a key of its own, so that equal values can be told without being seen.
    pub digest: Digest,
    /// The variables that the value refers to by `#{…}`, read before it was sealed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub references: BTreeSet<String>,
}
