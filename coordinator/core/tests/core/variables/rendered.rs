//! What a target makes of a script with what it is given: the same as with everything there is, and nothing that the
//! plan has let pass is refused there (SEMANTICS 6, 8).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value as Json, json};
use windlass_coordinator_core::decide::WorkReportKind;
use windlass_coordinator_core::model::{Snapshot, Step, StoredValue};
use windlass_coordinator_core::variables::{Delivered, delivered, names_with_prefix};
use windlass_protocol::message::{Origin, Outcome};
use windlass_protocol::names::fold;
use windlass_templates::{Kind, Lookup, Render, Rendered, Shell, Template, Value};

use super::{request, web};
use crate::chance::cases;
use crate::world::{World, small};

/// Variables as an agent looks them up.
struct Held(BTreeMap<String, (String, String, Origin)>);

impl Held {
    fn of(given: Vec<Delivered>) -> Self {
        let mut held = BTreeMap::new();
        for Delivered { name, value, origin } in given {
            let StoredValue::Plain(value) = value else { panic!("nothing is sensitive") };
            let octopus = name.strip_prefix("Windlass.").map(|rest| format!("Octopus.{rest}"));
            for name in octopus.into_iter().chain([name]) {
                held.insert(fold(&name), (name, value.clone(), origin));
            }
        }
        Self(held)
    }

    fn render(&self, body: &str) -> Rendered {
        let rendered = Template::parse(body).render(self, Render { shell: Some(Shell::Bash) });
        rendered.expect("small texts are within the limits")
    }
}

impl Lookup for Held {
    fn get(&self, name: &str) -> Option<Value<'_>> {
        let (_, value, origin) = self.0.get(&fold(name))?;
        let kind = if *origin == Origin::Process { Kind::Code } else { Kind::Data };
        Some(Value { text: Cow::Borrowed(value), kind, sensitive: false })
    }

    fn get_for_data(&self, name: &str) -> Option<Cow<'_, str>> {
        let (_, value, origin) = self.0.get(&fold(name))?;
        (*origin == Origin::Tenant).then_some(Cow::Borrowed(value.as_str()))
    }

    fn names_with_prefix(&self, prefix: &str) -> Vec<String> {
        let prefix = fold(prefix);
        let found = self.0.iter().filter(|(name, _)| name.starts_with(&prefix));
        found.map(|(_, (name, ..))| name.clone()).collect()
    }
}

/// What may be defined: `T…` is the tenant's to fill. `Unknown` is nowhere.
const NAMES: [&str; 9] = ["A", "B", "A.x", "A[x]", "A[x].y", "B[x]", "T", "T.x", "T[x]"];
const OUTPUT: &str = "Windlass.Action[Make].Output[machine].O";

fn name() -> impl Strategy<Value = String> {
    let computed = ["A[#{B}]", "A[#{B}].y", "B[#{A}].x", "A[*]", "A[#{T}]", "O[#{A}]", "T[#{B}].y"];
    let others = ["B.x", "A.x.y", "Unknown", "O", "O.x", OUTPUT, "Octopus.Action[Make].Output[machine].O.x"];
    let systems = ["Octopus.Deployment.Tenant.Name", "Windlass.Environment.Name"];
    select([&NAMES[..], &computed, &others, &systems].concat()).prop_map(str::to_owned)
}

fn filter() -> impl Strategy<Value = String> {
    let plain =
        select(vec!["", "", "", " | ToUpper", " | Quoted", " | Quoted", " | Contains x", " | ToBase64"]);
    prop_oneof![8 => plain.prop_map(str::to_owned), 1 => name().prop_map(|name| format!(" | Append #{{{name}}}"))]
}

