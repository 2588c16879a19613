//! Amounts of bytes as people write them: `512MiB`, `10GiB`.

/// Bytes of a text such as `10GiB`.
pub fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no amount of bytes; write it as 512MiB, 10GiB or 2TiB");
    let (number, unit) =
        text.split_at(text.find(|character: char| !character.is_ascii_digit()).ok_or_else(wrong)?);
    let shift = match unit {
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_bytes_are_a_number_and_a_unit() {
        for (text, expected) in [("16MiB", 16 << 20), ("10GiB", 10 << 30), ("2TiB", 2 << 40)] {
            assert_eq!(bytes(text), Ok(expected));
        }
        for text in ["", "1", "GiB", "10GB", "10 GiB", "1.5GiB", "-1GiB", "10gib", "99999999999TiB"] {
            assert!(bytes(text).unwrap_err().contains("no amount of bytes"), "{text}");
        }
    }
}
