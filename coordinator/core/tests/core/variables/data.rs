//! A tenant's value is data (SEMANTICS 6, THREATS F4): it makes nothing travel, and it and what steps put out stand bare
//! in nothing that is run.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use windlass_api::error::Problem;
use windlass_coordinator_core::decide::ReadNames;
use windlass_coordinator_core::model::DeploymentEnd;
use windlass_coordinator_core::plan;
use windlass_coordinator_core::variables::shadows;
use windlass_templates::Shell;

use super::{plan_for, released, request, web};
use crate::world::{World, small};

fn alpha(values: Value) -> Value {
    json!({"kind": "tenant", "name": "Alpha", "projects": {"Web": ["Testing", "Staging"]}, "values": {"Web": values}})
}

/// The names of the variables that a deployment for Alpha would send.
fn travelling(world: &World) -> BTreeSet<String> {
    let plan = plan_for(world, Some("Alpha"));
    plan.deployments[0].steps[0].variables.iter().map(|found| found.name.clone()).collect()
}

/// A world whose step needs a tenant's value, one of the project that inserts it, and nothing else.
fn with_alias() -> World {
    released(json!({
        "templates": [{"name": "Alias"}, {"name": "Town"}, {"name": "Key", "default": "d"}],
        "variables": {
            "Greeting": [{"value": "hello #{Alias}"}],
            "Password": [{"value": "p"}], "Passwords[one]": [{"value": "p"}], "Passwords[two]": [{"value": "p"}],
            "Json": [{"value": "{\"Password\": \"p\"}"}], "Indirect": [{"value": "#{Password}"}],
        },
        "steps": [{"name": "Install", "roles": ["web"], "script": {"body": "get_windlassvariable Greeting"}}],
    }))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn a_tenants_value_makes_nothing_travel_whatever_it_says(pieces in proptest::collection::vec(select(vec![
        "#{Password}", "#{Passwords[one]}", "#{Passwords[*]}", "#{Passwords[#{Town}]}", "#{Json.Password}",
        "#{each p in Passwords}#{p}#{/each}", "#{if Key}#{Indirect}#{/if}", "#{Town}", "#{Alias | Append #{Key}}",
        "#{Windlass.Action[Install].Output[machine].Password}", "#{", "}", "text", "##{Password}",
    ]), 0..6)) {
        let mut world = with_alias();
        world.apply(&[alpha(json!({"Alias": pieces.concat(), "Town": "#{Password}"}))]);
        prop_assert_eq!(travelling(&world), ["Alias", "Greeting"].map(str::to_owned).into());
    }
}

#[test]
fn a_value_that_names_every_secret_makes_none_travel_and_a_projects_own_still_does() {
    let mut world = with_alias();
    let all = "#{Password}#{Passwords[one]}#{Passwords[two]}#{Json}#{Indirect}#{Key}";
    world.apply(&[alpha(json!({"Alias": all, "Town": "Bern"}))]);
    assert_eq!(travelling(&world), ["Alias", "Greeting"].map(str::to_owned).into());
    // What the project writes is followed as ever, a template's default too.
    world.apply(&[
        web(json!({
            "templates": [{"name": "Alias", "default": "#{Password}"}],
            "variables": {"Password": [{"value": "p"}]},
            "steps": [{"name": "Install", "roles": ["web"], "script": {"body": "get_windlassvariable Alias"}}],
        })),
        json!({"kind": "tenant", "name": "Alpha", "projects": {"Web": ["Testing", "Staging"]}}),
    ]);
    world.release("Web", "2.0.0");
    let mut later = request(Some("Alpha"));
    later["version"] = json!("2.0.0");
    let plan = try_plan(&world, &later).expect("it can be planned");
    let names = plan.deployments[0].steps[0].variables.iter().map(|found| found.name.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["Alias", "Password"]);
}

fn try_plan(world: &World, request: &Value) -> Result<windlass_api::plan::Plan, Problem> {
    let request = serde_json::from_value(request.clone()).expect("the request is right");
    plan::plan(world.space(), &request, world.now, &|_| true)
}

/// What is known of a package with this one hook.
fn hook(text: &str) -> ReadNames {
    let mut read = ReadNames::default();
    read.add_hook(text, Shell::Bash);
    read
}

