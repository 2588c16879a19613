//! `Format` for numbers, on their decimal digits: nothing is lost to binary fractions.
//!
//! Formats of dates and of currencies are not understood: they depend on a culture, and the expression stays as
//! written.

use crate::limits;

/// A decimal number without leading zeros.
struct Decimal {
    negative: bool,
    whole: String,
    fraction: String,
}

/// `Format pattern` or `Format type pattern`, with .NET's patterns `D`, `F`, `N`, `X` and custom ones of `0#.,`.
pub(super) fn format(text: &str, arguments: &[String]) -> Option<String> {
    let (only_whole, pattern) = match arguments {
        [pattern] => (false, pattern),
        [kind, pattern] => match kind.to_lowercase().as_str() {
            "int" | "int32" => (true, pattern),
            "double" | "decimal" => (false, pattern),
            _ => return None,
        },
        _ => return None,
    };
    let number = Decimal::parse(text)?;
    if only_whole && !number.fraction.is_empty() {
        return None;
    }
    match pattern.split_at_checked(1)? {
        ("D" | "d", width) => number.digits(digits(width, 0)?),
        ("F" | "f", places) => Some(number.rounded(digits(places, 2)?).shown(false)),
        ("N" | "n", places) => Some(number.rounded(digits(places, 2)?).shown(true)),
        (letter @ ("X" | "x"), width) => number.hexadecimal(digits(width, 0)?, letter == "X"),
        _ => number.custom(pattern),
    }
}

fn digits(text: &str, default: usize) -> Option<usize> {
    match text {
        "" => Some(default),
        text if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().ok().filter(|digits| *digits <= limits::WIDTH)
        }
        _ => None,
    }
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let whole = whole.replace(',', "");
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let empty = whole.is_empty() && fraction.is_empty();
        (!empty && all_digits(&whole) && all_digits(fraction)).then(|| Self {
            negative,
            whole: whole.trim_start_matches('0').to_owned(),
            fraction: fraction.to_owned(),
        })
    }

    /// With exactly so many places, halves away from zero.
    fn rounded(mut self, places: usize) -> Self {
        let up = self.fraction.as_bytes().get(places).is_some_and(|digit| *digit >= b'5');
        self.fraction.truncate(places);
        self.fraction.extend(std::iter::repeat_n('0', places - self.fraction.len()));
        if up {
            let mut all = (self.whole + &self.fraction).into_bytes();
            match all.iter().rposition(|digit| *digit != b'9') {
                Some(at) => {
                    all[at] += 1;
                    all[at + 1..].fill(b'0');
                }
                None => {
                    all.fill(b'0');
                    all.insert(0, b'1');
                }
            }
            let mut all: String = all.into_iter().map(char::from).collect();
            self.fraction = all.split_off(all.len() - places);
            self.whole = all;
        }
        self
    }

    fn sign(&self) -> &'static str {
        let zero = self.whole.bytes().chain(self.fraction.bytes()).all(|digit| digit == b'0');
        if self.negative && !zero { "-" } else { "" }
    }

    fn shown(&self, grouped: bool) -> String {
        let whole = if self.whole.is_empty() { "0" } else { &self.whole };
        let whole = if grouped { in_groups(whole) } else { whole.to_owned() };
        let point = if self.fraction.is_empty() { "" } else { "." };
        format!("{}{whole}{point}{}", self.sign(), self.fraction)
    }

    /// A whole number, filled up with zeros.
    fn digits(self, width: usize) -> Option<String> {
        let whole = if self.whole.is_empty() { "0" } else { &self.whole };
        self.fraction.is_empty().then(|| format!("{}{whole:0>width$}", self.sign()))
    }

    fn hexadecimal(self, width: usize, upper: bool) -> Option<String> {
        let number: u64 = self.digits(0)?.parse().ok()?;
        Some(if upper { format!("{number:0width$X}") } else { format!("{number:0width$x}") })
    }

    /// `0` is a digit that is always there, `#` one that is there if needed, a comma groups thousands.
    fn custom(self, pattern: &str) -> Option<String> {
        let (whole, fraction) = pattern.split_once('.').unwrap_or((pattern, ""));
        let known = whole.chars().all(|c| "0#,".contains(c)) && fraction.chars().all(|c| "0#".contains(c));
        if !known || !pattern.contains(['0', '#']) || pattern.len() > limits::WIDTH || whole.ends_with(',') {
            return None;
        }
        let least = |part: &str| part.matches('0').count();
        let mut number = self.rounded(fraction.len());
        while number.fraction.len() > fraction.rfind('0').map_or(0, |last| last + 1)
            && number.fraction.ends_with('0')
        {
            number.fraction.pop();
        }
        let width = least(whole);
        number.whole = format!("{:0>width$}", number.whole);
        let grouped = if whole.contains(',') { in_groups(&number.whole) } else { number.whole.clone() };
        let point = if number.fraction.is_empty() { "" } else { "." };
        Some(format!("{}{grouped}{point}{}", number.sign(), number.fraction))
    }
}

/// A comma before every three digits.
fn in_groups(digits: &str) -> String {
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::super::tests::filtered;

    #[test]
    fn numbers_are_formatted_as_dot_net_does() {
        for (text, arguments, expected) in [
            ("42", &["D5"][..], Some("00042")),
            ("-42", &["d"], Some("-42")),
            ("4.2", &["D"], None),
            ("23.456", &["F"], Some("23.46")),
            ("23.4", &["F0"], Some("23")),
            ("-0.004", &["F2"], Some("0.00")),
            ("2.5", &["F0"], Some("3")),
            ("9.995", &["F2"], Some("10.00")),
            ("0.5", &["F0"], Some("1")),
            ("1234567.891", &["N"], Some("1,234,567.89")),
            ("-123", &["N0"], Some("-123")),
            ("255", &["X4"], Some("00FF")),
            ("255", &["x"], Some("ff")),
            ("4.3", &["0.00"], Some("4.30")),
            ("1234.5", &["#,##0.##"], Some("1,234.5")),
            ("0.25", &["#.##"], Some(".25")),
            ("7", &["000"], Some("007")),
            ("7.10", &["0.0#"], Some("7.1")),
            (" +1,234 ", &["0"], Some("1234")),
            ("42", &["Int32", "D3"], Some("042")),
            ("4.2", &["int", "F1"], None),
            ("4.25", &["Double", "F1"], Some("4.3")),
            ("4.25", &["Decimal", "F1"], Some("4.3")),
            ("4.25", &["C"], None),
            ("2030-05-22", &["yyyy"], None),
            ("2030-05-22", &["Date", "yyyy"], None),
            ("hello", &["F2"], None),
            ("", &["F2"], None),
            (".", &["F2"], None),
            ("1", &["F256"], None),
            ("1", &[""], None),
            ("1", &["é"], None),
            ("1", &[], None),
        ] {
            assert_eq!(filtered("Format", text, arguments).as_deref(), expected, "{text:?} {arguments:?}");
        }
    }
}
