//! The known word that was probably meant.

use windlass_protocol::names::nearest;

/// The sentence for a word that is not known, with the one that was probably meant.
pub fn unknown(what: &str, word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(nearest) => format!("unknown {what} `{word}`; did you mean `{nearest}`?"),
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
