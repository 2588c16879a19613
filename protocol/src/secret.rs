//! Values that must not be seen: not in logs, errors, debug output or by serialisation (THREATS F1).

use zeroize::Zeroizing;

/// A secret text. It has no `Debug`, no `Display` and no `Serialize`; whoever needs the text says [`Secret::reveal`],
/// which a reviewer can search for. The memory is overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes `text` into custody.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}
