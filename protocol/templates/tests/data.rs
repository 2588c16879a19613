//! A tenant's value is data: whatever it says, it reads nothing but that tenant's own open values.

mod variables;

use variables::Variables;
use windlass_templates::{Kind, Render, Rendered, Shell, Template, render_value};

fn variables(hostile: &str) -> Variables {
    Variables::code(&[
        ("Password", "hunter2"),
        ("Passwords[x]", "hunter2"),
        ("Config", "{\"name\": \"#{Alias}\", \"list\": \"#{Alias}\"}"),
        ("Greeting", "hello #{Alias}"),
        ("Each", "#{each x in Alias}#{x}#{/each}"),
        ("InQuotes", "\"#{Alias | Quoted}\""),
        ("Encoded", "#{Alias | ToBase64}"),
        ("Pattern", "[a-z]+"),
        ("Odd", "a[a-z]b"),
        ("Answer", "#{Alias | Contains boo}"),
        ("Map[safe].Value", "fine"),
        ("Map[safe].Password", "hunter2"),
        ("Map[safe].Hidden[k].Value", "hunter2"),
    ])
    .with("Alias", hostile, Kind::Data)
    .with("Town", "Bern", Kind::Data)
    .with("Towns[a]", "Thun", Kind::Data)
    .with_secret("OwnSecret", "hunter2")
    .with_secret("Towns[b]", "hunter2")
}

fn rendered(text: &str, variables: &Variables) -> Rendered {
    rendered_for(None, text, variables)
}

fn rendered_for(shell: Option<Shell>, text: &str, variables: &Variables) -> Rendered {
    match Template::parse(text).render(variables, Render { shell }) {
        Ok(rendered) => rendered,
        Err(error) => panic!("{text}: {error}"),
    }
}

#[test]
fn data_reads_its_own_open_values() {
    for (value, expected) in [
        ("#{Town}", "Bern"),
        ("#{town | ToUpper}", "BERN"),
        ("#{if Town == \"Bern\"}yes#{/if}", "yes"),
        ("#{each t in Towns}#{t.Key}=#{t};#{/each}", "a=Thun;"),
        ("#{Towns[*]}", "Thun"),
        ("plain", "plain"),
    ] {
        assert_eq!(rendered("#{Alias}", &variables(value)).text, expected, "{value}");
    }
}

#[test]
fn data_reads_nothing_else_by_any_way() {
    let ways = [
        "#{Alias}",
        "#{Alias | ToLower | ToUpper}",
        "#{Greeting}",
        "#{Config}",
        "#{Config.name}",
        "#{each x in Config.list}#{x}#{/each}",
        "#{each x in Alias}#{x}#{x.Key}#{x.Value}#{/each}",
        "#{Each}",
        "#{Alias | FromBase64}",
        "#{Map[#{Alias}].Value}",
        "#{if Alias}#{Alias}#{/if}",
        "#{Alias.name}#{Alias[0]}",
        "#{Alias | Quoted}",
        "#{ | Append #{Alias}}",
        "#{Town | Replace Bern #{Alias}}",
    ];
    for value in [
        "#{Password}",
        "#{OwnSecret}",
        "#{Config.name}#{Password}",
        "#{Passwords[x]}#{Passwords[*]}",
        "#{each p in Passwords}#{p}#{/each}",
        "#{each t in Towns}#{t}#{/each}",
        "#{Town | Append #{Password}}",
        "#{Missing | Append #{OwnSecret}}",
        "#{Greeting}#{Each}",
        "[\"#{Password}\", \"\\u0023{Password}\"]",
        "{\"name\": \"\\u0023{Password}\", \"a\": \"#{OwnSecret}\"}",
        "I3tQYXNzd29yZH0=",
        "safe].Hidden[k",
        "safe].Password[#{Town}",
        "safe].Password",
        "##{Password}",
        "##{Town | Append ##{Password}}",
        "\", \"other\": \"#{Password}",
    ] {
        let variables = variables(value);
        for (way, shell) in ways.iter().flat_map(|way| [(way, None), (way, Some(Shell::Sh))]) {
            let rendered = rendered_for(shell, way, &variables);
            assert!(!rendered.text.contains("hunter2"), "{value} through {way}: {}", rendered.text);
        }
        let Ok(Some(alone)) = render_value("Alias", &variables, Render::default()) else {
            panic!("{value}");
        };
        assert!(!alone.text.contains("hunter2"), "{value}: {}", alone.text);
    }
}

