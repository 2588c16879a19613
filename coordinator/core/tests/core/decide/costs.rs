//! What costs more than it should where there is more of it (THREATS G5): whoever asks next waits for as long.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value, json};
use windlass_api::error::Problem;
use windlass_coordinator_core::decide::{ReadNames, Reply};
use windlass_protocol::message::Outcome;
use windlass_templates::Shell;

use crate::world::{ended, project, small};

/// How much of everything there is in the smaller case; ten times as much in the larger.
const FEW: usize = 400;

/// Ten times as much may cost that many times as much: half of it is there for trees that are deeper, and for noise. Where
/// each is compared with each it is a hundred times.
const MOST: f64 = 30.0;

/// Makes a document with so many of something, which differs by the word.
type Defining<'a> = &'a dyn Fn(usize, &str) -> Value;

/// The processor's time for defining `count` of something twice, the second time in the place of what is there.
fn took(count: usize, define: Defining<'_>) -> Duration {
    let mut world = small();
    world.replays = false;
    let started = now();
    world.apply(&[define(count, "one")]);
    world.apply(&[define(count, "other")]);
    now() - started
}

/// The processor's time of this thread.
fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).expect("there is such a clock")
}

#[test]
fn ten_times_as_much_in_one_document_costs_about_ten_times_as_much() {
    let variables = |count, value: &str| {
        let one = |index| (format!("V{index}"), json!([{"value": value}]));
        json!({"kind": "library-set", "name": "Shared", "variables": (0..count).map(one).collect::<Map<_, _>>()})
    };
    let values = |count, value: &str| {
        let one = |index| json!({"value": value, "roles": [format!("role-{index}")]});
        json!({"kind": "library-set", "name": "Shared", "variables": {"V": (0..count).map(one).collect::<Value>()}})
    };
    let templates = |count, label: &str| {
        let one = |index| json!({"name": format!("T{index}"), "label": label});
        json!({"kind": "library-set", "name": "Shared", "templates": (0..count).map(one).collect::<Value>()})
    };
    let tags = |count, word: &str| {
        let colour = if word == "one" { "#000000" } else { "#ffffff" };
        let one = |index| json!({"name": format!("T{index}"), "colour": colour});
        json!({"kind": "tag-set", "name": "Region", "tags": (0..count).map(one).collect::<Value>()})
    };
    let steps = |count, body: &str| {
        let one = |index| json!({"name": format!("S{index}"), "roles": ["web"], "script": {"body": body}});
        project("Large", (0..count).map(one).collect())
    };
    let cases: [(&str, Defining<'_>); 5] = [
        ("variables", &variables),
        ("values of a variable", &values),
        ("templates", &templates),
        ("tags", &tags),
        ("steps", &steps),
    ];
    for (what, define) in cases {
        let (few, many) = (took(FEW, define), took(10 * FEW, define));
        let ratio = many.as_secs_f64() / few.as_secs_f64();
        assert!(ratio < MOST, "{what}: {ratio:.1} times as long, {few:?} and {many:?}");
    }
}

/// The processor's time for applying `then` where `count` of what `first` defines is there.
fn applying_took(first: Vec<Value>, then: &[Vec<Value>]) -> Duration {
    let mut world = small();
    world.replays = false;
    world.apply(&first);
    let started = now();
    then.iter().for_each(|documents| world.apply(documents));
    now() - started
}

/// A library set with so many templates, all of this control.
fn set_of_templates(count: usize, control: &str) -> Value {
    let one = |index| json!({"name": format!("T{index}"), "control": control});
    json!({"kind": "library-set", "name": "Shared", "templates": (0..count).map(one).collect::<Value>()})
}

/// Values for so many of them.
fn values(count: usize, value: &str) -> Value {
    json!({"Shared": (0..count).map(|index| (format!("T{index}"), json!(value))).collect::<Map<_, _>>()})
}

#[test]
fn ten_times_as_much_that_documents_refer_to_costs_about_ten_times_as_much() {
    let tenants_values = |count| {
        let filled = |values: Value| vec![json!({"kind": "tenant", "name": "Gamma", "values": values})];
        let mut coloured = filled(values(0, ""));
        coloured[0]["enabled"] = json!(false);
        let taken_out = vec![set_of_templates(0, "single-line")];
        let put_back = vec![set_of_templates(count, "single-line")];
        let then = [
            filled(values(count, "v")),
            filled(values(0, "")),
            filled(values(count, "w")),
            taken_out,
            coloured,
        ];
        applying_took(put_back, &then)
    };
    let carried_tags = |count| {
        let names = || (0..count).map(|index| format!("T{index}"));
        let tags: Value = names().map(|name| json!({"name": name})).collect();
        let carried: Value = names().map(|name| json!(format!("Region/{name}"))).collect();
        let set = json!({"kind": "tag-set", "name": "Region", "tags": tags});
        applying_took(vec![set], &[vec![json!({"kind": "tenant", "name": "Gamma", "tags": carried})]])
    };
    let changed_templates = |count| {
        let tenant =
            |index| json!({"kind": "tenant", "name": format!("G{index}"), "values": values(20, "v")});
        let first = [set_of_templates(count, "single-line")].into_iter().chain((0..count / 4).map(tenant));
        applying_took(first.collect(), &[vec![set_of_templates(count, "multi-line")]])
    };
    let cases: [(&str, &dyn Fn(usize) -> Duration); 3] = [
        ("a tenant's values", &tenants_values),
        ("carried tags", &carried_tags),
        ("changed templates", &changed_templates),
    ];
    let slow = cases.into_iter().filter_map(|(what, took)| {
        let (few, many) = (took(FEW), took(10 * FEW));
        let ratio = many.as_secs_f64() / few.as_secs_f64();
        (ratio >= MOST).then(|| format!("{what}: {ratio:.1} times as long, {few:?} and {many:?}"))
    });
    let slow: Vec<_> = slow.collect();
    assert!(slow.is_empty(), "{slow:?}");
}

/// The same for deploying what reads one variable, and behind that one `count` others, each in the value of the one before.
fn deploying_took(count: usize) -> Duration {
    let mut world = small();
    world.replays = false;
    world.enrol(
        "machine",
        json!({"roles": ["web"], "environments": ["Staging"], "participation": "untenanted"}),
    );
    let one = |index| (format!("V{index}"), json!([{"value": format!("#{{V{}}}", index + 1)}]));
    let mut document =
        project("Web", json!([{"name": "Run", "roles": ["web"], "script": {"body": "echo #{V0}"}}]));
    document["variables"] = (0..count).map(one).collect::<Map<_, _>>().into();
    world.apply(&[document]);
    world.release("Web", "1.0.0");
    let started = now();
    world.deploy(json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"]}));
    now() - started
}

#[test]
fn ten_times_as_many_variables_behind_one_name_cost_about_ten_times_as_much() {
    let (few, many) = (deploying_took(5 * FEW), deploying_took(50 * FEW));
    let ratio = many.as_secs_f64() / few.as_secs_f64();
    assert!(ratio < MOST, "{ratio:.1} times as long, {few:?} and {many:?}");
}

/// The same for what the first of `count` steps tells when it has ended.
fn ending_took(count: usize) -> Duration {
    let mut world = small();
    world.replays = false;
    let grant = json!({"roles": ["web"], "environments": ["Staging"], "participation": "untenanted"});
    world.enrol("machine", grant);
    let step = |index| json!({"name": format!("S{index}"), "roles": ["web"], "script": {"body": "true"}});
    world.apply(&[project("Web", (0..count).map(step).collect())]);
    world.release("Web", "1.0.0");
    let id = world.deploy(json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"]}));
    let (target, assignment, _) = world.work(id)[0];
    let started = now();
    world.report(target, assignment, ended(Outcome::Succeeded));
    let took = now() - started;
    assert_eq!(world.work(id).len(), 1, "the next one is given");
    took
}

#[test]
fn the_end_of_one_of_ten_times_as_many_steps_costs_about_ten_times_as_much() {
    let (few, many) = (ending_took(FEW), ending_took(10 * FEW));
    let ratio = many.as_secs_f64() / few.as_secs_f64();
    assert!(ratio < MOST, "{ratio:.1} times as long, {few:?} and {many:?}");
    let step = |index| json!({"name": format!("S{index}"), "roles": ["web"], "script": {"body": "true"}});
    let why =
        small().try_apply(&[project("Web", (0..5001).map(step).collect())]).expect_err("it is too much");
    assert!(why.message.contains("5000 steps at most"), "{why:?}");
}

/// What making a release came to whose hook, in each of these steps, reads `V0` of these variables, and how long it took.
fn making(steps: Value, variables: Map<String, Value>) -> (Result<Reply, Problem>, Duration) {
    let mut world = small();
    world.replays = false;
    world.package("shop", "1.0.0");
    let mut document = project("Web", steps);
    document["variables"] = variables.into();
    world.apply(&[document]);
    let mut read = ReadNames::default();
    read.add_hook("echo #{V0}", Shell::Bash);
    let started = now();
    let made = world.try_release("Web", "1.0.0", &read);
    (made, now() - started)
}

/// The same of one step.
fn releasing_took(variables: Map<String, Value>) -> Duration {
    let (made, took) = making(json!([copy(0, json!({}))]), variables);
    made.expect("nothing of it is sensitive");
    took
}

/// A step with the package, and what else is said.
fn copy(index: usize, with: Value) -> Value {
    let mut step = json!({"name": format!("Copy {index}"), "roles": ["web"], "package": {"id": "shop"}});
    step.as_object_mut().expect("it is one").extend(with.as_object().expect("it is one").clone());
    step
}

#[test]
fn hooks_are_looked_through_once_for_steps_that_are_alike() {
    let chain = |count: usize| {
        let one = |index| (format!("V{index}"), json!([{"value": format!("#{{V{}}}", index + 1)}]));
        (0..count).map(one).collect::<Map<_, _>>()
    };
    let alike = |count: usize| (0..count).map(|index| copy(index, json!({}))).collect::<Value>();
    let ((_, one), (made, many)) = (making(alike(1), chain(1000)), making(alike(200), chain(1000)));
    made.expect("nothing of it is sensitive");
    assert!(many < 20 * one, "{many:?} for 200 steps, {one:?} for one");
    // One that a value is for is like no other; and what is too much is said, whatever else is in it.
    let mut variables = chain(10);
    variables
        .insert("V10".into(), json!([{"value": {"secret": "the key"}, "steps": ["Copy 7"]}, {"value": "x"}]));
    let problem = making(alike(20), variables).0.expect_err("one of them reads a secret");
    assert!(problem.message.contains("step `Copy 7`"), "{problem:?}");
    let own = |index: usize| copy(index, json!({"roles": [format!("role-{index}")]}));
    let problem = making((0..400).map(own).collect(), chain(1000)).0.expect_err("it is too much");
    assert!(problem.message.contains("can be looked through"), "{problem:?}");
}

#[test]
fn ten_times_as_much_behind_a_name_in_a_hook_costs_about_ten_times_as_much() {
    // Each refers to all: so many references as the square.
    let dense = |count: usize| {
        let value: String = (0..count).map(|index| format!("#{{V{index}}}")).collect();
        (0..count).map(|index| (format!("V{index}"), json!([{"value": value}]))).collect::<Map<_, _>>()
    };
    let scoped = |count: usize| {
        let one = |index| json!({"value": format!("#{{W{index}}}"), "roles": [format!("role-{index}")]});
        Map::from_iter([("V0".to_owned(), (0..count).map(one).collect::<Value>())])
    };
    for (what, few, many) in
        [("dense", dense(100), dense(316)), ("values of one variable", scoped(FEW), scoped(10 * FEW))]
    {
        let (few, many) = (releasing_took(few), releasing_took(many));
        let ratio = many.as_secs_f64() / few.as_secs_f64();
        assert!(ratio < MOST, "{what}: {ratio:.1} times as long, {few:?} and {many:?}");
    }
}
