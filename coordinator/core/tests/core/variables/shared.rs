//! What is looked up once for several tenants is what is looked up for each: a plan for all of them says of each what its
//! own plan says, refuses what that refuses, and has another digest exactly where one of these has.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use windlass_api::error::Problem;
use windlass_api::plan::Plan;

use crate::chance::cases;
use crate::world::{World, in_whole, small};

const TENANTS: [&str; 4] = ["Alpha", "Beta", "Delta", "Gamma"];
const ENVIRONMENTS: [&str; 2] = ["Testing", "Staging"];
const TAGS: [&str; 4] = ["Ring/Canary", "Ring/Stable", "Tier/Gold", "Tier/Iron"];
const MACHINES: [&str; 3] = ["one", "two", "three"];
const ROLES: [&str; 2] = ["web", "db"];
/// Variables of the project, of the library set, and templates: `Both` is of each.
const NAMES: [&str; 5] = ["Port", "Host", "Both", "List[one]", "Url"];

type Numbers = [u8; 4];

/// A world, and how one of its tenants becomes another one.
#[derive(Debug, Clone)]
struct Case {
    values: Vec<Numbers>,
    /// What each step runs, and for whom the first does.
    scripts: [u8; 3],
    /// Which templates have no default: one of eight.
    defaults: [u8; 3],
    tenants: [Numbers; 4],
    machines: [Numbers; 3],
    changed: (usize, Numbers),
}

fn case() -> impl Strategy<Value = Case> {
    let values = prop::collection::vec(any::<Numbers>(), 0..8);
    let changed = (0..TENANTS.len(), any::<Numbers>());
    (values, any::<[u8; 3]>(), any::<[u8; 3]>(), any::<[Numbers; 4]>(), any::<[Numbers; 3]>(), changed)
        .prop_map(|(values, scripts, defaults, tenants, machines, changed)| Case {
            values,
            scripts,
            defaults,
            tenants,
            machines,
            changed,
        })
}

fn pick<'a>(of: &[&'a str], number: u8) -> &'a str {
    of[usize::from(number) % of.len()]
}

fn some<'a>(of: &[&'a str], bits: u8) -> Vec<&'a str> {
    of.iter().enumerate().filter(|(index, _)| bits & (1 << index) != 0).map(|(_, one)| *one).collect()
}

/// A value of the project or of the library set, whose scope may have any dimension.
fn value([name, text, scope, who]: Numbers) -> (&'static str, bool, Value) {
    let text =
        pick(&["plain", "#{Url}", "#{Host} #{Both}", "#{each l in List}#{l}#{/each}", "#{Port.x}"], text);
    let of_project = who & 1 == 0;
    let (number, who) = (who >> 2, who >> 1);
    let mut value = json!({"value": text});
    let mut add = |bit: u8, key: &str, names: Value| {
        if scope & bit != 0 {
            value[key] = names;
        }
    };
    add(1, "environments", json!([pick(&ENVIRONMENTS, who)]));
    add(2, "roles", json!([pick(&ROLES, number)]));
    add(4, "targets", json!([pick(&MACHINES, number)]));
    if of_project {
        add(8, "steps", json!([pick(&["First", "Second"], who)]));
        add(16, "tenants", json!({"tags": [pick(&TAGS, number)]}));
        add(32, "tenants", json!({"tenants": [pick(&TENANTS, number)]}));
        add(64, "tenants", json!({"exclude": {"tags": [pick(&TAGS, number)]}}));
    }
    (pick(&NAMES, name), of_project, value)
}

/// A tenant with tags and values of its own; what they say is nobody else's.
fn tenant(number: usize, [tags, fills, texts, _]: Numbers) -> Value {
    let name = TENANTS[number];
    let text = |what: &str| json!(format!("{what} of {name}, {}", texts % 4));
    let mut of_project = Map::new();
    for (bit, template) in [(1, "Url"), (2, "Both")] {
        if fills & bit != 0 {
            of_project.insert(template.to_owned(), text(template));
        }
    }
    if fills & 4 != 0 {
        of_project.insert("environments".to_owned(), json!({"Staging": {"Url": text("another Url")}}));
    }
    let of_set = if fills & 8 != 0 { json!({"Host": text("Host")}) } else { json!({}) };
    let (ring, tier) = (&TAGS[..2], &TAGS[2 + usize::from(tags >> 2) % 2..][..usize::from(tags >> 3) % 2]);
    let tags: Vec<_> = some(ring, tags).into_iter().chain(tier.iter().copied()).collect();
    json!({"kind": "tenant", "name": name, "tags": tags, "projects": {"Web": ENVIRONMENTS},
        "values": {"Web": of_project, "Shared": of_set}})
}

impl Case {
    fn world(&self) -> World {
        let mut world = small();
        world.replays = false;
        // The tenants are there before they have values for what is there after them, and values name the machines.
        let bare = |name: &str| json!({"kind": "tenant", "name": name});
        world.apply(&TENANTS.map(bare));
        for (name, [roles, tenants, environments, _]) in MACHINES.iter().zip(self.machines) {
            world.enrol(
                name,
                json!({"roles": some(&ROLES, roles | 1 << (tenants % 2)), "participation": "both",
                    "environments": some(&ENVIRONMENTS, environments | 2),
                    "tenants": {"tenants": some(&TENANTS, tenants | 8)}}),
            );
        }
        world.apply(&self.definitions());
        let tenants: Vec<_> =
            (0..).zip(self.tenants).map(|(number, numbers)| tenant(number, numbers)).collect();
        world.apply(&tenants);
        world.release("Web", "1.0.0");
        world
    }

