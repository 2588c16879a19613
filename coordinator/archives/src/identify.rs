//! The package id and version that a file's name states.

use crate::format::{base_name, promised};

/// The id and version in `ID.VERSION.EXT`, as Octopus names packages: `synergy-web.1.4.0.zip` is version `1.4.0` of
/// `synergy-web`. The version begins at the first part from which on the rest is one: 1 to 4 numbers, then perhaps a
/// pre-release after `-` and build metadata after `+`. None if the name has no such form.
pub fn identify(file_name: &str) -> Option<(String, String)> {
    let name = base_name(file_name);
    let stem = match promised(name) {
        Some((stem, _)) => stem,
        // A last part of digits belongs to a version, so the name has no extension.
        None => name.rsplit_once('.').filter(|(_, extension)| !is_number(extension))?.0,
    };
    stem.match_indices('.').find_map(|(at, _)| {
        let (id, version) = (&stem[..at], &stem[at + 1..]);
        (is_id(id) && is_version(version)).then(|| (id.to_owned(), version.to_owned()))
    })
}

fn is_id(text: &str) -> bool {
    text.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| is_word(byte) || byte == b'_'))
}

fn is_version(text: &str) -> bool {
    let (text, build) = match text.split_once('+') {
        Some((text, build)) => (text, Some(build)),
        None => (text, None),
    };
    let (numbers, release) = match text.split_once('-') {
        Some((numbers, release)) => (numbers, Some(release)),
        None => (text, None),
    };
    numbers.split('.').count() <= 4
        && numbers.split('.').all(is_number)
        && release.is_none_or(is_labels)
        && build.is_none_or(is_labels)
}

/// A number of a version, which everyone who compares versions can hold.
fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u64>().is_ok()
}

fn is_labels(text: &str) -> bool {
    text.split('.').all(|label| !label.is_empty() && label.bytes().all(is_word))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_and_version_are_found_in_names_of_octopus_form() {
        let cases: &[(&str, &str, &str)] = &[
            ("synergy-web.1.4.0.zip", "synergy-web", "1.4.0"),
            ("a.b.2.0.0-beta.1+5.tar.gz", "a.b", "2.0.0-beta.1+5"),
            ("Acme.Web.1.2.3.4.NUPKG", "Acme.Web", "1.2.3.4"),
            ("tool.7.tgz", "tool", "7"),
            ("net.8.web.1.0.tar.zst", "net.8.web", "1.0"),
            ("app.1.2.3.4.5.zip", "app.1", "2.3.4.5"),
            ("my_app.1.0.0-rc-2.txz", "my_app", "1.0.0-rc-2"),
            ("server.2.1.jar", "server", "2.1"),
            // A version has a dot before it; that these are read as they are written is Octopus' rule too.
            ("web-1.4.0.zip", "web-1", "4.0"),
            ("web.v1.4.0.zip", "web.v1", "4.0"),
            ("uploads/today/web.1.0.zip", "web", "1.0"),
            ("C:\\build\\web.1.0+exp.sha-5114f85.zip", "web", "1.0+exp.sha-5114f85"),
            ("web.18446744073709551615.0.zip", "web", "18446744073709551615.0"),
        ];
        for (name, id, version) in cases {
            assert_eq!(identify(name), Some(((*id).to_owned(), (*version).to_owned())), "{name}");
        }
    }

    #[test]
    fn other_names_state_nothing() {
        let names = [
            "",
            ".zip",
            "web.zip",
            "web.1.4.0",
            "web.1.4.0-.zip",
            "web.1.4.0+.zip",
            "web.1.4.0-a..b.zip",
            ".1.0.zip",
            "we b.1.0.zip",
            "web..1.0.zip",
            "web.1.0.symbols.nupkg",
            "web.1.0.ü.zip",
            "web.18446744073709551616.zip",
        ];
        for name in names {
            assert_eq!(identify(name), None, "{name}");
        }
    }
}
