//! What a step is given of the output variables of others: those of the steps before it, whatever happens while it runs.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use windlass_coordinator_core::decide::WorkReportKind;
use windlass_coordinator_core::model::StoredValue;
use windlass_coordinator_core::state::WorkKind;
use windlass_coordinator_core::variables::delivered;
use windlass_protocol::ids::{AssignmentId, DeploymentId, TargetId};
use windlass_protocol::message::Outcome;

use super::{request, web};
use crate::world::{World, small};

/// A deployment of a project with these scripts, one step after the other, on two targets.
fn deployed(variables: Value, scripts: &[&str]) -> (World, DeploymentId) {
    let mut world = small();
    for name in ["one", "two"] {
        world.enrol(name, json!({"roles": ["web"], "environments": ["Staging"]}));
    }
    let step = |(place, body): (usize, &&str)| json!({"name": format!("S{place}"), "roles": ["web"], "script": {"body": body}});
    let steps: Vec<_> = scripts.iter().enumerate().map(step).collect();
    world.apply(&[web(json!({"variables": variables, "steps": steps}))]);
    world.release("Web", "1.0.0");
    let id = world.deploy(request(None));
    (world, id)
}

/// What the open step is given on a target, but for the system's own.
fn given(world: &World, id: DeploymentId, target: &str) -> BTreeMap<String, String> {
    let (assignment, step) = open(world, id, target);
    let deployment = world.deployment(id);
    let release = &world.space().releases[&deployment.release()];
    let step = release.snapshot.steps.iter().find(|known| WorkKind::Run(known.id) == step).expect("a step");
    assert!(world.space().assigned(world.target(target), assignment).is_some());
    let given = delivered(deployment, release, step, world.target(target)).expect("it runs");
    let text = |value| match value {
        StoredValue::Plain(text) => text,
        StoredValue::Sealed(_) => panic!("nothing is sensitive"),
    };
    let own = |name: &str| !name.starts_with("Windlass.") || name.contains(".Output[");
    let given = given.into_iter().filter(|variable| own(&variable.name));
    given.map(|variable| (variable.name, text(variable.value))).collect()
}

fn open(world: &World, id: DeploymentId, target: &str) -> (AssignmentId, WorkKind) {
    let target: TargetId = world.target(target);
    let mut work = world.work(id).into_iter().filter(|(on, _, _)| *on == target);
    let (_, assignment, item) = work.next().expect("something is open there");
    (assignment, item.kind)
}

/// The open step succeeds on a target, and sets these.
fn sets(world: &mut World, id: DeploymentId, target: &str, outputs: &[(&str, &str)]) {
    let (assignment, _) = open(world, id, target);
    let plain = |(name, value): &(&str, &str)| ((*name).to_owned(), StoredValue::Plain((*value).to_owned()));
    let outputs = outputs.iter().map(plain).collect();
    let end = WorkReportKind::Ended { outcome: Outcome::Succeeded, outputs, lines: 0 };
    let target = world.target(target);
    world.report(target, assignment, WorkReportKind::Started);
    world.report(target, assignment, end);
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn what_a_step_sets_on_one_target_does_not_change_what_it_is_given_on_another() {
    let body = "get_windlassvariable Token #{Windlass.Action[S0].Output[one].Token | Quoted}";
    let (mut world, id) = deployed(json!({}), &[body, body]);
    let before = given(&world, id, "two");
    assert_eq!(before, texts(&[]), "nothing was set yet");
    sets(&mut world, id, "one", &[("Token", "1")]);
    assert_eq!(given(&world, id, "two"), before, "it runs still, with the same content");
    sets(&mut world, id, "two", &[("Token", "2")]);
    let later = texts(&[("Token", "1"), ("Windlass.Action[S0].Output[one].Token", "1")]);
    assert_eq!(given(&world, id, "one"), later, "the step after it is given it");
    let by_full_name = ("Windlass.Action[S0].Output[one].Token", "1");
    assert_eq!(given(&world, id, "two"), texts(&[("Token", "2"), by_full_name]));
}

#[test]
fn an_output_travels_however_a_step_comes_to_read_it_and_no_other_does() {
    const FULL: &str = "Windlass.Action[S0].Output[one].Url";
    // The variables, the second script, and which of `Url` and `Other` it is given, by full or own name.
    let cases = [
        (json!({}), "echo #{Windlass.Action[S0].Output[one].Url | Quoted}", &[FULL][..]),
        (json!({}), "echo #{octopus.action[S0].output[ONE].url | Quoted}", &[FULL]),
        (json!({}), "get_windlassvariable Url", &["Url"]),
        (
            json!({"At": [{"value": "http://#{Windlass.Action[S0].Output[one].Url}/"}]}),
            "get_windlassvariable At",
            &[FULL],
        ),
        (json!({"At": [{"value": "#{To}"}], "To": [{"value": "#{Url}"}]}), "echo #{At | Quoted}", &["Url"]),
        // It lies in the JSON of an output.
        (json!({}), "echo #{Url.Host | Quoted}", &["Url"]),
        (json!({}), "echo #{Url[#{Windlass.Machine.Name}] | Quoted}", &["Url"]),
        (json!({}), "echo #{each part in Url}#{part | Quoted} #{/each}", &["Url"]),
        (json!({}), "echo #{Windlass.Action[S0].Output[one].Url.Host | Quoted}", &[FULL]),
        (
            json!({}),
            "echo #{Octopus.Action[S0].Output[#{Windlass.Machine.Name}].Url | Quoted}",
            &["Windlass.Action[S0].Output[one].Other", FULL, "Windlass.Action[S0].Output[two].Url"],
        ),
        // Something else is read instead of it, or nothing.
        (json!({"Url.Host": [{"value": "h"}]}), "echo #{Url.Host}", &[]),
        (json!({"Url": [{"value": "{}"}]}), "echo #{Url.Host}", &[]),
        (json!({}), "echo #{Windlass.Action[S1].Output[one].Url | Quoted} #{Urls.Host | Quoted}", &[]),
    ];
    for (variables, body, expected) in cases {
        let (mut world, id) = deployed(variables.clone(), &["true", body]);
        sets(&mut world, id, "one", &[("Url", "{\"Host\": \"h\"}"), ("Other", "o")]);
        sets(&mut world, id, "two", &[("Url", "u")]);
        let given = given(&world, id, "one");
        let outputs = given.keys().map(String::as_str).filter(|name| variables.get(name).is_none());
        assert_eq!(outputs.collect::<Vec<_>>(), expected, "{body} with {variables}");
    }
}

#[test]
fn of_two_outputs_with_one_name_the_later_steps_counts() {
    let (mut world, id) = deployed(json!({}), &["true", "true", "true", "get_windlassvariable url"]);
    for value in ["first", "second", "third"] {
        sets(&mut world, id, "one", &[("Url", value)]);
        sets(&mut world, id, "two", &[]);
    }
    assert_eq!(given(&world, id, "one"), texts(&[("Url", "third")]));
    assert_eq!(given(&world, id, "two"), texts(&[]));
}
