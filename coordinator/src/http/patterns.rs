//! Patterns of files in a package, as steps write them: `config/*.json`.
//!
//! `*` is any number of characters but a slash, `?` one of them, and `**` as a whole component is any number of
//! folders. Case counts. Everything else stands for itself.

/// Whether `pattern` selects `path`.
pub fn selects(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    components(&pattern, &path)
}

/// One row of a table from the end: whether the pattern's rest selects each rest of the path. No input costs more than
/// the product of both lengths.
fn components(pattern: &[&str], path: &[&str]) -> bool {
    let mut below: Vec<bool> = (0..=path.len()).map(|from| from == path.len()).collect();
    for part in pattern.iter().rev() {
        let mut row = vec![false; path.len() + 1];
        for from in (0..=path.len()).rev() {
            row[from] = if *part == "**" {
                below[from] || (from < path.len() && row[from + 1])
            } else {
                from < path.len() && below[from + 1] && component(part, path[from])
            };
        }
        below = row;
    }
    below[0]
}

fn component(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut below: Vec<bool> = (0..=text.len()).map(|from| from == text.len()).collect();
    for part in pattern.chars().rev() {
        let mut row = vec![false; text.len() + 1];
        for from in (0..=text.len()).rev() {
            row[from] = match part {
                '*' => below[from] || (from < text.len() && row[from + 1]),
                '?' => from < text.len() && below[from + 1],
                other => from < text.len() && below[from + 1] && text[from] == other,
            };
        }
        below = row;
    }
    below[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_select_what_they_say() {
        let cases = [
            ("config/*.json", "config/app.json", true),
            ("config/*.json", "config/deep/app.json", false),
            ("config/*.json", "other/app.json", false),
            ("**/*.json", "app.json", true),
            ("**/*.json", "a/b/app.json", true),
            ("a/**", "a/b/c", true),
            ("a/**/c", "a/c", true),
            ("a/**/c", "a/b/d", false),
            ("app.?on", "app.con", true),
            ("app.?on", "app.on", false),
            ("*", "a/b", false),
            ("App.json", "app.json", false),
            ("[a].json", "a.json", false),
            ("*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(selects(pattern, path), expected, "{pattern} on {path}");
        }
    }
}
