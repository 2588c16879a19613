//! The description of the API against the API: whatever the other tests are answered is what it says, and everything
//! that it refers to is there.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use windlass_api::answers::DefinitionKind;
use windlass_api::documents::Document;

use crate::http::openapi;

static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| serde_json::to_value(openapi()).unwrap());

/// What says nothing about whether a value is right.
const SILENT: [&str; 7] =
    ["description", "format", "title", "default", "propertyNames", "minimum", "contentMediaType"];

/// Checks that an answer is one that the description tells of. What has no such path is nobody's answer.
pub(super) fn expect_described(method: &Method, path: &str, status: StatusCode, answer: &Value) {
    let path = path.split('?').next().unwrap();
    let Some(operation) = operation(method, path) else {
        assert!(
            status == StatusCode::NOT_FOUND || status == StatusCode::METHOD_NOT_ALLOWED,
            "{method} {path}"
        );
        return;
    };
    let response = &operation["responses"][status.as_str()];
    let schema = &response["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "{method} {path}: nothing is said of {status}");
    if let Err(why) = check(schema, answer) {
        panic!("{method} {path} is not answered as it is described: {why}\n{answer:#}");
    }
}

/// The operation of a path that somebody asked for: words count before placeholders.
fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let asked: Vec<_> = path.split('/').collect();
    let paths = DESCRIPTION["paths"].as_object().unwrap();
    let fits = |template: &&String| {
        let parts: Vec<_> = template.split('/').collect();
        parts.len() == asked.len()
            && parts.iter().zip(&asked).all(|(part, asked)| part.starts_with('{') || part == asked)
    };
    let template = paths.keys().filter(fits).min_by_key(|template| template.matches('{').count())?;
    paths[template].get(method.as_str().to_lowercase())
}

fn check(schema: &Value, value: &Value) -> Result<(), String> {
    let Some(schema) = schema.as_object() else { return Ok(()) };
    for (keyword, says) in schema {
        let right = match keyword.as_str() {
            "$ref" => return check(resolved(says), value),
            "type" => list(says).iter().any(|name| is_a(name, value)),
            "enum" => says.as_array().unwrap().contains(value),
            "required" => match value {
                Value::Object(map) => list(says).iter().all(|name| map.contains_key(name.as_str().unwrap())),
                _ => true,
            },
            "properties" | "additionalProperties" => continue,
            "items" => {
                let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
                items.iter().try_for_each(|item| check(says, item))?;
                true
            }
            "allOf" => {
                list(says).iter().try_for_each(|part| check(part, value))?;
                true
            }
            "oneOf" => {
                let tried: Vec<_> = list(says).iter().map(|part| check(part, value)).collect();
                if tried.iter().filter(|tried| tried.is_ok()).count() != 1 {
                    return Err(format!("not exactly one of several holds for {value}: {tried:?}"));
                }
                true
            }
            silent if SILENT.contains(&silent) => true,
            other => panic!("the description uses `{other}`, which this test does not know"),
        };
        if !right {
            return Err(format!("`{keyword}` says {says}, and here is {value}"));
        }
    }
    check_properties(schema, value)
}

fn check_properties(schema: &Map<String, Value>, value: &Value) -> Result<(), String> {
    let Value::Object(map) = value else { return Ok(()) };
    for (name, value) in map {
        let known = schema.get("properties").and_then(|known| known.get(name));
        match (known, schema.get("additionalProperties")) {
            (Some(schema), _) => check(schema, value)?,
            (None, Some(Value::Bool(false))) => return Err(format!("nothing is said of `{name}`")),
            (None, Some(schema)) => check(schema, value)?,
            (None, None) => {}
        }
    }
    Ok(())
}

fn list(says: &Value) -> &[Value] {
    says.as_array().map_or_else(|| std::slice::from_ref(says), Vec::as_slice)
}

fn is_a(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("there is no type `{other}`"),
    }
}

fn resolved(reference: &Value) -> &'static Value {
    let place = reference.as_str().unwrap().strip_prefix('#').expect("what it refers to is in it");
    DESCRIPTION.pointer(place).unwrap_or_else(|| panic!("nothing is at {place}"))
}