/// A project whose first step prints, and whose second deploys a package.
fn with_package(first: &str) -> World {
    let mut world = small();
    let tenants = json!({"tenants": ["Alpha"]});
    let grant =
        json!({"roles": ["web"], "environments": ["Staging"], "tenants": tenants, "participation": "both"});
    world.enrol("machine", grant);
    world.package("shop", "1.0.0");
    world.apply(&[web(json!({
        "templates": [{"name": "Alias", "default": "none"}],
        "variables": {"Greeting": [{"value": "hello #{Alias}"}], "Port": [{"value": "80"}],
            "Called": [{"value": "f-#{Windlass.Deployment.Tenant.Name}"}]},
        "steps": [
            {"name": "Make", "roles": ["web"], "script": {"body": first}},
            {"name": "Copy", "roles": ["web"], "package": {"id": "shop", "substitute": ["*"]}},
        ],
    }))]);
    world
}

const MAKES: &str = "set_windlassvariable Url x; set_octopusvariable \"List[one]\" y";

#[test]
fn neither_a_tenants_value_nor_an_output_is_code_in_a_hook_be_it_planned_deployed_or_started() {
    for (text, refused) in [
        ("echo #{Alias}", Some(("Alias", "a tenant's value"))),
        ("echo #{Greeting | ToUpper}", Some(("Greeting", "a tenant's value"))),
        ("echo #{Alias | Quoted} $(get_windlassvariable Alias) #{Port}", None),
        ("echo #{Url}", Some(("Url", "an output variable"))),
        ("echo #{url.Host}", Some(("url.Host", "an output variable"))),
        ("#{if Url}echo #{Url | Quoted}#{/if} #{Unknown}", None),
        (
            "echo #{octopus.Deployment.Tenant.name}",
            Some(("octopus.Deployment.Tenant.name", "the tenant's name")),
        ),
        ("echo #{Called}", Some(("Called", "the tenant's name"))),
        (
            "echo #{Windlass.Deployment.Tenant.Name.Part}",
            Some(("Windlass.Deployment.Tenant.Name.Part", "the tenant's name")),
        ),
        ("echo #{Windlass.Deployment.Tenant.Name | Quoted} #{Windlass.Environment.Name}", None),
        (
            "echo #{Octopus.Action[Make].Output[machine].Any}",
            Some(("Octopus.Action[Make].Output[machine].Any", "an output variable")),
        ),
    ] {
        let mut world = with_package(MAKES);
        world.try_release("Web", "1.0.0", &hook(text)).expect("nothing of it is sensitive");
        world.apply(&[alpha(json!({"Alias": "$(reboot)"}))]);
        let planned = try_plan(&world, &request(Some("Alpha"))).map(drop);
        let deployed = world.try_deploy(request(Some("Alpha"))).map(drop);
        for answer in [planned, deployed] {
            let Some((name, what)) = refused else {
                assert_eq!(answer.map_err(|problem| problem.message), Ok(()), "{text}");
                continue;
            };
            assert_eq!(
                answer.expect_err(text).message,
                format!(
                    "step `Copy`: `#{{{name}}}` puts {what} into a hook of its package as code; write \
                     `#{{{name} | Quoted}}` or `$(get_windlassvariable \"{name}\")`"
                )
            );
        }
    }
}

#[test]
fn a_filter_that_does_not_protect_where_it_stands_lets_no_data_in() {
    for (text, refused) in [
        ("echo #{Alias | Quoted} \"$(get_windlassvariable Alias)\"", None),
        ("echo \"hello #{Alias | Quoted}\"", Some("inserting `Alias` puts a tenant's value")),
        ("echo 'hello #{Alias | Quoted}'", Some("inserting `Alias` puts a tenant's value")),
        ("# for #{Alias | Quoted}", Some("inserting `Alias` puts a tenant's value")),
        ("cat <<EOF\n#{Alias | Quoted}\nEOF", Some("inserting `Alias` puts a tenant's value")),
        ("echo $((#{Alias | UriDataEscape}))", Some("inserting `Alias` puts a tenant's value")),
        ("#{Alias | Quoted}", Some("inserting `Alias` puts a tenant's value")),
        ("echo \"#{Greeting | Quoted}\"", Some("inserting `Greeting` puts a tenant's value")),
        ("echo \"#{Url | Quoted}\"", Some("inserting `Url` puts an output variable")),
        (
            "echo \"#{each one in List}#{one | Quoted}#{/each}\"",
            Some("inserting what `List` has puts an output"),
        ),
        ("echo \"#{Alias | ToBase64} #{Port | Quoted}\"", None),
    ] {
        let mut world = with_package(MAKES);
        world.try_release("Web", "1.0.0", &hook(text)).expect("nothing of it is sensitive");
        world.apply(&[alpha(json!({"Alias": "$(reboot)"}))]);
        let planned = try_plan(&world, &request(Some("Alpha"))).map(drop);
        let deployed = world.try_deploy(request(Some("Alpha"))).map(drop);
        for answer in [planned, deployed] {
            let message = answer.err().map(|problem| problem.message);
            let starts = |start| message.as_ref().is_some_and(|message| message.starts_with(start));
            match refused {
                None => assert_eq!(message, None, "{text}"),
                Some(start) => assert!(starts(&format!("step `Copy`: {start}")), "{text}: {message:?}"),
            }
        }
    }
}

