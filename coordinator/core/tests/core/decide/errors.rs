//! Every error of documents, as one clear sentence that is reviewed (SEMANTICS 12).

use serde_json::{Value, json};

use crate::golden;
use crate::world::small;

/// What is wrong, and documents that are wrong so.
type Case = (&'static str, Vec<Value>);

/// A document of a kind, with these keys beside its name.
fn named(kind: &str, name: &str, keys: Value) -> Value {
    with(json!({"kind": kind, "name": name}), keys)
}

fn with(mut base: Value, keys: Value) -> Value {
    base.as_object_mut().expect("an object").extend(keys.as_object().expect("an object").clone());
    base
}

fn project(keys: Value) -> Value {
    named("project", "Shop", keys)
}

fn step(keys: Value) -> Value {
    project(
        json!({"steps": [with(json!({"name": "Run", "roles": ["web"], "script": {"body": "true"}}), keys)]}),
    )
}

fn template(keys: Value) -> Value {
    project(json!({"templates": [with(json!({"name": "Port"}), keys)]}))
}

fn value(keys: Value) -> Value {
    project(json!({"variables": {"Port": [with(json!({"value": "1"}), keys)]}}))
}

fn tenant(keys: Value) -> Value {
    named("tenant", "Delta", keys)
}

fn tag_set(keys: Value) -> Value {
    named("tag-set", "Region", keys)
}

fn lifecycle(phases: Value) -> Value {
    named("lifecycle", "Careful", json!({"phases": phases}))
}

fn names_and_frames() -> Vec<Case> {
    vec![
        ("no name", vec![named("environment", "", json!({}))]),
        ("a name with a line break", vec![named("environment", "a\nb", json!({}))]),
        ("a name that turns its direction", vec![named("environment", "a\u{202e}b", json!({}))]),
        ("a name with what is not seen", vec![named("environment", "a\u{200b}b", json!({}))]),
        (
            "defined twice, written in two ways",
            vec![named("environment", "Demo", json!({})), named("environment", "Ｄｅｍｏ", json!({}))],
        ),
        ("a tenant with a comma", vec![named("tenant", "Smith, Jones", json!({}))]),
        ("a tenant that looks like a query", vec![named("tenant", "Tenant:Alpha", json!({}))]),
        ("a tag that looks like an exclusion", vec![tag_set(json!({"tags": [{"name": "!EU"}]}))]),
        ("a tag set with a comma", vec![named("tag-set", "A,B", json!({"tags": []}))]),
        ("a name that clears the screen", vec![named("tenant", "a\u{1b}[2Jb", json!({}))]),
        (
            "an unknown name that clears the screen",
            vec![named("project", "P", json!({"lifecycle": "\u{1b}[2J"}))],
        ),
        (
            "a phase with a line break",
            vec![lifecycle(json!([{"name": "a\nb", "environments": ["Testing"]}]))],
        ),
        ("a role with a line break", vec![step(json!({"roles": ["a\nb"]}))]),
        ("a name without letters", vec![named("environment", "!!!", json!({}))]),
        ("a bad slug", vec![named("environment", "Demo", json!({"slug": "De mo"}))]),
        ("a taken slug", vec![named("environment", "Demo", json!({"slug": "staging"}))]),
        (
            "defined twice",
            vec![named("environment", "Demo", json!({})), named("environment", "DEMO", json!({}))],
        ),
        ("a tag set with a slash", vec![named("tag-set", "A/B", json!({"tags": []}))]),
        ("a tag twice", vec![tag_set(json!({"tags": [{"name": "EU"}, {"name": "eu"}]}))]),
        ("a tag without a name", vec![tag_set(json!({"tags": [{"name": " "}]}))]),
        ("no colour", vec![tag_set(json!({"tags": [{"name": "EU", "colour": "blue"}]}))]),
        ("a used tag left out", vec![named("tag-set", "Ring", json!({"tags": [{"name": "Stable"}]}))]),
        (
            "single where a tenant has several",
            vec![
                named("tenant", "Gamma", json!({"tags": ["Ring/Canary", "Ring/Stable"]})),
                named("tag-set", "Ring", json!({"tags": [{"name": "Canary"}, {"name": "Stable"}]})),
            ],
        ),
        (
            "an unknown environment in a phase",
            vec![lifecycle(json!([{"name": "One", "environments": ["Stagin"]}]))],
        ),
        (
            "an environment in two phases",
            vec![lifecycle(
                json!([{"name": "One", "environments": ["Staging"]}, {"name": "Two", "environments": ["staging"]}]),
            )],
        ),
        (
            "optional with a minimum",
            vec![lifecycle(json!([{"name": "One", "optional": true, "minimum": 1}]))],
        ),
        ("a minimum of nothing", vec![lifecycle(json!([{"name": "One", "minimum": 0}]))]),
        ("what was not seen", vec![lifecycle(json!([{"name": "Elsewhere", "unseen": true}]))]),
    ]
}

fn projects_and_steps() -> Vec<Case> {
    vec![
        ("an unknown lifecycle", vec![project(json!({"lifecycle": "Fre"}))]),
        ("an unknown library set", vec![project(json!({"library-sets": ["Shared"]}))]),
        ("a step without roles", vec![step(json!({"roles": []}))]),
        ("a step without an action", vec![project(json!({"steps": [{"name": "Run", "roles": ["web"]}]}))]),
        ("a step with two actions", vec![step(json!({"package": {"id": "shop"}}))]),
        ("a step without time", vec![step(json!({"timeout-seconds": 0}))]),
        ("a step for too long", vec![step(json!({"timeout-seconds": 604801}))]),
        ("a step for longer than a week", vec![step(json!({"timeout": "8d"}))]),
        ("a step for so long", vec![step(json!({"timeout": "30 minutes"}))]),
        ("a step with two times", vec![step(json!({"timeout": "30m", "timeout-seconds": 1800}))]),
        (
            "a step twice",
            vec![project(
                json!({"steps": [{"name": "Run", "roles": ["web"], "script": {"body": ""}}, {"name": "run", "roles": ["web"], "script": {"body": ""}}]}),
            )],
        ),
        ("a step in an unknown environment", vec![step(json!({"environments": ["Nowhere"]}))]),
        ("a script too long", vec![step(json!({"script": {"body": "x".repeat((512 << 10) + 1)}}))]),
        (
            "a bad package id",
            vec![project(
                json!({"steps": [{"name": "Copy", "roles": ["web"], "package": {"id": "../shop"}}]}),
            )],
        ),
        ("a tag without its set", vec![step(json!({"tenants": {"tags": ["Canary"]}}))]),
        ("an unknown tag set", vec![step(json!({"tenants": {"tags": ["Rink/Canary"]}}))]),
        ("an unknown tag", vec![step(json!({"tenants": {"tags": ["Ring/Canry"]}}))]),
        ("an unknown tenant", vec![step(json!({"tenants": {"tenants": ["Alfa"]}}))]),
    ]
}

fn templates_and_values() -> Vec<Case> {
    vec![
        ("a template twice", vec![project(json!({"templates": [{"name": "Port"}, {"name": "PORT"}]}))]),
        ("a template called environments", vec![template(json!({"name": "Environments"}))]),
        ("a template with a bad name", vec![template(json!({"name": "a#b"}))]),
        ("a select without options", vec![template(json!({"control": "select"}))]),
        ("options without select", vec![template(json!({"options": ["a"]}))]),
        (
            "a default that is no option",
            vec![template(json!({"control": "select", "options": ["a"], "default": "b"}))],
        ),
        ("a default that is no checkbox", vec![template(json!({"control": "checkbox", "default": "yes"}))]),
        ("a default of two lines", vec![template(json!({"default": "a\nb"}))]),
        ("a sensitive default in clear", vec![template(json!({"control": "sensitive", "default": "s"}))]),
        ("a variable twice", vec![project(json!({"variables": {"Port": [], "PORT": []}}))]),
        ("a variable with a bad name", vec![project(json!({"variables": {" Port": []}}))]),
        ("a value too long", vec![value(json!({"value": "x".repeat(2 << 20)}))]),
        ("a value for an unknown target", vec![value(json!({"targets": ["machine"]}))]),
        ("a value for an unknown step", vec![value(json!({"steps": ["Run"]}))]),
        ("unchanged, and nothing there", vec![value(json!({"value": {"sensitive": "unchanged"}}))]),
        ("a secret that was not read", vec![value(json!({"value": {"from-env": "SECRET"}}))]),
        (
            "a library set's value for a tenant",
            vec![named(
                "library-set",
                "Shared",
                json!({"variables": {"Port": [{"value": "1", "tenants": {"tenants": ["Alpha"]}}]}}),
            )],
        ),
    ]
}

fn tenants() -> Vec<Case> {
    vec![
        ("an unknown tag of a tenant", vec![tenant(json!({"tags": ["Ring/Canry"]}))]),
        ("two tags of a single set", vec![tenant(json!({"tags": ["Tier/Gold", "Tier/Iron"]}))]),
        ("an unknown project", vec![tenant(json!({"projects": {"Wep": []}}))]),
        ("an unknown environment of a connection", vec![tenant(json!({"projects": {"Web": ["Nowhere"]}}))]),
        (
            "a project by two names",
            vec![tenant(json!({"projects": {"Web": ["Testing"], "web": ["Staging"]}}))],
        ),
        (
            "a value given twice, by two names of its owner",
            vec![
                template(json!({})),
                tenant(json!({"values": {"Shop": {"Port": "1"}, "shop": {"Port": "2"}}})),
            ],
        ),
        (
            "a value given twice, by two names of the environment",
            vec![
                template(json!({})),
                tenant(
                    json!({"values": {"Shop": {"environments": {"Staging": {"Port": "1"}, "staging": {"Port": "1"}}}}}),
                ),
            ],
        ),
        ("values of an unknown owner", vec![tenant(json!({"values": {"Wep": {}}}))]),
        ("a value of an unknown template", vec![tenant(json!({"values": {"Web": {"Port": "1"}}}))]),
        (
            "a library set's value for an environment",
            vec![
                named("library-set", "Shared", json!({"templates": [{"name": "Zone"}]})),
                tenant(json!({"values": {"Shared": {"environments": {"Staging": {"Zone": "1"}}}}})),
            ],
        ),
        (
            "a value that the control forbids",
            vec![
                template(json!({"control": "checkbox"})),
                tenant(json!({"values": {"Shop": {"Port": "1"}}})),
            ],
        ),
        (
            "an owner that is two things",
            vec![named("library-set", "Web", json!({})), tenant(json!({"values": {"Web": {}}}))],
        ),
    ]
}

#[test]
fn every_error_of_documents_is_one_clear_sentence() {
    let (base, mut table) = (small(), String::new());
    let cases = [names_and_frames(), projects_and_steps(), templates_and_values(), tenants()];
    for (what, documents) in cases.concat() {
        let mut world = base.clone();
        let answer = world.try_apply(&documents);
        // The one case that takes two applications: what makes it wrong is there first.
        let tags = json!({"type": "single", "tags": [{"name": "Canary"}, {"name": "Stable"}]});
        let single = named("tag-set", "Ring", tags);
        let problem = answer.and_then(|_| world.try_apply(&[single])).expect_err(what);
        table += &format!("{what} ({:?})\n    {}\n", problem.kind, problem.message);
    }
    golden::check("errors-of-documents", "What is wrong with documents, and the sentence for it.", &table);
}