#[test]
fn what_data_may_not_read_looks_as_if_it_did_not_exist() {
    let absent = |name: &str| {
        let rendered =
            rendered("#{Alias}", &variables(&format!("#{{{name}}}#{{each x in {name}}}x#{{/each}}")));
        (
            rendered.text.replace(name, "_"),
            rendered.unknown.len(),
            rendered.endless.len(),
            rendered.unapplied.len(),
        )
    };
    assert_eq!(absent("Password"), absent("Nonsense"));
    assert_eq!(absent("OwnSecret"), absent("Nonsense"));
    assert_eq!(absent("Passwords"), absent("Nonsense"));
}

#[test]
fn a_text_that_is_run_takes_data_through_escaping_filters_alone() {
    let variables = variables("$(reboot)").with("Towns[$(reboot)]", "Chur", Kind::Data);
    // The text, what it becomes, what stands before it, and what of it is refused.
    let reference = "\"${_windlass_quoted_0?}\"";
    for (text, expected, quoted, refused) in [
        ("#{Alias}", "#{Alias}", None, &["#{Alias}"][..]),
        ("echo #{Alias | ToUpper}", "echo #{Alias | ToUpper}", None, &["#{Alias | ToUpper}"]),
        (
            "echo #{Alias | Quoted | Trim}",
            "echo #{Alias | Quoted | Trim}",
            None,
            &["#{Alias | Quoted | Trim}"],
        ),
        ("echo #{Alias | Quoted}", &format!("echo {reference}"), Some("$(reboot)"), &[]),
        ("echo #{Alias | ToBase64}", "echo JChyZWJvb3Qp", None, &[]),
        ("#{Alias | Contains boo}", "true", None, &[]),
        ("#{OwnSecret | JsonEscape}", "#{OwnSecret | JsonEscape}", None, &["#{OwnSecret | JsonEscape}"]),
        // Through a value that is code, and out of its JSON.
        ("#{Greeting}", "#{Greeting}", None, &["#{Greeting}"]),
        ("echo #{Greeting | Quoted}", &format!("echo {reference}"), Some("hello $(reboot)"), &[]),
        ("#{Config.name}", "#{Config.name}", None, &["#{Config.name}"]),
        ("#{Each}", "#{Each}", None, &["#{Each}"]),
        // What was made harmless in a value is not any more when something is done with the value.
        ("#{InQuotes}", "#{InQuotes}", None, &["#{InQuotes}"]),
        ("#{Encoded | FromBase64}", "#{Encoded | FromBase64}", None, &["#{Encoded | FromBase64}"]),
        ("#{Answer}#{Answer | ToUpper}", "trueTRUE", None, &[]),
        (
            "#{Password | Append #{Alias}}",
            "#{Password | Append #{Alias}}",
            None,
            &["#{Password | Append #{Alias}}"],
        ),
        (
            "x #{Password | Append #{Alias} | Quoted}",
            &format!("x {reference}"),
            Some("hunter2$(reboot)"),
            &[],
        ),
        (
            "x #{Password | Append #{Alias | Quoted}}",
            "x #{Password | Append #{Alias | Quoted}}",
            None,
            &["#{Password | Append #{Alias | Quoted}}"],
        ),
        // Deciding by it and picking by it is not inserting it; its elements and their names are it.
        ("#{if Alias == Town}a#{else}#{Password}#{/if}", "hunter2", None, &[]),
        ("#{if Alias}#{Town}#{/if}", "#{Town}", None, &["#{Town}"]),
        ("#{Map[#{Alias}].Value}#{Passwords[x]}", "#{Map[#{Alias}].Value}hunter2", None, &[]),
        ("#{each x in Alias}[#{x}]#{/each}", "[#{x}]", None, &["#{x}"]),
        (
            "echo #{each x in Config.list}#{x | Quoted}#{x}#{/each}",
            &format!("echo {reference}#{{x}}"),
            Some("$(reboot)"),
            &["#{x}"],
        ),
        (
            "#{each t in Towns}#{t.Key}#{Password};#{/each}",
            &"#{t.Key}hunter2;".repeat(3),
            None,
            &["#{t.Key}"],
        ),
        ("#{Alias}#{Password}", "#{Alias}hunter2", None, &["#{Alias}"]),
        ("#{Password}#{Map[safe].Value}", "hunter2fine", None, &[]),
    ] {
        let rendered = rendered_for(Some(Shell::Sh), text, &variables);
        assert_eq!(rendered.text, expected, "{text}");
        assert_eq!(rendered.quoted.first().map(String::as_str), quoted, "{text}");
        assert_eq!(rendered.bare.iter().map(String::as_str).collect::<Vec<_>>(), refused, "{text}");
        assert!(rendered.bare.is_empty() || !rendered.is_complete(), "{text}");
    }
}

