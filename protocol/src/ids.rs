//! Typed ids: random 128 bits, never reused, printed like `tenant-01J4…` (SEMANTICS 1).
//!
//! An id of one kind is no id of another: the type says so in code, the prefix in text. On the wire an id is its 16
//! bytes alone.

use std::fmt;
use std::str::FromStr;

/// Why a text is not an id of the kind that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id of this kind is `{prefix}-` and 26 characters")]
pub struct NotAnId {
    /// The prefix that ids of this kind have.
    pub prefix: &'static str,
}

/// Crockford's base 32, as ULIDs use it: no I, L, O or U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 26;

fn encode(value: u128) -> [u8; LENGTH] {
    let mut text = [0; LENGTH];
    let mut rest = value;
    for place in text.iter_mut().rev() {
        *place = ALPHABET[(rest & 31) as usize];
        rest >>= 5;
    }
    text
}

fn decode(text: &[u8]) -> Option<u128> {
    // 26 characters hold 130 bits: the first may use three of its five.
    if text.len() != LENGTH || text[0] > b'7' {
        return None;
    }
    text.iter().try_fold(0u128, |value, character| {
        let digit = ALPHABET.iter().position(|known| known == character)?;
        Some(value << 5 | digit as u128)
    })
}

/// Lets serde write a type that displays and parses: as text where people read it, as its bytes where they do not.
macro_rules! text_or_bytes {
    ($name:ident($bytes:ty)) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                } else {
                    <$bytes>::deserialize(deserializer).map(Self)
                }
            }
        }
    };
}
pub(crate) use text_or_bytes;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// What the text of such an id starts with, before the dash.
            pub const PREFIX: &'static str = $prefix;

            /// The id of these 16 bytes, which the caller has from a random source or from a digest.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text = encode(u128::from_be_bytes(self.0));
                let text = std::str::from_utf8(&text).map_err(|_| fmt::Error)?;
                write!(formatter, concat!($prefix, "-{}"), text)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, formatter)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                text.strip_prefix(concat!($prefix, "-"))
                    .and_then(|rest| decode(rest.as_bytes()))
                    .map(|value| Self(value.to_be_bytes()))
                    .ok_or(NotAnId { prefix: $prefix })
            }
        }

        text_or_bytes!($name([u8; 16]));
    )*};
}

ids! {
    /// A space: the hard wall that no reference crosses.
    SpaceId = "space";
    EnvironmentId = "environment";
    TagSetId = "tagset";
    /// A tag of a tag set.
    TagId = "tag";
    LifecycleId = "lifecycle";
    /// A library set of variables and templates.
    LibrarySetId = "libraryset";
    ProjectId = "project";
    /// A step of a project's process.
    StepId = "step";
    /// A variable template of a project or library set.
    TemplateId = "template";
    /// One scoped value of a variable.
    ValueId = "value";
    /// A tenant: one customer.
    TenantId = "tenant";
    /// A target: one machine with an agent.
    TargetId = "target";
    EnrolmentId = "enrolment";
    /// A token of the HTTP API.
    TokenId = "token";
    /// A data key, which seals the sensitive values of one tenant or space.
    KeyId = "key";
    ReleaseId = "release";
    /// A deployment of one release to one environment, for one tenant or none.
    DeploymentId = "deployment";
    /// What one target has to do for one stage of one deployment.
    AssignmentId = "assignment";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_and_parse_as_themselves() {
        for bytes in [[0; 16], [255; 16], *b"0123456789abcdef"] {
            let id = TenantId::from_bytes(bytes);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        assert_eq!(TenantId::from_bytes([255; 16]).to_string(), "tenant-7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    }

    #[test]
    fn an_id_of_another_kind_or_a_longer_one_is_refused() {
        let project = ProjectId::from_bytes([7; 16]).to_string();
        assert_eq!(project.parse::<TenantId>(), Err(NotAnId { prefix: "tenant" }));
        for text in ["tenant-", "tenant-8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "tenant-7ZZZZZZZZZZZZZZZZZZZZZZZZZZ"] {
            assert!(text.parse::<TenantId>().is_err(), "{text}");
        }
    }
}
