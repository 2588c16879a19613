//! What a plan says that a deployment would wait for is what it waits for: both are asked of one function.

use windlass_api::plan::WaitRule;
use windlass_coordinator_core::admission::{self, Admission, Wish};
use windlass_protocol::ids::DeploymentId;

use super::{caps, ready, runs, to};
use crate::world::World;

const QUEUE: &str = "another deployment of this project to the same place comes first: FIRST";
const QUEUE_2: &str = "2 deployments of this project to the same place come first, now FIRST";
const CAP: &str = "as many deployments run as may run at once; it gets the next turn of its tenant";

fn planned(world: &World) -> Vec<(WaitRule, String)> {
    let plan = world.plan(to(0, Some("Alpha"))).expect("it can be planned");
    plan.deployments[0].waits.iter().map(|wait| (wait.rule, wait.reason.clone())).collect()
}

/// What the pass is told of a deployment, or of one that would be asked for now.
fn admitted(world: &World, id: Option<DeploymentId>) -> Admission {
    let space = world.space();
    let project = space.projects.named("P0").expect("it exists");
    let environment = space.environments.named("Staging").expect("it exists").id;
    let key = (project.id, environment, space.tenants.named("Alpha").map(|tenant| tenant.id));
    let release = space.releases_of(project.id).next().expect("it has one");
    let asked = id.map(|id| world.deployment(id).asked);
    admission::admit(space, &Wish { project, release, key, asked })
}

#[test]
fn a_plan_waits_for_exactly_what_the_deployment_then_waits_for() {
    use WaitRule::{Cap, Queue};
    // How many of the same key come first, how many others run, the caps, and what is waited for.
    type Waited = &'static [(WaitRule, &'static str)];
    let cases: [(usize, usize, (usize, usize), Waited); 8] = [
        (0, 0, (1, 1), &[]),
        (0, 1, (2, 2), &[]),
        (1, 0, (9, 9), &[(Queue, QUEUE)]),
        (2, 0, (9, 9), &[(Queue, QUEUE_2)]),
        (0, 2, (2, 9), &[(Cap, CAP)]),
        (0, 2, (9, 2), &[(Cap, CAP)]),
        (1, 1, (2, 9), &[(Queue, QUEUE), (Cap, CAP)]),
        (2, 1, (9, 2), &[(Queue, QUEUE_2), (Cap, CAP)]),
    ];
    let base = ready(3);
    for (same, others, (space, tenant), expected) in cases {
        let mut world = base.clone();
        caps(&mut world, space, tenant);
        let before: Vec<_> = (0..same).map(|_| world.deploy(to(0, Some("Alpha")))).collect();
        (1..=others).for_each(|index| _ = world.deploy(to(index, Some("Alpha"))));
        let told = format!("{same} of the same key, {others} others, caps {space} and {tenant}");
        let reason = |reason: &str| match before.first() {
            Some(first) => reason.replace("FIRST", &format!("{first} (P0 1.0.0 to Staging for Alpha)")),
            None => reason.to_owned(),
        };
        let expected: Vec<_> = expected.iter().map(|(rule, words)| (*rule, reason(words))).collect();
        assert_eq!(planned(&world), expected, "{told}");
        let rules: Vec<_> = expected.iter().map(|(rule, _)| *rule).collect();
        let answer = if rules.is_empty() { Admission::Ready } else { Admission::Waits(rules) };
        assert_eq!(admitted(&world, None), answer, "{told}");
        world.goes_on = false;
        let id = world.deploy(to(0, Some("Alpha")));
        assert_eq!(admitted(&world, Some(id)), answer, "it comes after those, and before nobody: {told}");
        world.go_on();
        assert_eq!(runs(&world, id), answer == Admission::Ready, "{told}");
    }
}

#[test]
fn who_asked_first_waits_for_nobody_that_came_later() {
    let mut world = ready(1);
    world.goes_on = false;
    let [first, second] = [0, 1].map(|_| world.deploy(to(0, Some("Alpha"))));
    assert_eq!(admitted(&world, Some(first)), Admission::Ready);
    assert_eq!(admitted(&world, Some(second)), Admission::Waits(vec![WaitRule::Queue]));
}
