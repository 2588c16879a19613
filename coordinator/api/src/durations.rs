//! Lengths of time as people write them: `90s`, `30m`, `1h`, `7d`.

/// Seconds of a text such as `1h`.
pub fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no length of time; write it as 90s, 30m, 1h or 7d");
    let (number, unit) =
        text.split_at(text.find(|character: char| !character.is_ascii_digit()).ok_or_else(wrong)?);
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    match number.checked_mul(factor) {
        Some(0) => Err(format!("`{text}` is over at once; a length of time is 1s or more")),
        seconds => seconds.ok_or_else(wrong),
    }
}

/// A length of time as it is written: in the largest unit that it is a whole number of.
pub fn text(seconds: u64) -> String {
    let units = [(24 * 3600, "d"), (3600, "h"), (60, "m")];
    let (factor, unit) = units
        .into_iter()
        .find(|(factor, _)| seconds >= *factor && seconds.is_multiple_of(*factor))
        .unwrap_or((1, "s"));
    format!("{}{unit}", seconds / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_a_number_and_a_unit() {
        for (text, expected) in [("90s", 90), ("30m", 1800), ("1h", 3600), ("7d", 604_800)] {
            assert_eq!((seconds(text), super::text(expected).as_str()), (Ok(expected), text));
        }
        assert!(seconds("0m").unwrap_err().contains("over at once"));
        for text in ["", "1", "h", "1w", "1.5h", "-1h", "1 h", "99999999999999999d"] {
            assert!(seconds(text).unwrap_err().contains("no length of time"), "{text}");
        }
    }
}
