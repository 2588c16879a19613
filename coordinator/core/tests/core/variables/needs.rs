//! What a step needs, and what of it may not stand in a script.

use std::collections::BTreeSet;

use serde_json::json;

use super::{plan_for, released, request};

#[test]
fn a_tenants_value_is_refused_where_a_script_would_run_it_as_code() {
    // The script, the project's variables, and the name that the error has, if it is one.
    let cases = [
        ("echo #{Host}", json!({}), Some("Host")),
        ("echo #{hOST}", json!({}), Some("hOST")),
        ("echo #{Host | ToUpper}", json!({}), Some("Host")),
        ("echo #{Host.Name}", json!({}), Some("Host.Name")),
        ("echo #{Host | Quoted}", json!({}), None),
        ("echo $(get_windlassvariable Host)", json!({}), None),
        ("echo #{Port}", json!({"Port": [{"value": "80"}]}), None),
        // Through another variable it is code all the same.
        ("echo #{Address}", json!({"Address": [{"value": "http://#{Host}/"}]}), Some("Address")),
        ("echo #{One}", json!({"One": [{"value": "#{Two}"}], "Two": [{"value": "#{Host}"}]}), Some("One")),
        ("echo #{Address | Quoted}", json!({"Address": [{"value": "http://#{Host}/"}]}), None),
        ("echo #{One}", json!({"One": [{"value": "#{Two}"}], "Two": [{"value": "#{One}"}]}), None),
    ];
    for (body, variables, refused) in cases {
        let steps = json!([{"name": "Install", "roles": ["web"], "script": {"body": body}}]);
        let mut world =
            released(json!({"templates": [{"name": "Host"}], "variables": variables, "steps": steps}));
        world.apply(&[json!({"kind": "tenant", "name": "Alpha", "projects": {"Web": ["Staging"]}, "values": {"Web": {"Host": "$(reboot)"}}})]);
        let answer = world.try_deploy(request(Some("Alpha")));
        match refused {
            None => assert!(answer.is_ok(), "{body}: {answer:?}"),
            Some(name) => {
                let problem = answer.expect_err(body);
                let expected =
                    format!("step `Install`: `#{{{name}}}` puts a tenant's value into the script as code");
                assert!(problem.message.starts_with(&expected), "{body}: {}", problem.message);
            }
        }
    }
}

#[test]
fn what_a_step_needs_is_closed_over_what_its_values_refer_to_and_nothing_else_travels() {
    let variables = json!({
        "Address": [{"value": "#{Scheme}://#{Host}"}],
        "Host": [{"value": "#{Zone | ToLower}"}],
        "Zone": [{"value": "A"}, {"value": "#{StagingZone}", "environments": ["Staging"]}],
        "StagingZone": [{"value": "S"}],
        "Scheme": [{"value": "https"}],
        "Json": [{"value": "{\"Port\": 1}"}],
        "List[one]": [{"value": "1"}],
        "List[two]": [{"value": "2"}],
        "Other": [{"value": "not needed"}],
        "Loop": [{"value": "#{Loop}"}],
    });
    let cases = [
        ("#{address}", vec!["Host", "Scheme", "StagingZone", "Zone", "address"]),
        ("#{Json.Port}", vec!["Json", "Json.Port"]),
        ("#{each one in List}#{one}#{/each}", vec!["List", "List[one]", "List[two]"]),
        ("#{Loop}", vec!["Loop"]),
        ("#{Nothing}", vec!["Nothing"]),
        ("get_windlassvariable \"Scheme\"", vec!["Scheme"]),
    ];
    for (body, expected) in cases {
        let steps = json!([{"name": "Install", "roles": ["web"], "script": {"body": body}}]);
        let world = released(json!({"variables": variables, "steps": steps}));
        let plan = plan_for(&world, None);
        let names: BTreeSet<_> =
            plan.deployments[0].steps[0].variables.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(names, expected.into_iter().collect(), "{body}");
    }
}