#[test]
fn a_name_that_stays_as_it_is_written_takes_no_protection_away_from_what_follows() {
    for (text, refused) in [
        ("echo #{Unknown} #{Alias | Quoted}", Some("Unknown")),
        ("echo #{Unknown} #{Url | Quoted}", Some("Unknown")),
        ("echo #{Through} #{Alias | Quoted}", Some("Through")),
        ("echo #{Url | Quoted} #{Alias | Quoted} #{Port} #{Alias | Quoted}", None),
        ("echo #{Windlass.Environment.Name} #{Alias | Quoted}", None),
        ("echo #{Unknown}\necho #{Alias | Quoted} x#{Unknown} #{Alias | Quoted}", None),
        ("echo #{Unknown} #{Port | Quoted} #{Alias | Contains x}", None),
        ("echo #{Windlass.Action[Make].Output[machine].Any | Quoted} #{Alias | Quoted}", None),
    ] {
        let mut world = with_package(MAKES);
        world.apply(&[web(json!({
            "templates": [{"name": "Alias", "default": "none"}],
            "variables": {"Port": [{"value": "80"}], "Through": [{"value": "#{Port}#{Unknown}"}]},
            "steps": [
                {"name": "Make", "roles": ["web"], "script": {"body": MAKES}},
                {"name": "Copy", "roles": ["web"], "package": {"id": "shop"}},
            ],
        }))]);
        world.try_release("Web", "1.0.0", &hook(text)).expect("nothing of it is sensitive");
        world.apply(&[alpha(json!({"Alias": "$(reboot)"}))]);
        let planned = try_plan(&world, &request(Some("Alpha"))).map(drop);
        let deployed = world.try_deploy(request(Some("Alpha"))).map(drop);
        for answer in [planned, deployed] {
            let message = answer.err().map(|problem| problem.message);
            let start = refused.map(|name| format!("step `Copy`: nothing defines `{name}`, so it stays"));
            let as_expected = match (&message, &start) {
                (Some(message), Some(start)) => message.starts_with(start),
                (message, start) => message.is_none() && start.is_none(),
            };
            assert!(as_expected, "{text}: {message:?}");
        }
    }
}

#[test]
fn what_a_value_makes_harmless_inside_of_it_is_not_where_it_is_inserted() {
    let variables = json!({
        "Options": [{"value": "\"#{Alias | Quoted}\""}], "Encoded": [{"value": "#{Alias | ToBase64}"}],
        "Answer": [{"value": "#{Alias | Contains x}"}],
    });
    for (body, refused) in [
        ("echo #{Options}", true),
        ("echo #{Encoded | FromBase64}", true),
        ("echo #{Answer} #{Options | Quoted}", false),
    ] {
        let mut world = released(json!({
            "templates": [{"name": "Alias"}], "variables": variables,
            "steps": [{"name": "Run", "roles": ["web"], "script": {"body": body}}],
        }));
        world.apply(&[alpha(json!({"Alias": "$(reboot)"}))]);
        assert_eq!(try_plan(&world, &request(Some("Alpha"))).is_err(), refused, "{body}");
    }
}

