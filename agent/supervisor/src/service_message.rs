//! The line on a step's standard output that sets an output variable: pure.
//!
//! `##windlass[setVariable token='TOKEN' name='BASE64' value='BASE64' sensitive='BASE64']`, where the token is the job's.
//! Only the functions that stand before the step's script know it, so that nothing which the step merely prints, such as
//! a tenant's value or a file, sets anything (SEMANTICS 6, "A tenant's value is data, not code").

use data_encoding::BASE64;
use zeroize::Zeroizing;

use crate::limits;

/// A variable that a step sets for later steps of its deployment.
pub struct SetVariable {
    /// Its name: 1 to 200 characters without control characters.
    pub name: String,
    /// Its value, at most 64 KiB.
    pub value: Zeroizing<String>,
    /// Whether nobody may see the value.
    pub sensitive: bool,
}

/// Why a well-formed line sets no variable. Such a line isn't printed either: its value may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The line ends before its end, or is longer than any that could be accepted.
    #[error(
        "the line that sets it is cut off, or longer than a value of {} bytes needs",
        limits::VARIABLE_VALUE_BYTES
    )]
    Incomplete,
    /// Not a name that people could use.
    #[error(
        "its name is not text of 1 to {} characters without control characters",
        limits::VARIABLE_NAME_CHARACTERS
    )]
    Name,
    /// More than a variable may hold.
    #[error("its value is longer than {} bytes", limits::VARIABLE_VALUE_BYTES)]
    TooLong,
    /// Variables are text.
    #[error("its value is not UTF-8")]
    NotText,
}

/// How the lines of one step begin that set variables.
pub struct Opening(Zeroizing<Vec<u8>>);

impl Opening {
    /// Of a job with this token.
    pub fn of(token: &str) -> Self {
        Self(Zeroizing::new(format!("##windlass[setVariable token='{token}' ").into_bytes()))
    }

    /// Whether `line`, or what more bytes would make of it, sets a variable and so has to be seen whole.
    pub fn may_begin(&self, line: &[u8]) -> bool {
        let shared = line.len().min(self.0.len());
        line[..shared] == self.0[..shared]
    }

    /// Whether `line` is certainly meant to set a variable, well or badly.
    pub fn begins(&self, line: &[u8]) -> bool {
        line.starts_with(&self.0)
    }

    /// Reads a complete line. `None` for everything that is not exactly of the form above: it is ordinary output.
    pub fn parse(&self, line: &[u8]) -> Option<Result<SetVariable, Refused>> {
        let attributes = line.strip_prefix(self.0.as_slice())?.strip_suffix(b"]")?;
        let (name, rest) = attribute(attributes, b"name='")?;
        let (value, rest) = attribute(rest.strip_prefix(b" ")?, b"value='")?;
        let (sensitive, rest) = attribute(rest.strip_prefix(b" ")?, b"sensitive='")?;
        let sensitive = match sensitive.to_ascii_lowercase().as_slice() {
            b"true" => true,
            b"false" => false,
            _ => return None,
        };
        rest.is_empty().then(|| accept(&name, &value, sensitive))
    }
}

fn accept(name: &[u8], value: &[u8], sensitive: bool) -> Result<SetVariable, Refused> {
    let name = std::str::from_utf8(name).map_err(|_| Refused::Name)?;
    let length = name.chars().count();
    if length == 0 || length > limits::VARIABLE_NAME_CHARACTERS || name.chars().any(char::is_control) {
        return Err(Refused::Name);
    }
    if value.len() > limits::VARIABLE_VALUE_BYTES {
        return Err(Refused::TooLong);
    }
    let value = std::str::from_utf8(value).map_err(|_| Refused::NotText)?;
    Ok(SetVariable { name: name.to_owned(), value: Zeroizing::new(value.to_owned()), sensitive })
}

