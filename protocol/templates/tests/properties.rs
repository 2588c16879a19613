//! What holds for every text.

mod variables;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::select;
use variables::Variables;
use windlass_templates::{Kind, Lookup, Reference, Render, Shell, Template, limits, script_references};

/// The pieces that templates are made of, in any order.
fn soup() -> impl Strategy<Value = String> {
    let pieces = select(vec![
        "#{",
        "}",
        "#",
        "##{",
        "#{if ",
        "#{unless ",
        "#{each x in ",
        "#{else}",
        "#{/if}",
        "#{/unless}",
        "#{/each}",
        "A",
        "B",
        "x",
        ".",
        "[",
        "]",
        "*",
        " | ",
        "Append ",
        "Quoted",
        "Bogus",
        "\"",
        "\\\"",
        " == ",
        " != ",
        " ",
        "\n",
        "ü",
        "😀",
        "{",
        "\"}",
        "#{A}",
        "#{A[#{B}]}",
        "[1,2]",
        "{\"A\":1}",
        "\\",
    ]);
    proptest::collection::vec(pieces, 0..60).prop_map(|pieces| pieces.concat())
}

const NAMES: [&str; 5] = ["A", "B", "A.B", "C", "x"];

/// A well-formed name, perhaps with indexes.
fn name() -> impl Strategy<Value = String> {
    let leaf = select(&NAMES[..]).prop_map(str::to_owned);
    leaf.prop_recursive(3, 6, 2, |inner| {
        prop_oneof![
            (select(&NAMES[..]), inner.clone()).prop_map(|(outer, inner)| format!("{outer}[#{{{inner}}}]")),
            (select(&NAMES[..]), inner).prop_map(|(outer, inner)| format!("{outer}[#{{{inner}}}].B")),
            (select(&NAMES[..]), select(vec!["[k]", "[l].B", "[*]", ".B", "[0]", ".Key", ".Value"]))
                .prop_map(|(outer, rest)| format!("{outer}{rest}")),
        ]
    })
}

/// A well-formed text.
fn template() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        select(vec!["k", "l", "0", "k,l", "[\"k\"]", "{\"B\": \"k\", \"k\": {\"B\": \"l\"}}", ""])
            .prop_map(str::to_owned),
        name().prop_map(|name| format!("#{{{name}}}")),
        (name(), name()).prop_map(|(name, other)| format!("#{{{name} | Append #{{{other}}}}}")),
        (name(), name()).prop_map(|(name, other)| format!(
            "#{{{name} | Quoted}}#{{{name} | Append #{{{other} | Quoted}}}}"
        )),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let body = proptest::collection::vec(inner, 0..3).prop_map(|parts| parts.concat());
        prop_oneof![
            body.clone(),
            (name(), body.clone()).prop_map(|(name, body)| format!("#{{each x in {name}}}{body}#{{/each}}")),
            (name(), name(), body.clone(), body).prop_map(|(left, right, body, other)| {
                format!("#{{if {left} == {right}}}{body}#{{else}}{other}#{{/if}}")
            }),
        ]
    })
}

/// Some variables with templates for values.
fn values() -> impl Strategy<Value = BTreeMap<String, (String, bool)>> {
    let names =
        select(vec!["A", "B", "A.B", "C", "A[k]", "A[l].B", "B[k]", "C[0]", "C[k].B", "A.B[l]", "x", "x.B"]);
    proptest::collection::btree_map(names.prop_map(str::to_owned), (template(), any::<bool>()), 0..8)
}

fn held(values: &BTreeMap<String, (String, bool)>) -> Variables {
    values.iter().fold(Variables::default(), |variables, (name, (text, code))| {
        variables.with(name, text, if *code { Kind::Code } else { Kind::Data })
    })
}

/// What a text can read, with what the values that it reads can read.
fn closure(text: &str, values: &BTreeMap<String, (String, bool)>) -> BTreeSet<Reference> {
    let mut references = Template::parse(text).references();
    loop {
        let known = references.len();
        for (name, (text, _)) in values {
            if references.iter().any(|reference| reference.covers(name)) {
                references.extend(Template::parse(text).references());
            }
        }
        if references.len() == known {
            return references;
        }
    }
}

fn is_covered(asked: &str, references: &BTreeSet<Reference>) -> bool {
    references.iter().any(|reference| match reference {
        Reference::Prefix(prefix) if asked.ends_with('[') => {
            asked.to_lowercase().starts_with(&prefix.to_lowercase())
        }
        reference => reference.covers(asked),
    })
}

fn text_of(text: &str, variables: &dyn Lookup) -> Option<String> {
    Template::parse(text).render(variables, Render::default()).ok().map(|rendered| rendered.text)
}

