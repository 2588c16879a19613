//! Patterns of paths inside a package: `*` within a folder, `**` across folders, `?` one character.

/// Whether `path` matches `pattern` as a whole. Case counts, as on the machines that packages run on.
pub fn matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    // reachable[j]: the pattern so far matches the first j folders of the path.
    let mut reachable = vec![false; path.len() + 1];
    reachable[0] = true;
    for part in pattern {
        let mut next = vec![false; path.len() + 1];
        if part == "**" {
            let mut any = false;
            for (place, reached) in next.iter_mut().zip(&reachable) {
                any |= reached;
                *place = any;
            }
        } else {
            for index in 0..path.len() {
                next[index + 1] = reachable[index] && matches_part(part, path[index]);
            }
        }
        reachable = next;
    }
    reachable[path.len()]
}

fn matches_part(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut reachable = vec![false; text.len() + 1];
    reachable[0] = true;
    for character in pattern.chars() {
        let mut next = vec![false; text.len() + 1];
        if character == '*' {
            let mut any = false;
            for (place, reached) in next.iter_mut().zip(&reachable) {
                any |= reached;
                *place = any;
            }
        } else {
            for index in 0..text.len() {
                next[index + 1] = reachable[index] && (character == '?' || character == text[index]);
            }
        }
        reachable = next;
    }
    reachable[text.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_people_expect() {
        let cases = [
            ("config/*.json", "config/app.json", true),
            ("config/*.json", "config/sub/app.json", false),
            ("config/*.json", "app.json", false),
            ("**/*.json", "app.json", true),
            ("**/*.json", "a/b/app.json", true),
            ("**", "a/b", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*", "a/b", false),
            ("App.json", "app.json", false),
            ("config/*.json", "other/app.json", false),
            ("a/**", "a/b/c", true),
            ("a/**/c", "a/c", true),
            ("a/**/c", "a/b/d", false),
            ("app.?on", "app.on", false),
            ("[a].json", "a.json", false),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_hostile_pattern_takes_no_exponential_time() {
        let pattern = "*a".repeat(200);
        assert!(!matches(&pattern, &"a".repeat(199)));
    }
}
