//! The known word that was probably meant.

/// A known word must be so alike to be suggested.
const ALIKE: f64 = 0.6;

/// The sentence for a word that is not known, with the one that was probably meant.
pub fn unknown(what: &str, word: &str, known: &[&str]) -> String {
    let scored = known.iter().map(|name| (strsim::normalized_damerau_levenshtein(word, name), name));
    let best = scored.max_by(|one, two| one.0.total_cmp(&two.0)).filter(|(score, _)| *score >= ALIKE);
    match best {
        Some((_, nearest)) => format!("unknown {what} `{word}`; did you mean `{nearest}`?"),
        None => format!("unknown {what} `{word}`; known here: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_suggested_and_all_where_none_is_near() {
        let known = ["roles", "environments"];
        assert_eq!(unknown("key", "rols", &known), "unknown key `rols`; did you mean `roles`?");
        assert_eq!(unknown("key", "x", &known), "unknown key `x`; known here: roles, environments");
    }
}
