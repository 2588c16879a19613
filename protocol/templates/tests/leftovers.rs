//! What stays as written and why, and what is refused.

mod variables;

use variables::Variables;
use windlass_templates::{Kind, Render, RenderError, Rendered, Shell, Template, limits};

fn rendered(text: &str, variables: &Variables) -> Rendered {
    match Template::parse(text).render(variables, Render { shell: Some(Shell::Sh) }) {
        Ok(rendered) => rendered,
        Err(error) => panic!("{text}: {error}"),
    }
}

fn failure(text: &str, variables: &Variables) -> Option<RenderError> {
    Template::parse(text).render(variables, Render::default()).err()
}

#[test]
fn what_has_no_value_or_filter_stays_as_written_and_is_listed() {
    let variables =
        Variables::code(&[("Foo", "Abc"), ("A[k].N", "n"), ("Secret", "s3cret"), ("Via", "#{Nope}")]);
    for (text, unknown, unapplied) in [
        ("#{ Missing }", &["Missing"][..], &[][..]),
        ("#{Missing | ToUpper}", &["Missing"], &[]),
        ("#{A[k].Missing}#{A[#{Missing}].N}", &["A[k].Missing", "Missing"], &[]),
        // What an index evaluates to may be a secret, so it is not what is listed.
        ("#{A[#{Secret}].N}#{A[*].N}", &["A[#{Secret}].N"], &[]),
        ("#{Foo | Bogus}", &[], &["#{Foo | Bogus}"]),
        ("#{Foo | Substring 9}", &[], &["#{Foo | Substring 9}"]),
        ("#{Foo | Substring 9 | Append x}", &[], &["#{Foo | Substring 9 | Append x}"]),
        ("#{Foo | Append #{Missing}}", &["Missing"], &[]),
        ("#{ | ToUpper}", &[], &["#{ | ToUpper}"]),
        ("#{if Foo | Bogus}#{Foo}#{/if}", &[], &["#{if Foo | Bogus}"]),
        ("#{if Missing | ToUpper}#{Foo}#{/if}", &["Missing"], &[]),
        ("#{each x in A}#{x.Size}#{/each}", &["x.Size"], &[]),
    ] {
        let rendered = rendered(text, &variables);
        let expected = match text {
            "#{A[#{Secret}].N}#{A[*].N}" => "#{A[#{Secret}].N}n",
            "#{each x in A}#{x.Size}#{/each}" => "#{x.Size}",
            same => same,
        };
        assert_eq!(rendered.text, expected);
        assert_eq!(rendered.unknown.into_iter().collect::<Vec<_>>(), unknown, "{text}");
        assert_eq!(rendered.unapplied.into_iter().collect::<Vec<_>>(), unapplied, "{text}");
    }
    let through = rendered("<#{Via}>", &variables);
    assert_eq!(
        (through.text.as_str(), through.unknown.first().map(String::as_str)),
        ("<#{Nope}>", Some("Nope"))
    );
}

#[test]
fn nothing_that_is_written_in_data_or_in_a_secret_is_listed() {
    let secret = "abc#{hunter}#{hunter | Bogus}#{hunter[#{hunter}]}#{each x in Own}#{x.hunter}#{/each}#{if Own | hunter}";
    let variables = Variables::code(&[("Own", "1,2"), ("Via", "#{Secret}"), ("Open", "#{Nope}")])
        .with("Alias", secret, Kind::Data)
        .with("hunters", "#{hunters}", Kind::Data)
        .with_secret("TenantSecret", secret)
        .with_secret_code("Secret", &format!("{secret}#{{Open}}"));
    for text in [
        "#{Alias}",
        "#{TenantSecret}",
        "#{Secret}",
        "#{Via}",
        "#{Secret | ToUpper}",
        "#{Secret.Part}",
        "#{each x in Secret}#{x}#{/each}",
        "#{if Secret}x#{/if}",
        "#{Own[#{Secret}]}",
    ] {
        for shell in [None, Some(Shell::Bash)] {
            let Ok(rendered) = Template::parse(text).render(&variables, Render { shell }) else {
                panic!("{text}")
            };
            let Rendered { unknown, endless, unapplied, bare, misplaced, .. } = rendered;
            for listed in [unknown, endless, unapplied, bare, misplaced].iter().flatten() {
                assert!(!listed.to_lowercase().contains("hunter") && listed != "Nope", "{text}: {listed}");
            }
        }
    }
    assert!(rendered("#{Open}", &variables).unknown.contains("Nope"));
}

#[test]
fn quoting_needs_a_shell() {
    let variables = Variables::code(&[("Foo", "x")]);
    let Ok(rendered) = Template::parse("#{Foo | Quoted}").render(&variables, Render::default()) else {
        panic!("it renders");
    };
    assert_eq!(rendered.text, "#{Foo | Quoted}");
    assert!(rendered.unapplied.contains("#{Foo | Quoted}"));
}

#[test]
fn values_that_lead_back_to_themselves_stay_as_written() {
    for (text, pairs, expected, endless) in [
        ("#{Foo}", &[("Foo", "a#{foo}b")][..], "a#{foo}b", "foo"),
        ("#{A}", &[("A", "1#{B}"), ("B", "2#{C}"), ("C", "3#{A}")], "123#{A}", "A"),
        ("#{if A}x#{/if}", &[("A", "#{A}")], "x", "A"),
        ("#{J.x}", &[("J", "{\"x\": \"#{J}\"}")], "#{J}", "J"),
        ("#{each x in A}#{x}#{/each}", &[("A", "1,#{A}")], "1#{A}", "A"),
    ] {
        let rendered = rendered(text, &Variables::code(pairs));
        assert_eq!(rendered.text, expected, "{text}");
        assert!(rendered.endless.contains(endless), "{text}");
    }
}

#[test]
fn depth_is_limited_without_using_up_the_stack() {
    let (open, close) = ("#{if T}".repeat(30), "#{/if}".repeat(30));
    let nested =
        |inner: String| (0..30).fold(inner, |inner, _| format!("#{{T | Append #{{N[#{{{inner}}}]}}}}"));
    let value = |at: usize| match at % 2 {
        0 => format!("{open}#{{V[{}]}}{close}", at + 1),
        _ => nested(format!("V[{}]", at + 1)),
    };
    let variables = (0..1000).fold(Variables::code(&[("T", "1")]), |variables, at| {
        variables.with(&format!("V[{at}]"), &value(at), Kind::Code)
    });
    let rendered = rendered("#{V[0]}", &variables);
    assert_eq!(rendered.endless.len(), 1);
    assert!(rendered.text.starts_with("#{"), "{}", rendered.text);
}

#[test]
fn values_that_multiply_each_other_are_an_error() {
    let laughs = |last: &str| {
        (0..40).fold(Variables::code(&[("V40", last)]), |variables, at| {
            variables.with(&format!("V{at}"), &format!("#{{V{}}}", at + 1).repeat(2), Kind::Code)
        })
    };
    assert_eq!(failure("#{V0}", &laughs("")), Some(RenderError::TooMuchWork));
    let loops =
        format!("#{{each x in L}}{}#{{/each}}", "#{if Octopus.Template.Each.Last}#{/if}".repeat(5000));
    assert_eq!(
        failure(&loops, &Variables::code(&[("L", &",".repeat(60_000))])),
        Some(RenderError::TooMuchWork)
    );
    let big = "x".repeat(limits::RENDERED_BYTES / 4);
    assert_eq!(
        failure("#{A}#{A}#{A}#{A}#{A}", &Variables::code(&[("A", &big)])),
        Some(RenderError::TooLarge)
    );
}
