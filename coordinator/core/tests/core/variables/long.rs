//! Variables that lead to many others, one behind the other or side by side: what people write is as long as they like, and
//! asking for it neither ends the process (ARCHITECTURE) nor keeps the next one waiting (THREATS G5).

use serde_json::{Map, Value, json};
use windlass_api::error::Problem;
use windlass_coordinator_core::model::DeploymentEnd;

use super::{request, web};
use crate::world::{World, small};

/// `V0` refers to `V1` and so on; the last one has this value.
fn chain(length: usize, last: &str) -> Map<String, Value> {
    let value = |place| if place + 1 == length { last.to_owned() } else { format!("#{{V{}}}", place + 1) };
    (0..length).map(|place| (format!("V{place}"), json!([{"value": value(place)}]))).collect()
}

/// So many that are gone through together; the last one has this value.
fn wide(width: usize, last: &str) -> Map<String, Value> {
    let value = |place| if place + 1 == width { last } else { "plain" };
    (0..width).map(|place| (format!("V[{place}]"), json!([{"value": value(place)}]))).collect()
}

/// A world with a release of these variables, and a machine for it; or why there is none.
fn released(variables: &Map<String, Value>, body: &str) -> Result<World, Problem> {
    let mut world = small();
    world.replays = false;
    let grant = json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]},
        "participation": "tenanted"});
    world.enrol("machine", grant);
    world.try_apply(&[
        web(json!({
            "templates": [{"name": "Host", "default": "h"}], "variables": variables,
            "steps": [{"name": "Run", "roles": ["web"], "script": {"body": body}}],
        })),
        json!({"kind": "tenant", "name": "Alpha", "projects": {"Web": ["Staging"]}, "values": {"Web": {"Host": "$(reboot)"}}}),
    ])?;
    world.try_release("Web", "1.0.0", &Default::default())?;
    Ok(world)
}

/// How a deployment for Alpha ends, or why there is none.
fn deployed(variables: &Map<String, Value>, body: &str) -> Result<DeploymentEnd, String> {
    let mut world = released(variables, body).map_err(|problem| problem.message)?;
    let made = world.try_deploy(request(Some("Alpha"))).map_err(|problem| problem.message)?;
    world.succeed(made[0]);
    Ok(world.end(made[0]).expect("it is over"))
}

#[test]
fn a_chain_of_variables_may_be_as_long_as_a_release_holds() {
    const LENGTH: usize = 5_000;
    let as_code =
        Err("step `Run`: `#{V0}` puts a tenant's value into the script as code; write `#{V0 | Quoted}` or \
                       `$(get_windlassvariable \"V0\")`"
            .to_owned());
    let stays = Err("step `Run`: nothing defines `V0`, so it stays as it is written, and behind it inserting `Host` puts \
                     a tenant's value into the script where its filter does not protect; define `V0`, or take it out"
        .to_owned());
    for (last, body, expected) in [
        ("the end", "echo #{V0}", Ok(DeploymentEnd::Succeeded)),
        ("the end", "echo #{V0} #{Host | Quoted}", Ok(DeploymentEnd::Succeeded)),
        ("#{V0}", "echo #{V0} #{Host | Quoted}", Ok(DeploymentEnd::Succeeded)),
        ("#{Host}", "echo #{V0}", as_code),
        ("#{Unknown}", "echo #{V0} #{Host | Quoted}", stays),
    ] {
        assert_eq!(deployed(&chain(LENGTH, last), body), expected, "{body}, and at last {last}");
    }
}

#[test]
fn many_variables_may_be_gone_through() {
    const WIDTH: usize = 5_000;
    let body = "echo #{each one in V}#{one}#{/each}";
    assert_eq!(deployed(&wide(WIDTH, "the end"), body), Ok(DeploymentEnd::Succeeded));
    let refused = deployed(&wide(WIDTH, "#{Host}"), body).expect_err("the last one inserts a tenant's value");
    assert!(refused.starts_with("step `Run`: inserting what `V` has puts a tenant's value"), "{refused}");
}

#[test]
fn more_than_a_release_holds_is_refused_in_words() {
    let problem = released(&chain(100_000, "the end"), "echo #{V0}").map(drop).expect_err("that is too much");
    let expected =
        "this would write more than 8 MiB at once, and all or nothing is at most that; apply it in parts";
    assert_eq!(problem.message, expected);
}