#[test]
fn what_a_filter_makes_harmless_stays_out_where_it_is_not() {
    for (shell, text, refused) in [
        (Shell::Bash, "echo \"#{Alias | Quoted}\"", true),
        (Shell::Bash, "echo \"#{Alias | ToBase64}\"", false),
        (Shell::Bash, "#{Alias | UriDataEscape}", true),
        (Shell::Python, "print(\"#{Alias | Quoted}\")", true),
        (Shell::Python, "print(#{Alias | ToBase64})", true),
        (Shell::Python, "print('#{Alias | ToBase64}', #{Alias | Quoted})", false),
        (Shell::Pwsh, "Write-Host \"#{Alias | Quoted}\"", true),
        (Shell::Pwsh, "Write-Host #{Alias | ToBase64}", true),
        (Shell::Pwsh, "Write-Host '#{Alias | ToBase64}' #{Alias | Quoted}", false),
        // What a project's own value opens counts as well.
        (Shell::Bash, "echo #{Open} #{Alias | Quoted}", true),
    ] {
        let variables = variables("$(reboot)").with("Open", "\"", Kind::Code);
        let rendered = rendered_for(Some(shell), text, &variables);
        assert_eq!(!rendered.misplaced.is_empty(), refused, "{text}");
        assert_eq!(rendered.is_complete(), !refused, "{text}");
        assert!(!rendered.text.contains("reboot"), "{}", rendered.text);
    }
}

#[test]
fn data_is_no_pattern_and_no_replacement_but_its_own_characters() {
    for (value, text, expected) in [
        (".*", "#{if Password | Match #{Alias}}yes#{else}no#{/if}", "no"),
        ("unte", "#{if Password | Match #{Alias}}yes#{else}no#{/if}", "yes"),
        ("(", "#{Password | Replace #{Alias} x}", "hunter2"),
        ("[a-z]", "#{Password | Replace #{Alias} x}", "hunter2"),
        ("[a-z]", "#{Odd | Replace #{Alias} x}", "axb"),
        ("[a-z]", "#{Odd | Replace #{Alias} \"$0$0\"}", "a[a-z][a-z]b"),
        ("$0$1", "#{Password | Replace \"u(.)\" #{Alias}}", "h$0$1ter2"),
        ("$0", "#{Password | Replace hunt #{Alias}}", "$0er2"),
        // Through the project's own value it is still the tenant's.
        (".*", "#{Password | Replace #{Greeting} x}", "hunter2"),
    ] {
        assert_eq!(rendered(text, &variables(value)).text, expected, "{value} in {text}");
    }
    // What people of the project write is a pattern wherever it comes from.
    assert_eq!(rendered("#{Password | Replace #{Pattern} x}", &variables("")).text, "x2");
}

#[test]
fn code_reads_everything() {
    let rendered = rendered("#{Password}#{OwnSecret}#{Towns[b]}", &variables(""));
    assert_eq!(rendered.text, "hunter2".repeat(3));
}
