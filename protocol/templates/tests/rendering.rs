//! What texts become, feature by feature.

mod variables;

use variables::Variables;
use windlass_templates::{Render, Rendered, Shell, Template, render_value};

fn rendered(text: &str, variables: &Variables) -> Rendered {
    match Template::parse(text).render(variables, Render { shell: Some(Shell::Sh) }) {
        Ok(rendered) => rendered,
        Err(error) => panic!("{text}: {error}"),
    }
}

/// Text, variables as code, result.
type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

/// Everything in these has a value and a filter.
fn check(rows: &[Row<'_>]) {
    for (text, variables, expected) in rows {
        let rendered = rendered(text, &Variables::code(variables));
        assert_eq!(rendered.text, *expected, "{text}");
        assert!(rendered.is_complete(), "{text}");
    }
}

#[test]
fn names_are_replaced_by_values() {
    check(&[
        ("a #{Foo} b", &[("Foo", "x")], "a x b"),
        ("#{foo}#{FOO}", &[("Foo", "x")], "xx"),
        ("#{ Foo Bar }", &[("Foo Bar", "x")], "x"),
        ("#{Foo.Bar}#{Foo . Bar}", &[("foo.bar", "x")], "xx"),
        ("#{a/b}#{a~b}#{(abc)}#{A:B}", &[("a/b", "1"), ("a~b", "2"), ("(abc)", "3"), ("a:b", "4")], "1234"),
        ("##{Foo}###{Foo}", &[("Foo", "x")], "#{Foo}#x"),
        ("# ## ### ####### $", &[], "# ## ### ####### $"),
    ]);
}

#[test]
fn indexes_are_part_of_the_name_and_may_be_names_themselves() {
    check(&[
        ("#{A[Package A].Name}", &[("A[Package A].Name", "x")], "x"),
        ("#{P[c[0].n].R}", &[("P[c[0].n].R", "x")], "x"),
        ("#{A[#{B}].C}", &[("A[k].C", "x"), ("B", "k")], "x"),
        ("#{A[#{B[#{C}]}]}", &[("A[k]", "x"), ("B[j]", "k"), ("C", "j")], "x"),
        ("#{A[#{B | ToLower}]}", &[("A[k]", "x"), ("B", "K")], "x"),
        ("#{A[#{B}]}", &[("A[c[0]]", "x"), ("B", "c[0]")], "x"),
        ("#{A[*].N}", &[("A[b].N", "x"), ("A[c].N", "y")], "x"),
        ("#{A[].N}", &[("A[].N", "x")], "x"),
    ]);
}

#[test]
fn values_are_rendered_in_turn() {
    check(&[
        ("#{Foo}", &[("Foo", "#{Bar | ToLower}"), ("Bar", "BAZ")], "baz"),
        ("#{Foo|ToUpper}", &[("Foo", "<#{Bar}>"), ("Bar", "#{Baz}"), ("Baz", "q")], "<Q>"),
        ("#{Foo}", &[("Foo", "##{Bar}")], "#{Bar}"),
        ("#{Foo}", &[("Foo", "#{if A}x#{else}y#{/if}"), ("A", "No")], "y"),
        ("#{Foo}#{Foo}", &[("Foo", "#{Bar}"), ("Bar", "b")], "bb"),
    ]);
}

#[test]
fn conditions_choose() {
    let variables: &[_] = &[("T", "true"), ("E", ""), ("Same", "true"), ("R", "r"), ("text", "test text")];
    check(&[
        ("#{if T}#{R}#{/if}", variables, "r"),
        ("#{if E}#{R}#{else}-#{/if}", variables, "-"),
        ("#{if Missing}#{AlsoMissing}#{/if}", variables, ""),
        ("#{unless Missing}#{R}#{else}x#{/unless}", variables, "r"),
        ("#{unless T}x#{/unless}", variables, ""),
        ("#{if T == \"true\"}y#{/if}#{if T != \"true\"}n#{/if}", variables, "y"),
        ("#{if T == \"True\"}n#{else}y#{/if}", variables, "y"),
        ("#{if T == Same}y#{/if}#{if T==Missing}n#{/if}", variables, "y"),
        ("#{if Missing == \"\"}y#{/if}", variables, "y"),
        ("{\"B\":\"#{if text == \\\"test text\\\"}y#{/if}\"}", variables, "{\"B\":\"y\"}"),
        ("#{if T | ToUpper == \"TRUE\"}y#{/if}", variables, "y"),
        ("#{if text | Contains \"st t\"}no#{else}yes#{/if}", variables, "no"),
        ("#{if T}#{if R==\"r\"}y#{/if}#{/if}", variables, "y"),
    ]);
}

#[test]
fn nothing_zero_no_and_false_are_not_true() {
    for (value, expected) in [
        ("", "n"),
        ("0", "n"),
        ("False", "n"),
        (" FALSE ", "n"),
        ("no", "n"),
        (" ", "y"),
        ("00", "y"),
        ("None", "y"),
        ("yes", "y"),
        ("1", "y"),
    ] {
        let variables = Variables::code(&[("V", value)]);
        assert_eq!(rendered("#{if V}y#{else}n#{/if}", &variables).text, expected, "{value:?}");
    }
}

#[test]
fn loops_go_through_indexed_variables() {
    let actions: &[_] = &[
        ("O.Action[].Name", "Z"),
        ("O.Action[A].Name", "a"),
        ("O.Action[A].Roles", "x,y"),
        ("O.Action[B].Name", "#{b}"),
        ("O.Action[B].Roles", "z"),
        ("b", "bee"),
        ("S[k]", "5"),
        ("S[l]", "7"),
        ("S[l].Key", "own"),
        ("D[k].D.E", "deep"),
        ("J[k]", "{\"m\": {\"n\": 1}}"),
        ("P[c[0]].N", "p"),
    ];
    check(&[
        ("#{each a in O.Action}#{a}-#{a.Name};#{/each}", actions, "-Z;A-a;B-bee;"),
        ("#{ each  a  in  o.action }#{ A . name }#{/each}", actions, "Zabee"),
        ("#{each s in S}#{s}#{s.Key}#{/each}", actions, "5k7own"),
        ("#{each d in D}#{d.D.E}#{d.Key}#{each k in d}#{k}#{/each}#{/each}", actions, "deepkk"),
        ("#{each j in J}#{j.m.n}#{/each}", actions, "1"),
        ("#{each p in P}#{p}:#{p.N}#{/each}", actions, "c[0]:p"),
        ("#{each d in D}#{S[#{d.Key}]}#{O.Action[A].Name}#{/each}", actions, "5a"),
        ("Ok#{each x in Missing}#{x}#{/each}", actions, "Ok"),
    ]);
    let nested = "#{each a in O.Action}#{each r in a.Roles}#{a.Name}#{r}#{/each}#{/each}";
    check(&[(nested, actions, "axaybeez")]);
}

#[test]
fn loops_go_through_lists_and_json() {
    let variables: &[_] = &[
        ("L", "A,B, C"),
        ("Array", "[2, \"x y\", {\"N\": [true, null]}]"),
        ("Object", "{\"Small\": \"11.5\", \"Large\": 15.20, \"X\": {\"E\": \"none\"}}"),
        ("Held", "{\"list\": [1, 2]}"),
        ("Via", "#{L},D"),
        ("Empty", ""),
    ];
    check(&[
        ("#{each x in L}[#{x}]#{/each}", variables, "[A][B][ C]"),
        ("#{each x in Via}[#{x}]#{/each}", variables, "[A][B][ C][D]"),
        ("#{each x in Array}[#{x}]#{/each}", variables, "[2][x y][{\"N\":[true,null]}]"),
        (
            "#{each s in Object}#{s}=#{s.Value} #{/each}",
            variables,
            "Small=11.5 Large=15.20 X={\"E\":\"none\"} ",
        ),
        (
            "#{each n in Held.list}#{n}#{if Octopus.Template.Each.Last == \"False\"}-#{/if}#{/each}",
            variables,
            "1-2",
        ),
        ("#{each x in Empty}<#{x}>#{/each}", variables, "<>"),
        (
            "#{each x in L}#{Octopus.Template.Each.Index}#{Octopus.Template.Each.First}#{octopus.template.each.last} #{/each}",
            variables,
            "0TrueFalse 1FalseFalse 2FalseTrue ",
        ),
        ("#{each x in L}#{each y in Held[list]}#{x}#{y}#{/each}#{/each}", variables, "A1A2B1B2 C1 C2"),
    ]);
    let inner = "#{each s in Object}#{if s.Key == \"X\"}#{s.Value.E}#{/if}#{/each}";
    check(&[(inner, variables, "none")]);
}

#[test]
fn members_of_json_are_reached_by_name_and_index() {
    let variables: &[_] = &[
        (
            "Test",
            "{\"Hello\": \"World\", \"Donkey\": {\"Kong\": 12}, \"Items\": [{\"N\": \"Toast\"}, {\"N\": \"Bread\"}]}",
        ),
        ("Test.Donkey.Kong", "MARIO"),
        ("Made", "{\"#{Key}\": \"#{Val}\", \"n\": null}"),
        ("Key", "Foo"),
        ("Val", "Bar"),
        ("Own", "{\"Name\": \"#{Own.Value}\", \"Value\": 12}"),
    ];
    check(&[
        ("#{Test.Hello}#{Test[Hello]}", variables, "WorldWorld"),
        ("#{Test.Items[1].N}#{Test[Items][0][N]}", variables, "BreadToast"),
        ("#{Test.Donkey}", variables, "{\"Kong\":12}"),
        ("#{Test.Donkey.Kong}", variables, "MARIO"),
        ("#{Made.Foo}#{Made[#{Key}]}", variables, "BarBar"),
        ("a#{Made.n}b#{Made.Missing | ToUpper}c#{Test.Items[7]}d", variables, "abcd"),
        ("#{Own.Name}", variables, "12"),
    ]);
    let rendered = rendered("#{Key.Length}#{Test.Missing.More}", &Variables::code(variables));
    assert_eq!(rendered.text, "#{Key.Length}#{Test.Missing.More}");
    assert_eq!(rendered.unknown.into_iter().collect::<Vec<_>>(), ["Key.Length", "Test.Missing.More"]);
}

#[test]
fn filters_are_applied_in_order_with_their_arguments() {
    let variables: &[_] = &[("Foo", "Abc"), ("p", "b"), ("r", "x"), ("q", "it's")];
    check(&[
        ("#{Foo|ToUpper|ToLower}", variables, "abc"),
        ("#{Foo | Replace #{p}#{r} | toupper}", variables, "AXC"),
        ("#{Foo | Append \" \" #{p | ToUpper} 1}", variables, "Abc B1"),
        ("#{Foo | Append \\\"# \\\"}#{Foo | Append \"#\"}", variables, "Abc# Abc#"),
        ("#{ | Append x}#{Missing | Append y | ToUpper}", variables, "xY"),
        ("#{Foo | Indent 2/3}", variables, "  Abc"),
        ("#{q | Quoted}", variables, "'it'\\''s'"),
    ]);
}

#[test]
fn a_value_is_rendered_by_its_name() {
    let variables = Variables::code(&[("A+B", "<#{C}>"), ("C", "c"), ("Self", "#{Self}")]);
    let text = |name| match render_value(name, &variables, Render::default()) {
        Ok(rendered) => rendered.map(|rendered| rendered.text),
        Err(error) => panic!("{error}"),
    };
    assert_eq!(text("a+b").as_deref(), Some("<c>"));
    assert_eq!(text("Self").as_deref(), Some("#{Self}"));
    assert_eq!(text("Missing"), None);
}