/// Takes `opening`, base64 and a quotation mark from the beginning; gives the bytes meant and what follows.
fn attribute<'a>(text: &'a [u8], opening: &[u8]) -> Option<(Zeroizing<Vec<u8>>, &'a [u8])> {
    let text = text.strip_prefix(opening)?;
    let end = text.iter().position(|byte| *byte == b'\'')?;
    Some((Zeroizing::new(BASE64.decode(&text[..end]).ok()?), &text[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &[u8], value: &[u8], sensitive: &[u8]) -> String {
        let [name, value, sensitive] = [name, value, sensitive].map(|bytes| BASE64.encode(bytes));
        format!("##windlass[setVariable token='t0k3n' name='{name}' value='{value}' sensitive='{sensitive}']")
    }

    fn parse(line: &str) -> Option<Result<SetVariable, Refused>> {
        Opening::of("t0k3n").parse(line.as_bytes())
    }

    #[test]
    fn lines_of_the_exact_form_set_a_variable() {
        let cases = [
            (line(b"Url", b"http://a", b"False"), "Url", "http://a", false),
            (line(b"Key", b"hunter2", b"True"), "Key", "hunter2", true),
            (line(b"Key", b"hunter2", b"true"), "Key", "hunter2", true),
            (line("Größe".as_bytes(), b"", b"False"), "Größe", "", false),
            (line(b"Lines", b"a\nb", b"False"), "Lines", "a\nb", false),
        ];
        for (line, name, value, sensitive) in cases {
            assert!(Opening::of("t0k3n").may_begin(line.as_bytes()), "{line}");
            let set = parse(&line).expect("a message").expect("acceptable");
            assert_eq!((set.name.as_str(), set.value.as_str(), set.sensitive), (name, value, sensitive));
        }
    }

    #[test]
    fn whatever_is_malformed_or_does_not_know_the_token_is_ordinary_output() {
        let right = line(b"Url", b"a", b"True");
        assert!(parse(&right).is_some());
        for (part, other) in [
            ("##windlass", " ##windlass"),
            ("##windlass", "##octopus"),
            ("token='t0k3n' ", ""),
            ("t0k3n", ""),
            ("t0k3n", "t0k3"),
            ("t0k3n", "T0K3N"),
            ("t0k3n", "other"),
            ("token=", "Token="),
            (" value='YQ=='", ""),
            (" sensitive='VHJ1ZQ=='", ""),
            ("VHJ1ZQ==", "TWF5YmU="),
            ("YQ==", "!"),
            ("']", "'"),
            ("']", "']x"),
            ("']", "' more='YQ==']"),
            ("value='YQ==' ", "value='YQ=='x "),
            ("name='VXJs' value='YQ=='", "value='YQ==' name='VXJs'"),
            ("setVariable", "createArtifact"),
        ] {
            let line = right.replace(part, other);
            assert!(line != right && parse(&line).is_none(), "{line}");
        }
        assert!(parse("").is_none());
    }

    #[test]
    fn what_goes_beyond_the_limits_is_refused_with_a_reason() {
        let cases: [(&[u8], Vec<u8>, Refused); 6] = [
            (b"", b"a".to_vec(), Refused::Name),
            (b"a\nb", b"a".to_vec(), Refused::Name),
            (b"\xff", b"a".to_vec(), Refused::Name),
            (&[b'n'; 201], b"a".to_vec(), Refused::Name),
            (b"Key", vec![b'v'; limits::VARIABLE_VALUE_BYTES + 1], Refused::TooLong),
            (b"Key", b"\xff".to_vec(), Refused::NotText),
        ];
        for (name, value, expected) in cases {
            let line = line(name, &value, b"True");
            assert_eq!(parse(&line).expect("a message").err(), Some(expected));
        }
        let largest = line(&[b'n'; 200], &vec![b'v'; limits::VARIABLE_VALUE_BYTES], b"False");
        assert!(parse(&largest).is_some_and(|parsed| parsed.is_ok()));
        assert!(largest.len() <= limits::MESSAGE_BYTES);
    }
}