    fn definitions(&self) -> [Value; 2] {
        let mut variables = [Map::new(), Map::new()];
        for (name, of_project, value) in self.values.iter().copied().map(value) {
            let values = variables[usize::from(!of_project)].entry(name).or_insert_with(|| json!([]));
            values.as_array_mut().expect("it is a list").push(value);
        }
        let [of_project, of_set] = variables;
        let template = |name: &str, number: usize| match self.defaults[number] % 8 {
            0 => json!({"name": name}),
            _ => json!({"name": name, "default": "the default #{Port}"}),
        };
        let [first, second, who] = self.scripts;
        let first = json!({"body": pick(&["true", "set_windlassvariable Port x"], first)});
        let bare =
            ["true", "true", "true", "true", "echo #{Port}", "echo #{Port}", "echo #{Both}", "echo #{Url}"];
        let second = json!({"body": pick(&bare, second)});
        let who = if who & 1 == 0 { json!({}) } else { json!({"tags": [pick(&TAGS, who >> 1)]}) };
        let needs = ["Port", "Host", "Both", "List["];
        [
            json!({"kind": "library-set", "name": "Shared", "variables": of_set, "templates": [template("Host", 2)]}),
            json!({"kind": "project", "name": "Web", "lifecycle": "Free", "tenancy": "tenanted-or-untenanted",
                "library-sets": ["Shared"], "variables": of_project,
                "templates": [template("Url", 0), template("Both", 1)], "steps": [
                    {"name": "First", "roles": ["web"], "script": first, "needs": needs, "tenants": who},
                    {"name": "Second", "roles": ["db", "web"], "script": second, "needs": needs}]}),
        ]
    }
}

fn plan(world: &World, environments: &[&str], tenants: &[&str]) -> Result<Plan, Problem> {
    world.plan(json!({"project": "Web", "version": "1.0.0", "environments": environments,
        "tenants": {"tenants": tenants}}))
}

/// The plans for one tenant in one environment, in the order in which a plan for all has them; or the first refusal.
fn each(world: &World) -> Result<Vec<Plan>, Problem> {
    let pairs = ENVIRONMENTS.iter().flat_map(|environment| TENANTS.map(|tenant| (*environment, tenant)));
    pairs.map(|(environment, tenant)| plan(world, &[environment], &[tenant])).collect()
}

#[test]
fn tenants_who_are_planned_together_are_told_what_each_is_told_alone() {
    let (mut planned, mut changed, mut differing) = (0, 0, 0);
    cases(250, &case(), |case| {
        let mut world = case.world();
        let (together, alone) = (plan(&world, &ENVIRONMENTS, &TENANTS), each(&world));
        let (together, alone) = match (together, alone) {
            (Ok(together), Ok(alone)) => (together, alone),
            (together, alone) => return assert_eq!(together.err(), alone.err()),
        };
        let deployments: Vec<_> = alone.iter().flat_map(|plan| plan.deployments.clone()).collect();
        assert_eq!(in_whole(&together), deployments);
        planned += 1;
        let variables = |number: usize| deployments[number].steps.iter().map(|step| &step.variables);
        differing += usize::from((1..TENANTS.len()).any(|number| variables(number).ne(variables(0))));

        let (number, numbers) = case.changed;
        world.apply(&[tenant(number, numbers)]);
        let (Ok(after), Ok(alone_after)) = (plan(&world, &ENVIRONMENTS, &TENANTS), each(&world)) else {
            return;
        };
        let same = alone.iter().zip(&alone_after).all(|(before, after)| before.digest == after.digest);
        assert_eq!(together.digest == after.digest, same, "the digest of all is that of each");
        changed += usize::from(!same);
    });
    assert!(planned > 80 && changed > 50 && differing > 50, "{planned} {changed} {differing}");
}

#[test]
fn what_a_step_sets_for_one_tenant_is_no_code_for_that_one_though_it_is_none_for_another() {
    let mut world = small();
    world.enrol(
        "machine",
        json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": ["Alpha", "Beta"]}}),
    );
    let script = |name: &str, body: &str| json!({"name": name, "roles": ["web"], "script": {"body": body}});
    let mut first = script("First", "set_windlassvariable Port x");
    first["tenants"] = json!({"tags": ["Ring/Stable"]});
    world.apply(&[json!({"kind": "project", "name": "Web", "lifecycle": "Free", "tenancy": "tenanted",
        "steps": [first, script("Second", "echo #{Port}")]})]);
    world.release("Web", "1.0.0");
    let plan = |tenants: &[&str]| plan(&world, &["Staging"], tenants);
    plan(&["Alpha"]).expect("the first step is not for Alpha, and sets nothing");
    let refused = plan(&["Beta"]).expect_err("it is for Beta");
    assert!(refused.message.contains("puts an output variable into the script as code"), "{refused}");
    assert_eq!(plan(&["Alpha", "Beta"]).expect_err("it is for Beta, whoever comes first"), refused);
}
