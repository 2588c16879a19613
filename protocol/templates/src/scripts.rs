//! The variables that a script asks for and sets by itself, found without running it.

use std::collections::BTreeSet;

/// The functions of shells and Python that answer with a variable's value.
const FUNCTIONS: [&str; 2] = ["get_windlassvariable", "get_octopusvariable"];
/// The functions that set an output variable.
const SETTERS: [&str; 4] =
    ["set_windlassvariable", "set_octopusvariable", "set-windlassvariable", "set-octopusvariable"];
/// The dictionaries of PowerShell that hold them.
const DICTIONARIES: [&str; 2] = ["$windlassparameters", "$octopusparameters"];

/// The names in `get_windlassvariable "Name"` and `get_octopusvariable Name` of shells, `get_windlassvariable("Name")`
/// of Python, and `$WindlassParameters["Name"]` and `$OctopusParameters["Name"]` of PowerShell, anywhere in `text`.
///
/// It is a plain search: comments count, and names that are only made when the script runs are not found; a step lists
/// these itself.
pub fn script_references(text: &str) -> BTreeSet<String> {
    // Lengths must stay as they are, so only ASCII is folded.
    let folded = text.to_ascii_lowercase();
    let mut names = BTreeSet::new();
    for function in FUNCTIONS {
        for rest in calls(text, &folded, function) {
            names.extend(argument(rest));
        }
    }
    for dictionary in DICTIONARIES {
        for rest in calls(text, &folded, dictionary) {
            names.extend(key(rest));
        }
    }
    names
}

/// The names of the output variables that a script sets: `set_windlassvariable "Name" …` of shells and Python,
/// `Set-OctopusVariable -name "Name" …` of PowerShell. The same plain search; names made when it runs are not found.
pub fn script_outputs(text: &str) -> BTreeSet<String> {
    let folded = text.to_ascii_lowercase();
    let mut names = BTreeSet::new();
    for rest in SETTERS.iter().flat_map(|setter| calls(text, &folded, setter)) {
        let blank = rest.trim_start_matches([' ', '\t']);
        let named = blank.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("-name"));
        names.extend(argument(if named { &blank[5..] } else { rest }));
    }
    names
}

/// What follows each whole word `word`.
fn calls<'t>(text: &'t str, folded: &str, word: &str) -> Vec<&'t str> {
    let part_of_word = |character: char| character.is_alphanumeric() || character == '_';
    let whole = |(at, _): (usize, &str)| {
        let rest = &text[at + word.len()..];
        let apart = !text[..at].ends_with(part_of_word) && !rest.starts_with(part_of_word);
        apart.then_some(rest)
    };
    folded.match_indices(word).filter_map(whole).collect()
}

/// `"Name"`, `Name` or `("Name")`.
fn argument(rest: &str) -> Option<String> {
    let blank = |character: char| character == ' ' || character == '\t';
    let after = rest.trim_start_matches(blank);
    if let Some(inside) = after.strip_prefix('(') {
        return quoted(inside.trim_start());
    }
    if after.len() == rest.len() {
        return None;
    }
    if after.trim_start_matches('\\').starts_with(['"', '\'']) {
        return quoted(after);
    }
    let ends = |character: char| character.is_whitespace() || "\"'`;|&<>(){}\\".contains(character);
    let word = &after[..after.find(ends).unwrap_or(after.len())];
    plain(word)
}

/// `["Name"]`.
fn key(rest: &str) -> Option<String> {
    quoted(rest.trim_start().strip_prefix('[')?.trim_start())
}

/// A text in single or double quotes, which may be escaped once where the whole command stands in a string.
fn quoted(rest: &str) -> Option<String> {
    let opened = rest.trim_start_matches('\\');
    let quote = &rest[..rest.len() - opened.len() + 1];
    let inside = opened.strip_prefix(['"', '\''])?;
    let end = inside.find(quote)?;
    let name = &inside[..end];
    if quote.ends_with('\'') { literal(name) } else { plain(name) }
}

/// A name as the shell takes it between double quotes, or bare: with nothing that it would replace.
fn plain(name: &str) -> Option<String> {
    if name.contains(['$', '`']) { None } else { literal(name) }
}

fn literal(name: &str) -> Option<String> {
    let name = name.trim();
    let dynamic = name.is_empty() || name.contains("#{") || name.contains(['\n', '\\']);
    (!dynamic).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_every_language() {
        for (script, expected) in [
            ("echo \"$(get_windlassvariable \"Foo Bar\")\"", &["Foo Bar"][..]),
            ("x=$(get_octopusvariable Foo.Bar)", &["Foo.Bar"]),
            ("x=`get_octopusvariable Foo[a]`; get_windlassvariable 'B'&", &["B", "Foo[a]"]),
            ("get_windlassvariable\tA|cat", &["A"]),
            ("bash -c \"get_octopusvariable \\\"A B\\\" x\"", &["A B"]),
            ("print(get_windlassvariable(\"A\") + get_octopusvariable( 'B $x' ))", &["A", "B $x"]),
            ("Get_WindlassVariable A", &["A"]),
            ("Write-Host $OctopusParameters[\"A.B\"] $windlassparameters[ 'C' ]", &["A.B", "C"]),
            ("$OctopusParameters [\"A\"]", &["A"]),
            ("# get_octopusvariable \"Größe\"", &["Größe"]),
        ] {
            assert_eq!(script_references(script).into_iter().collect::<Vec<_>>(), expected, "{script}");
        }
    }

    #[test]
    fn what_a_script_sets_is_found_in_every_language() {
        for (script, expected) in [
            ("set_windlassvariable Url \"$x\"; set_octopusvariable 'A B' y", &["A B", "Url"][..]),
            ("set_windlassvariable('Url', x)", &["Url"]),
            ("Set-OctopusVariable -name \"Url\" -value $x", &["Url"]),
            ("Set-WindlassVariable Url $x -Sensitive", &["Url"]),
            ("set_windlassvariable \"$name\" x; get_windlassvariable Url; reset_octopusvariable A", &[]),
            ("set_windlassvariable() { echo; }; set_windlassvariable\nset_octopusvariable -nam", &["-nam"]),
        ] {
            assert_eq!(script_outputs(script).into_iter().collect::<Vec<_>>(), expected, "{script}");
        }
    }

    #[test]
    fn what_is_no_name_or_not_yet_one_is_left_out() {
        for script in [
            "",
            "get_windlassvariable",
            "get_windlassvariable\nA",
            "get_windlassvariables A",
            "forget_windlassvariable A",
            "set_windlassvariable A b",
            "get_windlassvariable \"$A\"",
            "get_windlassvariable $A",
            "get_windlassvariable \"A",
            "get_windlassvariable \"\"",
            "get_windlassvariable \"A#{B}\"",
            "get_windlassvariable(name)",
            "get_windlassvariable(f\"{x}\")",
            "get_windlassvariable() { echo; }",
            "$OctopusParameters[$name]",
            "$OctopusParameters[\"a$name\"]",
            "$OctopusParametersX[\"A\"]",
        ] {
            assert_eq!(script_references(script), BTreeSet::new(), "{script}");
        }
    }
}
