//! Filters that make a text fit for a file format.

use std::fmt::Write as _;

pub(super) fn html(text: &str) -> String {
    mapped(text, |character| match character {
        '/' => Some("&#x2F;"),
        other => entity(other),
    })
}

pub(super) fn xml(text: &str) -> String {
    mapped(text, entity)
}

fn entity(character: char) -> Option<&'static str> {
    Some(match character {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&quot;",
        '\'' => "&apos;",
        _ => return None,
    })
}

fn mapped(text: &str, map: impl Fn(char) -> Option<&'static str>) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match map(character) {
            Some(entity) => escaped.push_str(entity),
            None => escaped.push(character),
        }
    }
    escaped
}

/// For between the quotes of a JSON string. Other than Octostache it escapes all control characters, since JSON
/// forbids them.
pub(super) fn json(text: &str) -> String {
    each(text, |escaped, character| match character {
        '"' | '\\' => escaped.extend(['\\', character]),
        '\u{0}'..='\u{1f}' => push_control(escaped, character),
        other => escaped.push(other),
    })
}

/// For between the double quotes of a YAML string, in printable ASCII.
pub(super) fn yaml_double_quote(text: &str) -> String {
    each(text, |escaped, character| match character {
        '"' | '\\' => escaped.extend(['\\', character]),
        ' '..='~' => escaped.push(character),
        // YAML knows no surrogate pairs, which Octostache would write here.
        '\u{10000}'.. => push_hex(escaped, 'U', 8, u32::from(character)),
        other => push_control(escaped, other),
    })
}

/// For between the single quotes of a YAML string, where one line break reads as a space and two as one.
pub(super) fn yaml_single_quote(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let breaks = line_breaks(rest);
        if breaks > 0 {
            escaped.push_str(if character == '\r' { "\r\n" } else { "\n" });
            escaped.push_str(&rest[..breaks]);
            rest = &rest[breaks..];
            continue;
        }
        if character == '\'' {
            escaped.push('\'');
        }
        escaped.push(character);
        rest = &rest[character.len_utf8()..];
    }
    escaped
}

/// How many bytes of line breaks `text` begins with.
fn line_breaks(text: &str) -> usize {
    let mut rest = text;
    while let Some(after) = rest.strip_prefix('\n').or_else(|| rest.strip_prefix("\r\n")) {
        rest = after;
    }
    text.len() - rest.len()
}

pub(super) fn properties_key(text: &str) -> String {
    each(text, |escaped, character| match character {
        ' ' | ':' | '=' => escaped.extend(['\\', character]),
        other => push_properties(escaped, other),
    })
}

pub(super) fn properties_value(text: &str) -> String {
    each(text, |escaped, character| match character {
        ' ' if escaped.is_empty() => escaped.push_str("\\ "),
        other => push_properties(escaped, other),
    })
}

/// Java reads these files as ISO 8859-1, and everything else as escaped UTF-16.
fn push_properties(escaped: &mut String, character: char) {
    match character {
        '\\' => escaped.push_str("\\\\"),
        '\t' | '\n' | '\r' => push_control(escaped, character),
        '\0'..='\u{fe}' => escaped.push(character),
        other => {
            for unit in other.encode_utf16(&mut [0; 2]) {
                push_hex(escaped, 'u', 4, u32::from(*unit));
            }
        }
    }
}

fn push_control(escaped: &mut String, character: char) {
    match character {
        '\n' => escaped.push_str("\\n"),
        '\r' => escaped.push_str("\\r"),
        '\t' => escaped.push_str("\\t"),
        other => push_hex(escaped, 'u', 4, u32::from(other)),
    }
}

fn push_hex(escaped: &mut String, letter: char, digits: usize, number: u32) {
    write!(escaped, "\\{letter}{number:0digits$x}").expect("a String takes everything");
}

/// For a whole address: what has a meaning in it stays.
pub(super) fn uri(text: &str) -> String {
    percent(text, b"-_.~;/?:@&=+$,#[]!*'()")
}

/// For a part of an address: nothing keeps a meaning.
pub(super) fn uri_data(text: &str) -> String {
    percent(text, b"-_.~")
}

fn percent(text: &str, kept: &[u8]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "%{byte:02X}").expect("a String takes everything");
        }
    }
    escaped
}

fn each(text: &str, push: impl Fn(&mut String, char)) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        push(&mut escaped, character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::tests::filtered;

    #[test]
    fn texts_are_escaped_for_each_format() {
        for (filter, text, expected) in [
            ("HtmlEscape", "A&'b</c>\"", "A&amp;&apos;b&lt;&#x2F;c&gt;&quot;"),
            ("XmlEscape", "A&'b</c>\"", "A&amp;&apos;b&lt;/c&gt;&quot;"),
            ("JsonEscape", "\"\\\r\n\t\u{1}'/ü", r#"\"\\\r\n\t\u0001'/ü"#),
            ("YamlSingleQuoteEscape", "it's \\", "it''s \\"),
            ("YamlSingleQuoteEscape", "a\n\tb\r\nc", "a\n\n\tb\r\n\r\nc"),
            ("YamlSingleQuoteEscape", "a\n\r\n\nb\rc", "a\n\n\r\n\nb\rc"),
            ("YamlDoubleQuoteEscape", "\"'\\\r\n\t", r#"\"'\\\r\n\t"#),
            ("YamlDoubleQuoteEscape", "我❤😀\u{7f}", r"\u6211\u2764\U0001f600\u007f"),
            ("PropertiesKeyEscape", " a:b=c\\\t\r\n", r"\ a\:b\=c\\\t\r\n"),
            ("PropertiesKeyEscape", "÷ü我😀ÿ", r"÷ü\u6211\ud83d\ude00\u00ff"),
            ("PropertiesValueEscape", "  a:b=c ", r"\  a:b=c "),
            ("UriEscape", "A b:c+d/e%ü?x=[1]", "A%20b:c+d/e%25%C3%BC?x=[1]"),
            ("UriDataEscape", "A b:c+d/e'(~)", "A%20b%3Ac%2Bd%2Fe%27%28~%29"),
        ] {
            assert_eq!(filtered(filter, text, &[]).as_deref(), Some(expected), "{filter} {text:?}");
            assert_eq!(filtered(filter, "", &[]).as_deref(), Some(""), "{filter}");
        }
    }
}