/// Does something with every object of the description.
fn walk(value: &Value, visit: &mut dyn FnMut(&Map<String, Value>)) {
    match value {
        Value::Object(map) => {
            visit(map);
            map.values().for_each(|value| walk(value, visit));
        }
        Value::Array(items) => items.iter().for_each(|value| walk(value, visit)),
        _ => {}
    }
}

fn operations() -> impl Iterator<Item = (String, &'static String, &'static Value)> {
    let paths = DESCRIPTION["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, item)| {
        let item = item.as_object().unwrap().iter();
        item.map(move |(method, operation)| (method.to_uppercase(), path, operation))
    })
}

#[test]
fn everything_that_the_description_refers_to_is_in_it() {
    let mut references = BTreeSet::new();
    walk(&DESCRIPTION, &mut |map| references.extend(map.get("$ref").map(Value::to_string)));
    assert!(references.len() > 30, "{references:?}");
    let missing: Vec<_> = references
        .iter()
        .map(|reference| reference.trim_matches('"').trim_start_matches('#'))
        .filter(|place| DESCRIPTION.pointer(place).is_none())
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn an_operation_has_one_name_and_says_what_its_path_takes() {
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations() {
        assert!(names.insert(operation["operationId"].to_string()), "{method} {path} is called as another");
        let placeholders: BTreeSet<_> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        let taken = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let taken = taken.iter().filter(|parameter| parameter["in"] == "path");
        let taken: BTreeSet<_> = taken.map(|parameter| parameter["name"].as_str().unwrap()).collect();
        assert_eq!(placeholders, taken, "{method} {path}");
    }
    assert!(names.len() > 40, "{names:?}");
}

/// Client generators refuse a description in which an answer has no words.
#[test]
fn every_answer_is_described_in_words() {
    for (method, path, operation) in operations() {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let words = response["description"].as_str().unwrap_or_default();
            assert!(!words.is_empty(), "{method} {path}: {status}");
        }
    }
}

#[test]
fn what_changes_something_may_be_repeated_and_says_so() {
    for (method, path, operation) in operations() {
        let taken = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let key = taken.iter().find(|parameter| parameter["name"] == "Idempotency-Key");
        let reads = method == "GET" || path.ends_with("/plans");
        assert_eq!(key.is_none(), reads, "{method} {path}");
        let Some(key) = key else { continue };
        assert_eq!((&key["in"], &key["required"]), (&json!("header"), &json!(false)), "{method} {path}");
        assert_eq!(key["schema"]["maxLength"], 200, "{method} {path}");
    }
}

#[test]
fn a_value_that_is_not_as_described_is_found() {
    let schema = json!({"type": "object", "required": ["a"], "additionalProperties": false,
        "properties": {"a": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/ProblemKind"}]}}});
    assert_eq!(check(&schema, &json!({"a": "conflict"})), Ok(()));
    for wrong in [json!([]), json!({}), json!({"a": "anger"}), json!({"a": null, "b": 1})] {
        assert!(check(&schema, &wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_is_one_of_a_few_words_is_described_as_such() {
    let words = [
        ("DeploymentItem", "state"),
        ("DeploymentStepView", "state"),
        ("DeploymentTargetView", "fetch"),
        ("WaitView", "rule"),
        ("LogLine", "stream"),
        ("TokenItem", "role"),
        ("TokenRequest", "role"),
        ("Whoami", "role"),
        ("TargetView", "isolation"),
        ("ScopeView", "participation"),
        ("DefinitionItem", "kind"),
        ("AppliedChange", "kind"),
        ("PulledItem", "kind"),
        ("Reachable", "by"),
    ];
    for (schema, field) in words {
        let mut found = Vec::new();
        walk(&DESCRIPTION["components"]["schemas"][schema], &mut |map| {
            found.extend(map.get("properties").and_then(|fields| fields.get(field)).cloned());
        });
        assert_eq!(found.len(), 1, "{schema}.{field}");
        for wrong in ["no-such-word", "Succeeded", ""] {
            assert!(check(&found[0], &json!(wrong)).is_err(), "{schema}.{field} takes `{wrong}`");
        }
    }
    let kinds: Vec<_> = DefinitionKind::ALL.iter().map(|kind| kind.word()).collect();
    assert_eq!(kinds, Document::KINDS);
}
