//! What the operating system said, in plain words: `No such file or directory (os error 2)` is for programmers.

use std::io;

/// The mark behind which the standard library puts the number.
const MARK: &str = " (os error ";

/// What the standard library says, and what it means to people.
const LIBRARY: [(&str, &str); 3] = [
    ("stream did not contain valid UTF-8", "it is not text in UTF-8"),
    ("invalid digit found in string", "it is no whole number"),
    ("invalid socket address syntax", "it is no address with a port, such as [::]:4433"),
];

/// Replaces everything that the operating system said in a text by plain words.
pub fn plain_words(text: &str) -> String {
    let mut text = text.to_owned();
    for (said, meant) in LIBRARY {
        text = text.replace(said, meant);
    }
    // Behind it stands what the resolver said, in one of its many ways.
    if let Some((before, _)) = text.split_once("failed to lookup address information") {
        text = format!("{before}no address is known for this name");
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find(MARK) {
        let (before, after) = rest.split_at(at);
        let after = &after[MARK.len()..];
        let number = after.split_once(')').and_then(|(number, after)| Some((number.parse().ok()?, after)));
        let Some((number, after)) = number else {
            plain.push_str(before);
            plain.push_str(MARK);
            rest = after;
            continue;
        };
        let whole = io::Error::from_raw_os_error(number).to_string();
        let said = whole.split(MARK).next().unwrap_or_default();
        match before.strip_suffix(said) {
            Some(before) => {
                plain.push_str(before);
                plain.push_str(&words(number, said));
            }
            None => plain.push_str(before),
        }
        rest = after;
    }
    plain.push_str(rest);
    plain
}

/// The plain words of an error's number. Numbers, because several of them have no kind of their own; Linux only.
fn words(number: i32, said: &str) -> String {
    let words = match number {
        1 => "the system does not allow it",
        2 => "it does not exist",
        13 => "permission denied",
        17 => "something of this name is there already",
        20 => "a part of the path is no folder",
        21 => "it is a folder, not a file",
        23 | 24 => "too many files are open",
        27 => "the file would become too large",
        28 => "the disk is full",
        30 => "the file system can only be read",
        32 => "the other side has gone",
        36 => "the name is too long",
        39 => "the folder is not empty",
        40 => "there are too many symbolic links",
        98 => "another program uses the address already",
        99 => "this machine does not have the address",
        101 => "the network cannot be reached",
        104 => "the other side broke the connection off",
        110 => "it does not answer in time",
        111 => "nothing listens there",
        113 => "the machine cannot be reached",
        122 => "the disk quota is used up",
        _ => {
            let mut letters = said.chars();
            let first = letters.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
            return first + letters.as_str();
        }
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_become_plain_words_wherever_they_stand() {
        for (text, expected) in [
            ("cannot read a: No such file or directory (os error 2)", "cannot read a: it does not exist"),
            ("x: No space left on device (os error 28): y", "x: the disk is full: y"),
            ("Exec format error (os error 8)", "exec format error"),
            ("a (os error x) b", "a (os error x) b"),
            ("told otherwise (os error 2)", "told otherwise"),
            (
                "`a`: failed to lookup address information: Try again",
                "`a`: no address is known for this name",
            ),
            ("nothing of it", "nothing of it"),
        ] {
            assert_eq!(plain_words(text), expected);
        }
    }
}
