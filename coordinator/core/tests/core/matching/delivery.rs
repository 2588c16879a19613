//! What reaches a machine, whatever it says: `delivered(G, A) ⊆ delivered(G, everything)` (THREATS A1), and lists in
//! a request that only shrink (THREATS B2).

use std::collections::{BTreeMap, BTreeSet};

use proptest::option;
use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::{Value, json};
use windlass_api::plan::TargetState;
use windlass_coordinator_core::decide::{Greeted, Greeting, SpaceCommand, TargetChange};
use windlass_coordinator_core::event::{Event, TargetEvent};
use windlass_coordinator_core::matching::{Question, admits};
use windlass_coordinator_core::plan;
use windlass_coordinator_core::scope;
use windlass_protocol::ids::TargetId;
use windlass_protocol::message::{Advertised, Isolation, Participation};

use crate::chance;
use crate::world::{World, small};

const ROLES: [&str; 3] = ["web", "db", "nothing"];
const ENVIRONMENTS: [&str; 4] = ["Testing", "Staging", "Production", "Nowhere"];
const TENANTS: [&str; 4] = ["Alpha", "Beta", "Gamma", "Nobody"];
const TAGS: [&str; 5] = ["Ring/Canary", "Ring/Stable", "Tier/Gold", "Tier/Iron", "Ring/Nothing"];
/// What an agent may write beside these: other spellings of what is there, and what is not there or no tag at all.
const WORDS: [&str; 3] = ["ring / stable", "Nothing/Gold", "no tag"];

/// Everything that a machine can get, in names.
pub(super) fn delivered(world: &World, target: TargetId) -> BTreeSet<(String, Option<String>, String)> {
    let space = world.space();
    let target = space.targets.get(target).expect("the target exists");
    let mut delivered = BTreeSet::new();
    for environment in space.environments.iter() {
        for tenant in std::iter::once(None).chain(space.tenants.iter().map(Some)) {
            for role in ROLES {
                let roles = BTreeSet::from([role.to_owned()]);
                let question = Question {
                    environment: environment.id,
                    tenant,
                    roles: &roles,
                    only: None,
                    excluded: &BTreeSet::new(),
                    now: world.now,
                };
                if admits(space, target, &question) {
                    let tenant = tenant.map(|tenant| tenant.name.to_string());
                    delivered.insert((environment.name.to_string(), tenant, role.to_owned()));
                }
            }
        }
    }
    delivered
}

/// What a machine claims outside its grant now.
fn claimed(world: &World, target: TargetId) -> Vec<String> {
    let space = world.space();
    scope::over_claims(space, space.targets.get(target).expect("the target exists")).collect()
}

fn names(of: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    subsequence(of, 0..=of.len()).prop_map(|names| names.into_iter().map(str::to_owned).collect())
}

fn participation() -> impl Strategy<Value = Option<Participation>> {
    option::of(prop_oneof![
        Just(Participation::Untenanted),
        Just(Participation::Tenanted),
        Just(Participation::Both)
    ])
}

fn grant() -> impl Strategy<Value = Value> {
    let tenants = (names(&TENANTS[..3]), names(&TAGS[..4]), names(&TENANTS[..3]), names(&TAGS[..4]));
    (names(&ROLES[..2]), names(&ENVIRONMENTS[..3]), tenants, any::<bool>(), participation()).prop_map(
        |(roles, environments, (tenants, tags, not_tenants, not_tags), exclude, participation)| {
            let exclude = if exclude { json!({"tenants": not_tenants, "tags": not_tags}) } else { json!({}) };
            let tenants = json!({"tenants": tenants, "tags": tags, "exclude": exclude});
            json!({"roles": roles, "environments": environments, "tenants": tenants, "participation": participation})
        },
    )
}

