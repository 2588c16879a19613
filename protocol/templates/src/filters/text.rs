//! Filters that cut, pad and encode. Positions count characters.

use data_encoding::BASE64;

use crate::limits;

/// All arguments, between these. Without any argument there is nothing to join.
pub(super) fn joined(before: &str, arguments: &[String], after: &str) -> Option<String> {
    (!arguments.is_empty()).then(|| [before, &arguments.concat(), after].concat())
}

/// The two encodings that Octostache knows. Its `unicode` is UTF-16, low byte first.
enum Encoding {
    Utf8,
    Utf16,
}

impl Encoding {
    fn named(arguments: &[String]) -> Option<Self> {
        match arguments {
            [] => Some(Self::Utf8),
            [name] => match name.to_lowercase().as_str() {
                "utf8" | "utf-8" => Some(Self::Utf8),
                "unicode" => Some(Self::Utf16),
                _ => None,
            },
            _ => None,
        }
    }
}

pub(super) fn to_base64(text: &str, arguments: &[String]) -> Option<String> {
    Some(match Encoding::named(arguments)? {
        Encoding::Utf8 => BASE64.encode(text.as_bytes()),
        Encoding::Utf16 => {
            let bytes: Vec<_> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            BASE64.encode(&bytes)
        }
    })
}

pub(super) fn from_base64(text: &str, arguments: &[String]) -> Option<String> {
    let encoding = Encoding::named(arguments)?;
    let compact: String = text.split_whitespace().collect();
    let bytes = BASE64.decode(compact.as_bytes()).ok()?;
    match encoding {
        Encoding::Utf8 => String::from_utf8(bytes).ok(),
        Encoding::Utf16 => {
            let (pairs, rest) = bytes.as_chunks::<2>();
            let units: Vec<_> = pairs.iter().copied().map(u16::from_le_bytes).collect();
            rest.is_empty().then(|| String::from_utf16(&units).ok())?
        }
    }
}

pub(super) fn trim(text: &str, arguments: &[String]) -> Option<String> {
    let side = arguments.first().map(|side| side.to_lowercase());
    let trimmed = match side.as_deref() {
        None => text.trim(),
        Some("start") => text.trim_start(),
        Some("end") => text.trim_end(),
        Some(_) => return None,
    };
    Some(trimmed.to_owned())
}

/// The first so many characters, and three dots where there are more.
pub(super) fn truncate(text: &str, arguments: &[String]) -> Option<String> {
    let length = arguments.first()?.parse().ok()?;
    Some(match text.char_indices().nth(length) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    })
}

/// `Substring length` or `Substring start length`; all of it has to be there.
pub(super) fn substring(text: &str, arguments: &[String]) -> Option<String> {
    let number = |text: &String| text.parse::<usize>().ok();
    let (start, length) = match arguments {
        [length] => (0, number(length)?),
        [start, length] => (number(start)?, number(length)?),
        _ => return None,
    };
    let cut: String = text.chars().skip(start).take(length).collect();
    let there = text.chars().count().checked_sub(start)? >= length;
    there.then_some(cut)
}

/// `Indent` by four, by a number or a text; another one for the lines after the first as `first/others` or a second
/// argument.
pub(super) fn indent(text: &str, arguments: &[String]) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    let (first, others) = match arguments {
        [] => (" ".repeat(4), " ".repeat(4)),
        [one] => widths(one).unwrap_or_else(|| (one.clone(), one.clone())),
        [first, others] => (first.clone(), others.clone()),
        _ => return None,
    };
    let breaks = text.bytes().filter(|byte| *byte == b'\n').count();
    let added = breaks.checked_mul(others.len())?.checked_add(first.len())?;
    (added <= limits::FILTERED_BYTES).then(|| first + &text.replace('\n', &format!("\n{others}")))
}

/// `8`, `/8` or `4/8` as spaces.
fn widths(argument: &str) -> Option<(String, String)> {
    let spaces = |digits: &str| {
        let width = digits.parse::<usize>().ok().filter(|_| digits.len() <= 3 && !digits.starts_with('+'))?;
        (width <= limits::WIDTH).then(|| " ".repeat(width))
    };
    match argument.split_once('/') {
        None => spaces(argument).map(|both| (both.clone(), both)),
        Some(("", others)) => Some((String::new(), spaces(others)?)),
        Some((first, others)) => Some((spaces(first)?, spaces(others)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::filtered;

    #[test]
    fn texts_are_cut_padded_and_encoded() {
        let deploy = "Octopus Deploy";
        for (filter, text, arguments, expected) in [
            ("ToUpper", "Straße", &[][..], Some("STRASSE")),
            ("ToLower", "ÄB", &[], Some("äb")),
            ("Append", "a", &["b", " ", "c"], Some("ab c")),
            ("Append", "a", &[], None),
            ("Prepend", "a", &["b", " "], Some("b a")),
            ("ToBase64", "Foo Bar", &[], Some("Rm9vIEJhcg==")),
            ("ToBase64", "ü", &["UTF-8"], Some("w7w=")),
            ("ToBase64", "ü", &["unicode"], Some("/AA=")),
            ("ToBase64", "ü", &["latin"], None),
            ("FromBase64", "Rm9v\nIEJhcg==", &[], Some("Foo Bar")),
            ("FromBase64", "/AA=", &["Unicode"], Some("ü")),
            ("FromBase64", "/A==", &["unicode"], None),
            ("FromBase64", "/AA=", &[], None),
            ("FromBase64", "?", &[], None),
            ("Trim", " a b ", &[], Some("a b")),
            ("Trim", " a b ", &["Start"], Some("a b ")),
            ("Trim", " a b ", &["End"], Some(" a b")),
            ("Trim", " a b ", &["Both"], None),
            ("Truncate", deploy, &["7"], Some("Octopus...")),
            ("Truncate", deploy, &["14"], Some(deploy)),
            ("Truncate", "äöü", &["2"], Some("äö...")),
            ("Truncate", deploy, &["-1"], None),
            ("Truncate", deploy, &["a"], None),
            ("Truncate", deploy, &[], None),
            ("Substring", deploy, &["7"], Some("Octopus")),
            ("Substring", deploy, &["8", "6"], Some("Deploy")),
            ("Substring", deploy, &["14", "0"], Some("")),
            ("Substring", deploy, &["15", "0"], None),
            ("Substring", deploy, &["8", "7"], None),
            ("Substring", deploy, &["20"], None),
            ("Substring", deploy, &["0", "-1"], None),
            ("Substring", deploy, &["1", "2", "3"], None),
            ("Substring", deploy, &[], None),
            ("Indent", "a\nb", &[], Some("    a\n    b")),
            ("Indent", "a\nb", &["2"], Some("  a\n  b")),
            ("Indent", "a\nb", &["/3"], Some("a\n   b")),
            ("Indent", "a\nb", &["3/2"], Some("   a\n  b")),
            ("Indent", "a\nb", &["//"], Some("//a\n//b")),
            ("Indent", "a\nb", &["256"], Some("256a\n256b")),
            ("Indent", "a\nb", &["/* ", " * "], Some("/* a\n * b")),
            ("Indent", "", &["x"], Some("")),
            ("Indent", "a", &["1", "2", "3"], None),
        ] {
            assert_eq!(
                filtered(filter, text, arguments).as_deref(),
                expected,
                "{filter} {text:?} {arguments:?}"
            );
        }
    }
}