#[test]
fn a_secret_in_which_the_tenants_name_stands_is_no_code_either() {
    for (body, secret, refused) in [
        ("echo #{Conn}", "db=#{Octopus.Deployment.Tenant.Name};p", true),
        ("echo #{Conn}", "#{windlass.deployment.tenant.name.Part}", true),
        ("echo #{Address}", "db=#{Windlass.Deployment.Tenant.Name | ToUpper};p", true),
        ("echo #{Conn | Quoted}", "db=#{Windlass.Deployment.Tenant.Name};p", false),
        ("get_windlassvariable Conn", "db=#{Windlass.Deployment.Tenant.Name};p", false),
        ("echo #{Conn}", "db=#{Windlass.Environment.Name};p", false),
    ] {
        let variables =
            json!({"Conn": [{"value": {"secret": secret}}], "Address": [{"value": "at #{Conn}"}]});
        let steps = json!([{"name": "Show", "roles": ["web"], "script": {"body": body}}]);
        let mut world = released(json!({"variables": variables, "steps": steps}));
        let answer = world.try_deploy(request(Some("Alpha"))).map_err(|problem| problem.message);
        let says = |message: &String| message.contains("puts the tenant's name into the script as code");
        assert_eq!(
            answer.as_ref().err().map(says),
            refused.then_some(true),
            "{body} with {secret}: {answer:?}"
        );
        assert!(world.try_deploy(request(None)).is_ok(), "there is no tenant: {body} with {secret}");
    }
}

#[test]
fn a_value_that_a_tenant_gets_while_its_deployment_waits_is_not_code_either() {
    let mut world = with_package(MAKES);
    world.try_release("Web", "1.0.0", &hook("echo #{Alias}")).expect("nothing of it is sensitive");
    // The default is the project's own word.
    let [first, second] = [0, 1].map(|_| world.deploy(request(Some("Alpha"))));
    world.apply(&[alpha(json!({"Alias": "$(reboot)"}))]);
    world.succeed(first);
    assert_eq!(world.end(second), Some(DeploymentEnd::Failed));
    assert!(world.reason(second).starts_with("step `Copy`: `#{Alias}` puts a tenant's value into a hook"));
}

#[test]
fn an_output_of_a_step_before_is_not_code_in_a_script() {
    for (first, second, refused) in [
        (MAKES, "echo #{Url}", Some("`#{Url}` puts an output variable into the script as code")),
        (
            MAKES,
            "echo #{each one in List}#{one}#{/each}",
            Some("inserting what `List` has puts an output variable"),
        ),
        (
            MAKES,
            "echo #{Windlass.Action[#{Port}].Output[machine].Url}",
            Some("inserting what `Windlass.Action` has"),
        ),
        (MAKES, "echo #{Address}", Some("`#{Address}` puts an output variable into the script as code")),
        (MAKES, "echo #{Url | Quoted} #{Windlass.Action[Make].Output[machine].Url | Quoted}", None),
        // What a variable defines is no output: outputs never shadow one.
        ("set_windlassvariable Port 1", "echo #{Port}", None),
        ("true", "echo #{Url}", None),
    ] {
        let steps = json!([
            {"name": "Make", "roles": ["web"], "script": {"body": first}},
            {"name": "Take", "roles": ["web"], "script": {"body": second}},
        ]);
        let variables = json!({"Port": [{"value": "80"}], "Address": [{"value": "http://#{Url}/"}]});
        let mut world = released(json!({"variables": variables, "steps": steps}));
        let answer = world.try_deploy(request(None)).map_err(|problem| problem.message);
        match refused {
            None => assert!(answer.is_ok(), "{second}: {answer:?}"),
            Some(start) => {
                let message = answer.expect_err(second);
                assert!(message.starts_with(&format!("step `Take`: {start}")), "{message}");
            }
        }
    }
}

#[test]
fn an_output_takes_the_place_of_nothing_that_is_defined_be_it_for_another_tenant() {
    let world = released(json!({
        "templates": [{"name": "Alias", "default": "none"}],
        "variables": {
            "Admin": [{"value": "yes", "tenants": {"tenants": ["Beta"]}}], "List[one]": [{"value": "1"}],
            "Json": [{"value": "{}"}],
        },
        "steps": [{"name": "Install", "roles": ["web"], "script": {"body": "true"}}],
    }));
    let release = world.space().releases.values().next().expect("it was made");
    for (name, taken) in [
        ("admin", true),
        ("ALIAS", true),
        ("List[one]", true),
        ("list[two]", true),
        ("Json.Part", true),
        ("Windlass.Action[Zero].Output[machine].Url", true),
        ("octopus.Environment.Name", true),
        ("Url", false),
        ("Administrator", false),
        ("List", false),
        ("Lists[one]", false),
        ("Windlassy", false),
    ] {
        assert_eq!(shadows(&release.snapshot, name), taken, "{name}");
    }
}