fn advertised() -> impl Strategy<Value = Advertised> {
    let tags = (names(&TAGS), names(&WORDS), 0..4)
        .prop_map(|(tags, words, odd)| if odd == 0 { [tags, words].concat() } else { tags });
    let (tenants, tags) = (option::of(names(&TENANTS)), option::of(tags));
    (option::of(names(&ROLES)), option::of(names(&ENVIRONMENTS)), tenants, tags, participation()).prop_map(
        |(roles, environments, tenants, tenant_tags, participation)| Advertised {
            roles,
            environments,
            tenants,
            tenant_tags,
            participation,
        },
    )
}

/// Whether what a machine says leaves something in, in its own words: a model that knows names and no ids.
fn leaves_in(said: &Advertised, (environment, tenant, role): &(String, Option<String>, String)) -> bool {
    let lists =
        |list: &Option<Vec<String>>, name: &String| list.as_ref().is_none_or(|list| list.contains(name));
    let kind = match said.participation {
        None | Some(Participation::Both) => true,
        Some(Participation::Tenanted) => tenant.is_some(),
        Some(Participation::Untenanted) => tenant.is_none(),
    };
    let serves = |tenant: &String| {
        let carries: &[&str] = match tenant.as_str() {
            "Alpha" => &["ring/canary", "tier/gold"],
            "Beta" => &["ring/stable"],
            _ => &[],
        };
        let tags = said.tenant_tags.iter().flatten().map(|tag| tag.to_lowercase().replace(" / ", "/"));
        let tags: Vec<_> = tags.collect();
        let set = |tag: &str| tag.split_once('/').map_or_else(|| tag.to_owned(), |(set, _)| set.to_owned());
        let sets: BTreeSet<_> = tags.iter().map(|tag| set(tag)).collect();
        let carries = |of: &String| tags.iter().any(|tag| set(tag) == *of && carries.contains(&tag.as_str()));
        let named = said.tenants.as_ref().is_some_and(|names| names.contains(tenant));
        let silent = said.tenants.is_none() && said.tenant_tags.is_none();
        silent || named || (!sets.is_empty() && sets.iter().all(carries))
    };
    lists(&said.roles, role)
        && lists(&said.environments, environment)
        && kind
        && tenant.as_ref().is_none_or(serves)
}

#[test]
fn whatever_a_machine_says_it_gets_what_it_says_of_its_grant_and_nothing_else() {
    let mut base = small();
    base.replays = false;
    let (mut narrowed, mut got, mut for_tenants) = (0, 0, 0);
    chance::cases(400, &(grant(), advertised()), |(grant, advertised)| {
        let mut world = base.clone();
        let target = world.enrol("machine", grant);
        let everything = delivered(&world, target);
        world.advertise(target, advertised.clone());
        let some = delivered(&world, target);
        assert!(some.is_subset(&everything), "{some:?} is more than {everything:?}");
        narrowed += usize::from(some.len() < everything.len());
        got += usize::from(!some.is_empty());
        let by_tags = advertised.tenant_tags.is_some();
        for_tenants += usize::from(by_tags && some.iter().any(|(_, tenant, _)| tenant.is_some()));
        let expected = everything.into_iter().filter(|got| leaves_in(&advertised, got));
        assert_eq!(some, expected.collect(), "{advertised:?}");
        // Saying it again is no news; neither is what was claimed.
        let again = world.events_of(|world| world.advertise(target, advertised));
        assert_eq!(again, []);
    });
    let counted = format!("{narrowed} narrowed, {got} got something, {for_tenants} for tenants by tags");
    assert!(narrowed > 30 && got > 30 && for_tenants > 10, "all happen: {counted}");
}