/// Whether a text inserts data bare, as far as can be told without rendering it.
fn may_insert_data(text: &str, values: &BTreeMap<String, (String, bool)>) -> bool {
    let (mut texts, mut seen, mut is_script) = (vec![text], BTreeSet::new(), true);
    while let Some(text) = texts.pop() {
        let insertions = Template::parse(text).insertions(Some(Shell::Sh).filter(|_| is_script));
        is_script = false;
        for reference in insertions.bare.into_iter().chain(insertions.misplaced) {
            for (name, (text, code)) in values.iter().filter(|(name, _)| reference.covers(name)) {
                if !code {
                    return true;
                }
                if seen.insert(name) {
                    texts.push(text);
                }
            }
        }
    }
    false
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn no_data_stands_bare_in_a_text_that_is_run_and_whoever_looks_at_the_text_knows_before(
        text in template(),
        mut values in values(),
    ) {
        for (text, _) in values.values_mut().filter(|(_, code)| !code) {
            *text = "$(data)".to_owned();
        }
        let text = format!("echo {text}");
        if let Ok(rendered) = Template::parse(&text).render(&held(&values), Render { shell: Some(Shell::Sh) }) {
            let left: String = rendered.bare.union(&rendered.misplaced).cloned().collect();
            let has = |text: &str| text.to_lowercase().contains("$(data)");
            prop_assert!(!has(&rendered.text) || has(&left), "{}", rendered.text);
            // What a value opens, such as quotes, nobody knows before.
            let plain = values.values().all(|(text, _)| !text.contains(['"', '[']));
            let refused = &rendered.bare;
            let refused = refused.is_empty() && (rendered.misplaced.is_empty() || !plain);
            prop_assert!(refused || may_insert_data(&text, &values), "{:?}", left);
        }
    }

    #[test]
    fn a_text_without_substitutions_stays_as_it_is(text in "(?s).*|[#{}a\\]\\[/ ]{0,40}") {
        // No hash is left before a brace.
        let text = text.split('{').map(|part| part.trim_end_matches('#')).collect::<Vec<_>>().join("{");
        let template = Template::parse(&text);
        prop_assert!(template.problems().is_empty() && template.references().is_empty());
        prop_assert_eq!(text_of(&text, &Variables::default()), Some(text));
    }

    #[test]
    fn any_text_can_be_parsed_walked_and_rendered(text in soup(), value in soup()) {
        let template = Template::parse(&text);
        let lines = text.matches('\n').count() + 1;
        prop_assert!(template.problems().iter().all(|problem| (1..=lines).contains(&problem.line)));
        for shell in [None, Some(Shell::Bash), Some(Shell::Python), Some(Shell::Pwsh)] {
            let insertions = template.insertions(shell);
            prop_assert!(insertions.bare.is_subset(&template.references()));
            prop_assert!(insertions.misplaced.is_subset(&template.references()));
        }
        let variables = Variables::code(&[("A", &value), ("B", "A"), ("A[x]", &text)]).with("A[A]", &value, Kind::Data);
        prop_assert!(text_of(&text, &variables).is_some_and(|rendered| rendered.len() <= limits::RENDERED_BYTES));
        let values = [("A", value.as_str()), ("B", "A"), ("A[x]", &text), ("A[A]", &value)];
        let values = values.map(|(name, text)| (name.to_owned(), (text.to_owned(), true))).into();
        let references = closure(&text, &values);
        let asked = variables.asked.borrow();
        prop_assert!(asked.iter().all(|name| is_covered(name, &references)), "{:?} {:?}", asked, references);
        script_references(&text);
        windlass_templates::script_outputs(&text);
    }

    #[test]
    fn what_is_looked_up_was_foreseen(text in template(), values in values()) {
        let variables = held(&values);
        prop_assert!(text_of(&text, &variables).is_some());
        let references = closure(&text, &values);
        for asked in variables.asked.borrow().iter() {
            prop_assert!(is_covered(asked, &references), "{} is not among {:?}", asked, references);
        }
    }

    #[test]
    fn what_was_not_foreseen_does_not_matter(text in template(), values in values()) {
        let references = closure(&text, &values);
        let mut sent = values.clone();
        sent.retain(|name, _| references.iter().any(|reference| reference.covers(name)));
        prop_assert_eq!(text_of(&text, &held(&sent)), text_of(&text, &held(&values)));
    }

    #[test]
    fn holders_of_what_is_defined_do_not_matter(text in template(), values in values()) {
        let named: BTreeSet<_> = closure(&text, &values).into_iter().collect();
        let lower: BTreeMap<_, _> = values.keys().map(|name| (name.to_lowercase(), name)).collect();
        let mut needed = BTreeSet::new();
        for reference in &named {
            match reference {
                Reference::Name(name) if lower.contains_key(&name.to_lowercase()) => {
                    needed.insert(lower[&name.to_lowercase()].clone());
                }
                other => needed.extend(values.keys().filter(|name| other.covers(name)).cloned()),
            }
        }
        let mut sent = values.clone();
        sent.retain(|name, _| needed.contains(name));
        prop_assert_eq!(text_of(&text, &held(&sent)), text_of(&text, &held(&values)));
    }
}

/// Anything but linear time would take minutes here.
#[test]
#[allow(clippy::disallowed_methods, reason = "what is tested is how long it takes")]
fn hostile_texts_are_parsed_in_linear_time() {
    const BYTES: usize = 512 << 10;
    let pieces = [
        "#{",
        "#{a",
        "#{a|b \"",
        "#{a|b \\\"",
        "#{a|b #{",
        "#{a[#{",
        "#{a[",
        "#{if a}",
        "#{if !}",
        "#{each x in y}",
        "#{else}",
        "#{/if}",
        "#{if a}#{/if}",
        "#",
        "##{",
        "#{a[b[c",
        "#{a ",
        "#{a in ",
        "#{a|b|",
        "#{a}",
    ];
    let many = |piece: &str| piece.repeat(BYTES / 4 / piece.len());
    let crossed = many("#{if !}") + &many("#{/each}") + &many("#{/if}");
    for text in pieces.map(many).into_iter().chain([crossed, many("#{if a}") + &many("#{/if}")]) {
        let start = Instant::now();
        let template = Template::parse(&text);
        template.references();
        assert!(start.elapsed() < Duration::from_secs(10), "{}: {:?}", &text[..20], start.elapsed());
    }
}
