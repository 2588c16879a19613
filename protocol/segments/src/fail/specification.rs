//! The text that says which point kills the process: `name` or `name:count`.

use std::str::FromStr;

/// At which point to die, and at which time of reaching it, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Specification {
    pub(super) name: String,
    pub(super) count: u64,
}

/// Why a text names no point.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a fail point is written `name` or `name:count`, with a name of letters, digits and hyphens and a count from 1"
)]
pub(super) struct BadSpecification;

impl FromStr for Specification {
    type Err = BadSpecification;

    fn from_str(text: &str) -> Result<Self, BadSpecification> {
        let (name, count) = match text.split_once(':') {
            Some((name, count)) => (name, count.parse().map_err(|_| BadSpecification)?),
            None => (text, 1),
        };
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if name.is_empty() || !plain || count == 0 {
            return Err(BadSpecification);
        }
        Ok(Self { name: name.to_owned(), count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_a_name_with_or_without_a_count() {
        for (text, name, count) in [
            ("journal-before-sync", "journal-before-sync", 1),
            ("journal-before-sync:1", "journal-before-sync", 1),
            ("output-after-write:30", "output-after-write", 30),
        ] {
            assert_eq!(text.parse(), Ok(Specification { name: name.to_owned(), count }), "{text}");
        }
    }

    #[test]
    fn what_could_never_fire_is_refused() {
        for text in ["", ":", ":3", "name:", "name:0", "name:-1", "name:x", "name:1:2", "two words", "name "]
        {
            assert_eq!(text.parse::<Specification>(), Err(BadSpecification), "{text}");
        }
    }
}
