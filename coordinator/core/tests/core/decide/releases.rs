//! Making releases: what must be known of the packages that they take (SEMANTICS 6, "Only what is needed travels").

use std::collections::BTreeMap;

use serde_json::json;
use windlass_api::error::ProblemKind;
use windlass_api::requests::ReleaseRequest;
use windlass_coordinator_core::decide::{ReadNames, Reply, SpaceCommand, choose_packages};
use windlass_protocol::Digest;

use crate::world::{World, project, small};

fn ready() -> World {
    let mut world = small();
    world.apply(&[project(
        "Shop",
        json!([
            {"name": "Copy", "roles": ["web"], "package": {"id": "shop"}},
            {"name": "Run", "roles": ["web"], "script": {"body": "echo #{Port}"}},
        ]),
    )]);
    world.package("shop", "1.0.0");
    world
}

fn create(world: &mut World, read: &[(&str, &[&str])]) -> Result<Reply, windlass_api::error::Problem> {
    let steps: Vec<_> =
        world.space().projects.named("Shop").expect("it exists").steps.iter().map(|step| step.id).collect();
    let names = |names: &[&str]| ReadNames {
        needs: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Default::default()
    };
    let known = |(package, read): &(&str, &[&str])| ((steps[0], Digest::of(*package)), names(read));
    let mut package_names: BTreeMap<_, _> = read.iter().map(known).collect();
    // What is known for another step says nothing about this one.
    package_names.insert((steps[1], Digest::of("shop 1.0.0")), names(&["Elsewhere"]));
    let request = ReleaseRequest { project: "Shop".to_owned(), ..Default::default() };
    world.ask(SpaceCommand::CreateRelease { request, package_names })
}

#[test]
fn a_release_takes_no_package_of_which_nobody_knows_what_it_reads() {
    let mut world = ready();
    // Another one of the same package is not the one that is taken: a newer one came in between.
    for read in [&[][..], &[("shop 0.9.0", &["Host"][..])]] {
        let problem = create(&mut world, read).expect_err("nobody knows what it reads");
        assert_eq!(problem.kind, ProblemKind::Conflict);
        assert_eq!(
            problem.message,
            "the package shop 1.0.0 of step `Copy` was changed at this moment, and which variables it needs is not \
             known; try again"
        );
    }
    assert!(world.space().releases.is_empty());
}

#[test]
fn what_a_package_reads_is_needed_by_its_step_and_by_no_other() {
    let mut world = ready();
    create(&mut world, &[("shop 1.0.0", &["Host"]), ("other 1.0.0", &["Other"])]).expect("it is known");
    let release = world.space().releases.values().next().expect("it was made");
    let needs: Vec<Vec<_>> =
        release.snapshot.steps.iter().map(|step| step.needs.iter().map(String::as_str).collect()).collect();
    assert_eq!(needs, [["Host"], ["Port"]]);
}

#[test]
fn a_step_that_is_named_twice_with_two_versions_makes_no_release() {
    let mut world = ready();
    world
        .apply(&[project("Shop", json!([{"name": "Copy It", "roles": ["web"], "package": {"id": "shop"}}]))]);
    world.package("shop", "2.0.0");
    let project = world.space().projects.named("Shop").expect("it exists");
    let request = |versions: [(&str, &str); 2]| ReleaseRequest {
        project: "Shop".to_owned(),
        packages: versions.map(|(step, version)| (step.to_owned(), version.to_owned())).into(),
        ..Default::default()
    };
    let two = request([("Copy It", "1.0.0"), ("copy-it", "2.0.0")]);
    let problem = choose_packages(world.space(), project, &two).expect_err("which is it?");
    assert_eq!(problem.kind, ProblemKind::Usage);
    assert_eq!(
        problem.message,
        "step `Copy It` is named twice, with the versions 1.0.0 and 2.0.0 of its package; name it once"
    );
    let same = request([("COPY it", "1.0.0"), ("copy-it", "1.0.0")]);
    let chosen = choose_packages(world.space(), project, &same).expect("both say the same");
    assert_eq!(chosen.values().map(|package| package.version.to_string()).collect::<Vec<_>>(), ["1.0.0"]);
}
