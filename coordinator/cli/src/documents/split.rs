//! A file's text, cut into its documents at the markers that YAML has for it.
//!
//! A line that begins with `---` or `...` is a marker wherever it stands: YAML allows such a line inside no text.

/// One document of a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// The number of its first line, from 1.
    pub first_line: usize,
    /// Its text, without the marker.
    pub text: &'a str,
}

/// The documents of a text; those with nothing in them but comments are left out.
pub fn documents(text: &str) -> Vec<Part<'_>> {
    // An editor's mark of the encoding is no part of the first document.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parts = Vec::new();
    let (mut start, mut first_line, mut offset) = (0, 1, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if let Some(marker) = marker(line) {
            parts.push(Part { first_line, text: &text[start..offset] });
            start = offset + marker;
            first_line = index + 1;
        }
        offset += line.len();
    }
    parts.push(Part { first_line, text: &text[start..] });
    parts.retain(|part| part.text.lines().any(is_content));
    parts
}

/// The length of the marker that a line begins with.
fn marker(line: &str) -> Option<usize> {
    let rest = line.strip_prefix("---").or_else(|| line.strip_prefix("..."))?;
    (rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n'])).then_some(3)
}

/// Comments and directives (`%YAML 1.2`) are none.
fn is_content(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#') && !line.starts_with('%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_document_knows_its_first_line() {
        let text = "# head\n---\na: 1\n---\n# nothing\n--- # marked\nb: |\n  ----\n  --- x\n---- : c\n...\n";
        let parts: Vec<_> = documents(text).into_iter().map(|part| (part.first_line, part.text)).collect();
        assert_eq!(parts, [(2, "\na: 1\n"), (6, " # marked\nb: |\n  ----\n  --- x\n---- : c\n")]);
    }

    #[test]
    fn a_text_without_markers_is_one_document_and_an_empty_one_is_none() {
        assert_eq!(documents("\u{feff}a: 1"), [Part { first_line: 1, text: "a: 1" }]);
        assert_eq!(documents(" \n# only\n"), []);
    }
}
