//! Versions: SemVer 2 with NuGet's leniency, 1 to 4 numeric parts (SEMANTICS 5).

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use semver::Prerelease;
use serde::{Deserialize, Serialize};

/// A version. Missing parts are zeros, and build metadata neither orders nor distinguishes: `1.0` is `1.0.0+abc`.
/// It is printed as it was written.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    text: String,
    parts: [u64; 4],
    pre_release: Prerelease,
}

/// Why a text is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no version; a version is like 1.4.0, 2.0.0-beta.1 or 1.2.3.4")]
pub struct NotAVersion(String);

/// Longer texts would only be nuisance in tables and paths.
const LONGEST: usize = 100;

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let bad = || NotAVersion(text.chars().take(LONGEST).collect());
        if text.len() > LONGEST {
            return Err(bad());
        }
        let (rest, build) = text.split_once('+').map_or((text, None), |(rest, build)| (rest, Some(build)));
        let (numbers, pre_release) = rest.split_once('-').map_or((rest, None), |(n, pre)| (n, Some(pre)));
        let mut parts = [0; 4];
        for (index, part) in numbers.split('.').enumerate() {
            let place = parts.get_mut(index).ok_or_else(bad)?;
            if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(bad());
            }
            *place = part.parse().map_err(|_| bad())?;
        }
        // The crate accepts an empty text for each of the two, which a dash or plus sign at the end would be.
        if pre_release == Some("") || build == Some("") {
            return Err(bad());
        }
        let pre_release = Prerelease::new(pre_release.unwrap_or_default()).map_err(|_| bad())?;
        semver::BuildMetadata::new(build.unwrap_or_default()).map_err(|_| bad())?;
        Ok(Self { text: text.to_owned(), parts, pre_release })
    }
}

impl Version {
    /// The version of a first release: 0.1.0.
    pub fn first() -> Self {
        "0.1.0".parse().expect("a literal version is one")
    }

    /// The next version: the third part one higher, without pre-release and build.
    #[must_use]
    pub fn next(&self) -> Self {
        let [major, minor, patch, _] = self.parts;
        let text = format!("{major}.{minor}.{}", patch.saturating_add(1));
        text.parse().expect("three numbers are a version")
    }
}

impl TryFrom<String> for Version {
    type Error = NotAVersion;

    fn try_from(text: String) -> Result<Self, NotAVersion> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.text
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts.cmp(&other.parts).then_with(|| self.pre_release.cmp(&other.pre_release))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().expect(text)
    }

    #[test]
    fn versions_order_as_semver_says() {
        let ordered =
            ["1-alpha", "1.0.0-alpha.1", "1.0.0-beta.2", "1.0.0-beta.11", "1", "1.0.0.1", "1.0.1", "2", "10"];
        for pair in ordered.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
        assert_eq!(version("1.0"), version("1.0.0.0+build.5"));
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in
            ["", "1.", ".1", "a", "v1", "1.2.3.4.5", "1-", "1+", "1.0-ä", "1.0-01", "1 .0", "-1", "1/2"]
        {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}
