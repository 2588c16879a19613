//! What is particular to NuGet packages: entries that belong to the packaging, and names in percent-encoding.

/// Whether an entry is the description that makes a zip archive a NuGet package.
pub(super) fn is_specification(name: &[u8]) -> bool {
    !name.contains(&b'/') && name.to_ascii_lowercase().ends_with(b".nuspec")
}

/// Whether an entry belongs to the packaging and is not deployed: content types, relationships, metadata and the
/// signature. The `.nuspec` is, because it says what the package is.
pub(super) fn is_packaging(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    name == b"[content_types].xml"
        || name == b".signature.p7s"
        || name.starts_with(b"_rels/")
        || name.starts_with(b"package/services/metadata/")
}

/// The name as it was before it was packed: the format allows only the characters of a URI, so its writers encode
/// spaces, brackets and the like. What is no complete escape stays as it is.
pub(super) fn unescape(name: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((first, tail)) = rest.split_first() {
        let byte = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        plain.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    plain
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_once_and_only_if_complete() {
        let cases: &[(&str, &str)] = &[
            ("a%20b", "a b"),
            ("%5Btext%5d.txt", "[text].txt"),
            ("100%", "100%"),
            ("50%zz", "50%zz"),
            ("%2", "%2"),
            ("%2541", "%41"),
            ("%2e%2E/etc", "../etc"),
        ];
        for (escaped, plain) in cases {
            assert_eq!(unescape(escaped.as_bytes()), plain.as_bytes(), "{escaped}");
        }
    }

    #[test]
    fn only_a_description_at_the_root_makes_a_nuget_package() {
        assert!(is_specification(b"Web.NuSpec"));
        assert!(!is_specification(b"docs/Web.nuspec"));
        assert!(!is_specification(b"nuspec"));
    }
}