/// A piece of a text.
fn piece() -> impl Strategy<Value = String> {
    let inserted = (name(), filter()).prop_map(|(name, filter)| format!("#{{{name}{filter}}}"));
    let text = select(vec!["x", " y ", "1", "\n"]).prop_map(str::to_owned);
    let plain = prop_oneof![3 => inserted, 1 => text];
    plain.prop_recursive(1, 4, 2, |inner| {
        let within =
            select(vec!["#{i}", "#{i.x}", "#{A[#{i}]}", "#{i.y | Quoted}", "#{B[#{i.x}]}", "#{i[x]}", ""]);
        prop_oneof![
            4 => inner.clone(),
            1 => (name(), inner.clone()).prop_map(|(name, inner)| format!("#{{if {name}}}{inner}#{{/if}}")),
            1 => (name(), within, inner)
                .prop_map(|(name, within, inner)| format!("#{{each i in {name}}}{within}{inner}#{{/each}}")),
        ]
    })
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        piece(),
        piece().prop_map(|piece| format!("{{\"x\": \"{piece}\", \"y\": \"v\"}}")),
        piece().prop_map(|piece| format!("[\"{piece}\", \"x\"]")),
        piece().prop_map(|piece| format!("{{\"x\": {{\"y\": \"{piece}\"}}}}")),
        select(vec!["x", "y", "x,y"]).prop_map(str::to_owned),
    ]
}

/// A tenant's own value. One that refers to others of the tenant's is another text where these are not there: it makes
/// nothing travel.
fn own_value() -> impl Strategy<Value = String> {
    select(vec!["x", "$(t)", "x,y", "{\"x\": \"t\"}", "{\"x\": {\"y\": \"t\"}}", "#{A}#{Unknown}", "[\"t\"]"])
        .prop_map(str::to_owned)
}

#[derive(Debug)]
struct Case {
    body: String,
    /// By the places in [`NAMES`].
    values: Vec<Option<(String, String)>>,
    /// For which of the templates the tenant gives a value, and does not take the default.
    filled: Vec<bool>,
}

fn case() -> impl Strategy<Value = Case> {
    let body =
        proptest::collection::vec(piece(), 1..4).prop_map(|pieces| format!("echo {}", pieces.join(" ")));
    let of_name = proptest::option::weighted(0.4, (value(), own_value()));
    let values = proptest::collection::vec(of_name, NAMES.len());
    let filled = proptest::collection::vec(any::<bool>(), NAMES.len());
    (body, values, filled).prop_map(|(body, values, filled)| Case { body, values, filled })
}

/// The world of a case, deployed as far as its second step, with what that is given and with all that there is; nothing
/// where the plan refuses it.
fn run(base: &World, case: &Case) -> Option<(Held, Held)> {
    let (mut variables, mut templates, mut own) = (json!({}), Vec::new(), json!({}));
    for ((name, value), filled) in NAMES.iter().zip(&case.values).zip(&case.filled) {
        match value {
            Some((value, _)) if !name.starts_with('T') => variables[name] = json!([{"value": value}]),
            Some((_, value)) if *filled => {
                templates.push(json!({"name": name, "control": "multi-line"}));
                own[name] = json!(value);
            }
            Some((value, _)) => {
                templates.push(json!({"name": name, "control": "multi-line", "default": value}))
            }
            None => {}
        }
    }
    let step = |name, body: &str| json!({"name": name, "roles": ["web"], "script": {"body": body}});
    let steps = [step("Make", "set_windlassvariable O x"), step("Take", &case.body)];
    let mut world = base.clone();
    world.apply(&[
        web(json!({"variables": variables, "templates": templates, "steps": steps})),
        json!({"kind": "tenant", "name": "Alpha", "projects": {"Web": ["Staging"]}, "values": {"Web": own}}),
    ]);
    world.release("Web", "1.0.0");
    let id = *world.try_deploy(request(Some("Alpha"))).ok()?.first()?;
    let (target, assignment, _) = world.work(id)[0];
    world.report(target, assignment, WorkReportKind::Started);
    let outputs = BTreeMap::from([("O".to_owned(), StoredValue::Plain("{\"x\": \"$(o)\"}".to_owned()))]);
    let end = WorkReportKind::Ended { outcome: Outcome::Succeeded, outputs, lines: 0 };
    world.report(target, assignment, end);
    let deployment = world.deployment(id);
    let release = &world.space().releases[&deployment.release()];
    let given = |step: &Step| Held::of(delivered(deployment, release, step, target).expect("it runs"));
    let step = &release.snapshot.steps[1];
    let all = Step { needs: everything(&release.snapshot), ..step.clone() };
    Some((given(step), given(&all)))
}

