//! The worked example of SEMANTICS 4, as it is written.

use serde_json::json;
use windlass_coordinator_core::plan;

use crate::world::World;

const ENVIRONMENTS: [&str; 3] = ["Testing", "Staging", "Production"];

/// As it stands in SEMANTICS 4, "must hold as written".
const WORKED_EXAMPLE: &str = "\
release created | Testing | – | – | –
untenanted Testing succeeded | Testing, Staging | Staging | Staging | –
Customer-1 Staging succeeded | Testing, Staging, Production | Staging, Production | Staging | Production
project set to `tenanted` | nowhere | Staging, Production | Staging | Production
";

#[test]
fn the_worked_example_holds_as_it_is_written() {
    let mut world = customers();
    let mut table = row(&world, "release created");
    let testing = world.deploy(request("Testing", None));
    world.succeed(testing);
    table += &row(&world, "untenanted Testing succeeded");
    let staging = world.deploy(request("Staging", Some("Customer-1")));
    world.succeed(staging);
    table += &row(&world, "Customer-1 Staging succeeded");
    world.apply(&[product("tenanted")]);
    table += &row(&world, "project set to `tenanted`");
    assert_eq!(table, WORKED_EXAMPLE);
}

fn customers() -> World {
    let mut world = World::new();
    let environment = |name| json!({"kind": "environment", "name": name});
    world.apply(&ENVIRONMENTS.map(environment));
    let phase = |name| json!({"name": name, "environments": [name]});
    let customer = |name: &str, environments: &[&str]| json!({"kind": "tenant", "name": name, "projects": {"Product": environments}});
    world.apply(&[
        json!({"kind": "lifecycle", "name": "Three", "phases": ENVIRONMENTS.map(phase)}),
        product("tenanted-or-untenanted"),
        customer("Customer-1", &["Staging", "Production"]),
        customer("Customer-2", &["Staging", "Production"]),
        customer("Customer-3", &["Production"]),
    ]);
    let tenants = json!({"tenants": ["Customer-1", "Customer-2", "Customer-3"]});
    world.enrol(
        "machine",
        json!({"roles": ["web"], "environments": ENVIRONMENTS, "tenants": tenants, "participation": "both"}),
    );
    world.release("Product", "1.0.0");
    world
}

fn product(tenancy: &str) -> serde_json::Value {
    json!({"kind": "project", "name": "Product", "tenancy": tenancy, "lifecycle": "Three",
        "steps": [{"name": "Install", "roles": ["web"], "script": {"body": "true"}}]})
}

fn request(environment: &str, tenant: Option<&str>) -> serde_json::Value {
    let tenants: Vec<_> = tenant.into_iter().collect();
    json!({"project": "Product", "version": "1.0.0", "environments": [environment], "tenants": {"tenants": tenants}})
}

fn row(world: &World, after: &str) -> String {
    let nobody = "nowhere";
    let cell = |tenant: Option<&str>| {
        let open: Vec<_> =
            ENVIRONMENTS.into_iter().filter(|environment| is_open(world, environment, tenant)).collect();
        match (open.as_slice(), tenant) {
            ([], None) => nobody.to_owned(),
            ([], Some(_)) => "–".to_owned(),
            (open, _) => open.join(", "),
        }
    };
    let customers = ["Customer-1", "Customer-2", "Customer-3"];
    let cells: Vec<_> = std::iter::once(None).chain(customers.map(Some)).map(cell).collect();
    format!("{after} | {}\n", cells.join(" | "))
}

/// Whether there is a plan with the deployment; whether it can be made has to be the same.
fn is_open(world: &World, environment: &str, tenant: Option<&str>) -> bool {
    let request = request(environment, tenant);
    let typed = serde_json::from_value(request.clone()).expect("the request is right");
    let plan = plan::plan(world.space(), &typed, world.now, &|_| true);
    let planned = plan.is_ok_and(|plan| plan.deployments.len() == 1);
    assert_eq!(world.clone().try_deploy(request).is_ok(), planned, "{environment} for {tenant:?}");
    planned
}
