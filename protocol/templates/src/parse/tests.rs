use super::*;

/// A compact picture of the tree: text as it is, substitutions in braces, blocks with their parts in angle brackets.
fn picture(template: &Template, nodes: &[Node]) -> String {
    let of = |nodes| picture(template, nodes);
    nodes
        .iter()
        .map(|node| match node {
            Node::Text(range) => template.source[range.clone()].to_owned(),
            Node::Substitution { expression, .. } => {
                let symbol = expression.symbol.as_ref().map(ToString::to_string).unwrap_or_default();
                format!("{{{symbol}{}}}", "|".repeat(expression.filters.len()))
            }
            Node::Choice { condition, truthy, falsy, .. } => {
                let left = condition.left.symbol.as_ref().expect("a symbol");
                format!("<{left}?{}:{}>", of(truthy), of(falsy))
            }
            Node::Repetition { variable, collection, body, .. } => {
                format!("<{variable} in {collection}*{}>", of(body))
            }
        })
        .collect()
}

fn parsed(text: &str) -> (String, Vec<String>) {
    let template = Template::parse(text);
    let problems = template.problems().iter().map(|problem| format!("{}:{}", problem.line, problem.column));
    (picture(&template, &template.nodes), problems.collect())
}

#[test]
fn what_is_well_formed_becomes_a_tree_without_problems() {
    for (text, expected) in [
        ("", ""),
        ("a # b ## ### {x}", "a # b ## ### {x}"),
        ("#{Foo}", "{Foo}"),
        ("#{ Foo Bar }x", "{Foo Bar}x"),
        ("#{Foo.Bar.Baz}", "{Foo.Bar.Baz}"),
        ("#{Foo[bar].Baz}", "{Foo[bar].Baz}"),
        ("#{Foo[ Package A ].Baz}", "{Foo[Package A].Baz}"),
        ("#{Package[containers[0].container].Registry}", "{Package[containers[0].container].Registry}"),
        ("#{Foo[].Baz}#{Foo[*]}", "{Foo[].Baz}{Foo[*]}"),
        ("#{Foo[#{Bar.Baz}][#{A[#{B}]}]}", "{Foo[#{Bar.Baz}][#{A[#{B}]}]}"),
        ("#{a/b}#{a~b}#{(abc)}#{a:b-c_d}#{Größe}", "{a/b}{a~b}{(abc)}{a:b-c_d}{Größe}"),
        ("#{Foo|ToUpper|ToLower}", "{Foo||}"),
        (r##"#{Foo | Replace "a } b" \"# \"}"##, "{Foo|}"),
        ("#{Foo | Append #{a}#{b | ToUpper} c 1/2}", "{Foo|}"),
        ("#{ | Append x}", "{|}"),
        ("##{Foo}", "#{Foo}"),
        ("###{Foo}", "#{Foo}"),
        ("####{Foo}", "###{Foo}"),
        ("#####{Foo}", "###{Foo}"),
        ("#{if A}x#{/if}", "<A?x:>"),
        ("#{ IF A }x#{ else }y#{ /if }", "<A?x:y>"),
        ("#{unless A}x#{else}y#{/unless}", "<A?y:x>"),
        ("#{if A==\"b\"}x#{/if}#{if A != B}y#{/if}", "<A?x:><A?y:>"),
        (r#"#{if A | ToLower == \"b c\"}x#{/if}"#, "<A?x:>"),
        ("#{if A}#{if B}#{C}#{else}d#{/if}#{else}e#{/if}", "<A?<B?{C}:d>:e>"),
        ("#{each a in B.C[d]}#{a.X}#{/each}", "<a in B.C[d]*{a.X}>"),
        ("#{ each  an a  in  B in C }-#{/each}", "<an a in B in C*->"),
        ("#{iffy}#{eachother}#{elsewhere}#{else if}", "{iffy}{eachother}{elsewhere}{else if}"),
    ] {
        assert_eq!(parsed(text), (expected.to_owned(), vec![]), "{text}");
    }
}

#[test]
fn what_is_not_well_formed_stays_literal_and_is_located() {
    for (text, problems) in [
        ("#{", &["1:3"][..]),
        ("#{}", &["1:3"]),
        ("#{ }", &["1:4"]),
        ("a\nb #{Foo", &["2:8"]),
        ("ä#{Foo}#{Foo + 1}", &["1:14"]),
        ("#{Fo[o}", &["1:8"]),
        ("#{Fo]o}", &["1:5"]),
        ("#{Foo.}", &["1:7"]),
        ("#{Foo[a\nb]}", &["1:8"]),
        ("#{Foo[#{Bar]}", &["1:12"]),
        ("#{Foo[a#{Bar}]}", &["1:8"]),
        ("#{Foo | }", &["1:9"]),
        ("#{Foo | A \"b}", &["1:14"]),
        ("#{/foo}", &["1:3"]),
        ("#{/if}", &["1:1"]),
        ("#{else}", &["1:1"]),
        ("#{if A}x", &["1:1"]),
        ("#{if A}x#{else}y", &["1:1"]),
        ("#{each a in B}#{if A}#{/each", &["1:1", "1:15", "1:24"]),
        ("#{each a of B}x#{/each}", &["1:14"]),
        ("#{if }x#{else}y#{/if}", &["1:6"]),
        ("#{each x in A}#{else}#{/each", &["1:1", "1:15", "1:24"]),
        ("\"#{\"===e.substr(0,2)?void 0:e", &["1:4"]),
    ] {
        let (picture, found) = parsed(text);
        assert_eq!(found, problems, "{text}");
        assert_eq!(picture.replace("{Foo}", "#{Foo}").replace("{Bar}", "#{Bar}"), text);
    }
}

#[test]
fn what_is_broken_costs_only_itself() {
    for (text, expected) in [
        ("#{Foo + #{Bar}}", "#{Foo + {Bar}}"),
        ("#{Foo#{Bar}", "#{Foo{Bar}"),
        ("#{Foo ##{Bar}", "#{Foo #{Bar}"),
        ("#{Foo | A \"b #{Bar}", "#{Foo | A \"b {Bar}"),
        ("#{if A}#{Foo}", "#{if A}{Foo}"),
        ("#{if A}#{each x in B}#{Foo}#{/if}", "<A?#{each x in B}{Foo}:>"),
        ("#{if A}x#{if !}y#{else}z#{/if}#{else}w#{/if}", "<A?x#{if !}y#{else}z#{/if}:w>"),
        ("#{if A}x#{else}y#{else}z#{/if}", "<A?x:y#{else}z>"),
        ("#{if A}x#{/each}y#{/if}", "<A?x#{/each}y:>"),
    ] {
        let (picture, problems) = parsed(text);
        assert_eq!(picture, expected, "{text}");
        assert!(!problems.is_empty(), "{text}");
    }
}

#[test]
fn blocks_and_expressions_beyond_the_depth_stay_literal_with_their_ends() {
    let nested = |depth: usize| format!("{}x{}", "#{if A}".repeat(depth), "#{/if}".repeat(depth));
    assert_eq!(parsed(&nested(limits::DEPTH)).1.len(), 0);
    let (picture, problems) = parsed(&nested(limits::DEPTH + 1));
    assert_eq!(problems.len(), 1);
    assert!(picture.contains("<A?#{if A}x#{/if}:>"), "{picture}");

    let nested =
        |depth: usize| format!("{}A{}", "#{A[".repeat(depth), "]}".repeat(depth)).replace("A]", "#{A}]");
    assert_eq!(parsed(&nested(limits::DEPTH - 1)).1.len(), 0);
    assert_eq!(parsed(&nested(limits::DEPTH)).1.len(), 1);
}

#[test]
fn a_filter_that_does_not_exist_is_a_problem_of_its_own() {
    for text in ["#{A | Bogus}", "#{A | Append #{B | Bogus}}", "#{A[#{B | Bogus}]}"] {
        let template = Template::parse(text);
        assert!(matches!(template.problems(), [Problem { fault: Fault::UnknownFilter, .. }]), "{text}");
    }
}

#[test]
fn texts_beyond_the_size_stay_as_they_are() {
    let text = format!("#{{A}}{}", " ".repeat(limits::TEMPLATE_BYTES));
    let template = Template::parse(&text);
    assert!(matches!(template.problems(), [Problem { line: 1, column: 1, fault: Fault::TooLarge }]));
    assert!(matches!(template.nodes.as_slice(), [Node::Text(range)] if *range == (0..text.len())));
}

#[test]
fn the_first_problems_are_kept_in_order() {
    let template = Template::parse(&format!("#{{if A}}\n{}", "#{!\n".repeat(1000)));
    assert_eq!(template.problems().len(), limits::PROBLEMS);
    assert!(template.problems().iter().enumerate().all(|(at, problem)| problem.line == at + 1));
}