fn everything(snapshot: &Snapshot) -> BTreeSet<String> {
    let outputs = ["O", "Windlass."].map(str::to_owned);
    names_with_prefix(snapshot, "").into_iter().chain(outputs).collect()
}

fn base() -> World {
    let mut world = small();
    world.replays = false;
    let grant = json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}});
    world.enrol("machine", grant);
    world
}

/// The variables and templates of a case that are defined, for who reads of a failure.
fn shown(case: &Case) -> Json {
    let of = NAMES.iter().zip(&case.values).zip(&case.filled);
    of.filter_map(|((name, value), filled)| Some((name, value.as_ref()?, filled)))
        .map(|(name, (value, own), filled)| {
            json!([name, if name.starts_with('T') && *filled { own } else { value }])
        })
        .collect()
}

#[test]
fn a_script_becomes_the_same_with_what_it_is_given_as_with_all_that_there_is() {
    let (base, mut planned) = (base(), 0);
    cases(400, &case(), |case| {
        let Some((given, all)) = run(&base, &case) else { return };
        planned += 1;
        let (of_given, of_all) = (given.render(&case.body), all.render(&case.body));
        let shown = shown(&case);
        assert_eq!(of_given.text, of_all.text, "{} with {shown}", case.body);
        assert_eq!(of_given.unknown, of_all.unknown, "{} with {shown}", case.body);
        assert!(given.0.len() <= all.0.len());
    });
    assert!(planned > 100, "{planned} are not refused by the plan");
}

#[test]
fn what_the_plan_lets_pass_no_target_refuses() {
    let (base, mut with_data) = (base(), 0);
    // Whether something lies in the JSON of something else, and whether a filter can be applied, is known at the end.
    let foreseen = |name: &String| !name.contains(['.', '[']) && !name.eq_ignore_ascii_case("o");
    cases(600, &case(), |case| {
        let Some((given, _)) = run(&base, &case) else { return };
        let rendered = given.render(&case.body);
        let shown = shown(&case);
        assert!(rendered.bare.is_empty(), "{:?}: {} with {shown}", rendered.bare, case.body);
        let stays = rendered.unapplied.len() + rendered.endless.len();
        if stays == 0 && rendered.unknown.iter().all(foreseen) {
            assert!(rendered.misplaced.is_empty(), "{:?}: {} with {shown}", rendered.misplaced, case.body);
        }
        with_data += usize::from(!rendered.quoted.is_empty());
    });
    assert!(with_data > 10, "{with_data} have data in them");
}

/// What the installation calls something is code only where it cannot be taken for a template.
#[test]
fn a_name_that_looks_like_a_template_is_taken_as_it_is() {
    let mut world = small();
    let step = json!({"name": "Install #{Port}", "roles": ["web"], "script": {"body": "true"}});
    world.apply(&[web(json!({"steps": [step]}))]);
    world.release("Web", "1.0.0");
    let target = world.enrol(
        "machine",
        json!({"roles": ["web"], "environments": ["Staging"],
        "tenants": {"tenants": ["Alpha"]}}),
    );
    let id = world.deploy(request(Some("Alpha")));
    let deployment = world.deployment(id);
    let release = &world.space().releases[&deployment.release()];
    let given = delivered(deployment, release, &release.snapshot.steps[0], target).expect("it runs");
    let mut seen = BTreeMap::new();
    for Delivered { name, value, origin } in given {
        let looks_like_one = value == StoredValue::Plain("Install #{Port}".to_owned());
        assert_eq!(origin == Origin::Other, looks_like_one, "{name}");
        *seen.entry(looks_like_one).or_insert(0) += 1;
    }
    assert!(seen.len() == 2, "{seen:?}");
}