#[test]
fn an_over_claim_that_stops_and_comes_again_is_no_news_and_its_words_do_nothing_to_a_terminal() {
    let mut world = small();
    let target = world.enrol("machine", json!({"roles": ["web"], "environments": ["Staging"]}));
    let roles = |roles: &[&str]| Advertised {
        roles: Some(roles.iter().map(|role| (*role).to_owned()).collect()),
        ..Advertised::default()
    };
    let told = |world: &mut World, said: Advertised| -> Vec<String> {
        let events = world.events_of(|world| world.advertise(target, said));
        let claims = events.into_iter().filter_map(|event| match event {
            Event::Target(TargetEvent::OverClaimed { claims, .. }) => Some(claims),
            _ => None,
        });
        claims.flatten().collect()
    };
    assert_eq!(told(&mut world, roles(&["root"])), ["role root"]);
    for said in [roles(&["web"]), roles(&["root"]), Advertised::default(), roles(&["web", "root"])] {
        assert_eq!(told(&mut world, said), [""; 0]);
    }
    assert_eq!(claimed(&world, target), ["role root"], "what it claims now is shown all the same");
    assert_eq!(told(&mut world, roles(&["root", "\u{1b}[2J\n"])), [r"role \u{1b}[2J\n"]);
    // A machine that makes up claims without end fills nothing.
    let (mut many, mut recorded) = (0, 0);
    for round in 0..30 {
        let made_up: Vec<_> = (0..100).map(|index| format!("made up {round} {index}")).collect();
        let said = roles(&made_up.iter().map(String::as_str).collect::<Vec<_>>());
        recorded += told(&mut world, said).len();
        many += made_up.len();
    }
    assert_eq!((many, recorded), (3000, 998));
}

#[test]
fn an_over_claim_is_recorded_once_with_what_the_machine_wrote() {
    let mut world = small();
    let grant = json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}});
    let target = world.enrol("machine", grant);
    let claims = |events: Vec<Event>| -> Vec<BTreeSet<String>> {
        let claim = |event| match event {
            Event::Target(TargetEvent::OverClaimed { claims, .. }) => Some(claims),
            _ => None,
        };
        events.into_iter().filter_map(claim).collect()
    };
    let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    let mut said = Advertised {
        roles: words(&["web", "db"]),
        environments: words(&["Staging", "Production"]),
        tenants: words(&["alpha", "Beta"]),
        tenant_tags: words(&["Ring/Stable", "no tag at all"]),
        participation: Some(Participation::Both),
    };
    let first = claims(world.events_of(|world| world.advertise(target, said.clone())));
    let expected = [
        "environment Production",
        "participation both",
        "role db",
        "tenant Beta",
        "tenant tag Ring/Stable",
        "tenant tag no tag at all",
    ];
    assert_eq!(first, [expected.map(str::to_owned).into()]);
    assert_eq!(claims(world.events_of(|world| world.advertise(target, said.clone()))), []);
    // The next one is told alone.
    said.roles = words(&["db", "web", "cache"]);
    let next = claims(world.events_of(|world| world.advertise(target, said.clone())));
    assert_eq!(next, [BTreeSet::from(["role cache".to_owned()])]);
    assert_eq!(claimed(&world, target).len(), 7);
}

#[test]
fn an_unknown_name_is_treated_exactly_like_a_known_one_outside_the_grant() {
    let mut world = small();
    let grant = json!({"roles": ["web"], "environments": ["Staging"], "tenants": {"tenants": ["Alpha"]}});
    let target = world.enrol("machine", grant);
    type Said = fn(&str) -> Advertised;
    let cases: [(&str, &str, Said); 4] = [
        ("Beta", "Zeta", |name| Advertised { tenants: Some(vec![name.into()]), ..Advertised::default() }),
        ("Ring/Stable", "Ring/Stabil", |name| Advertised {
            tenant_tags: Some(vec![name.into()]),
            ..Advertised::default()
        }),
        ("Tier/Iron", "None/Iron", |name| Advertised {
            tenant_tags: Some(vec![name.into()]),
            ..Advertised::default()
        }),
        ("Production", "Prediction", |name| Advertised {
            environments: Some(vec![name.into()]),
            ..Advertised::default()
        }),
    ];
    for (known, unknown, said) in cases {
        let told = |name: &str| {
            let mut world = world.clone();
            let events = world.events_of(|world| world.advertise(target, said(name)));
            let text = serde_json::to_string(&events).expect("events are JSON");
            (text.replace(name, "NAME"), delivered(&world, target))
        };
        assert_eq!(told(known), told(unknown), "{known} and {unknown}");
        assert!(told(known).0.contains("NAME"), "the claim is recorded");
    }
}

#[test]
fn a_list_of_targets_or_an_exclusion_never_adds_a_target() {
    let mut base = small();
    base.replays = false;
    let machines = ["one", "two", "three"];
    let strategy = (
        proptest::collection::vec(grant(), 3),
        names(&["one", "two", "three"]),
        names(&["one", "two", "three"]),
    );
    let (mut reached, mut shrunk) = (0, 0);
    chance::cases(60, &strategy, |(grants, only, excluded)| {
        let mut world = base.clone();
        world.release("Web", "1.0.0");
        for (name, grant) in machines.iter().zip(grants) {
            world.enrol(name, grant);
        }
        for tenants in [json!({}), json!({"tenants": ["Alpha", "Beta"]})] {
            let targets = |only: &[String], excluded: &[String]| {
                let request = json!({"project": "Web", "version": "latest", "environments": ["Testing", "Staging"],
                    "tenants": tenants, "only-targets": only, "exclude-targets": excluded});
                planned(&world, request)
            };
            let (all, some) = (targets(&[], &[]), targets(&only, &excluded));
            let expected = all.iter().filter(|(_, _, target)| {
                (only.is_empty() || only.contains(target)) && !excluded.contains(target)
            });
            assert_eq!(some, expected.cloned().collect(), "only {only:?}, without {excluded:?}");
            reached += usize::from(!some.is_empty());
            shrunk += usize::from(some.len() < all.len());
        }
    });
    assert!(reached > 10 && shrunk > 10, "both happen: {reached} and {shrunk}");
}

fn planned(world: &World, request: Value) -> BTreeSet<(String, Option<String>, String)> {
    let request = serde_json::from_value(request).expect("the request is right");
    let plan = plan::plan(world.space(), &request, world.now, &|_| true).expect("it can be planned");
    let mut planned = BTreeSet::new();
    for deployment in &plan.deployments {
        for target in deployment.steps.iter().flat_map(|step| &step.targets) {
            if target.state == TargetState::In {
                planned.insert((
                    deployment.environment.clone(),
                    deployment.tenant.clone(),
                    target.target.clone(),
                ));
            }
        }
    }
    planned
}

#[test]
fn naming_targets_that_do_not_match_is_nothing_done_and_not_everything() {
    let mut world = small();
    world.release("Web", "1.0.0");
    world.enrol("in", json!({"roles": ["web"], "environments": ["Staging"]}));
    world.enrol("out", json!({"roles": ["web"], "environments": ["Production"]}));
    let request =
        json!({"project": "Web", "version": "1.0.0", "environments": ["Staging"], "only-targets": ["out"]});
    let deployment = world.deploy(request);
    assert!(world.reason(deployment).starts_with("no step had a target; "));
}

#[test]
fn records_of_clones_and_denials_change_nothing_that_is_delivered() {
    let mut world = small();
    let target = world.enrol("machine", json!({"roles": ["web"], "environments": ["Staging"]}));
    let before = delivered(&world, target);
    let (older, newer) = ("192.0.2.1:1".to_owned(), "192.0.2.2:1".to_owned());
    world.ask(SpaceCommand::RecordClone { target, older, newer }).expect("it is recorded");
    let counts = BTreeMap::from([("variables".to_owned(), 3)]);
    world.ask(SpaceCommand::RecordDenials { target, counts }).expect("it is recorded");
    assert_eq!(delivered(&world, target), before);
    world.change("machine", TargetChange::Disable);
    assert_eq!(delivered(&world, target), BTreeSet::new());
    // What it says of how it keeps tenants apart opens nothing either.
    world.change("machine", TargetChange::Enable);
    let greeting = Greeting { isolation: Isolation::None, ..world.greeting(target) };
    assert_eq!(world.greet(greeting).expect("it is admitted"), Greeted::Changed);
    world.change("machine", TargetChange::Disable);
    assert_eq!(delivered(&world, target), BTreeSet::new());
}
