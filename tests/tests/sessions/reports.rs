//! Reports that are too much for one record: each is taken for itself, and what cannot be taken ends its step.

use windlass_agent::identity::Identity;
use windlass_coordinator_core::state::{WorkKind, assignment_id};
use windlass_protocol::codec;
use windlass_protocol::ids::{AssignmentId, DeploymentId};
use windlass_protocol::limits::{REASON_BYTES, VARIABLE_BYTES};
use windlass_protocol::message::{
    Answer, Outcome, OutputVariable, OutputVariableValue, Report, ReportKind, Request,
};
use windlass_tests::client::{runtime, session};
use windlass_tests::installation::Installation;
use windlass_tests::journal::{field, segments};

use super::{deploy_project, enrolled, step_of};

/// Projects beside the one whose step says too much.
const OTHERS: [&str; 3] = ["Alpha", "Beta", "Gamma"];

fn journal_bytes(installation: &Installation) -> u64 {
    segments(&installation.data()).iter().map(|path| path.metadata().expect("a file").len()).sum()
}

/// As much output as fits one message with these reports: one byte a character there, and six in the journal.
fn with_largest(assignment: AssignmentId, others: &[Report]) -> Vec<Report> {
    let text = "\u{1}".repeat(VARIABLE_BYTES);
    let reports = |last: usize| {
        let length = |number| if number == 31 { last } else { VARIABLE_BYTES };
        let variable = |number| OutputVariable {
            name: format!("Output{number}"),
            value: OutputVariableValue::Plain(text[..length(number)].to_owned()),
        };
        let variables = (0..32).map(variable).collect();
        let kind = ReportKind::Ended { outcome: Outcome::Succeeded, variables, lines: 0 };
        [&[Report { assignment, kind }], others].concat()
    };
    let fits = |last: &usize| codec::body(&Request::Report(reports(*last))).is_ok();
    let lengths: Vec<_> = (0..=VARIABLE_BYTES).collect();
    reports(lengths.partition_point(fits) - 1)
}

#[test]
fn a_report_that_is_too_much_for_a_record_fails_its_step_and_takes_no_other_with_it() {
    let (_folder, installation) = super::installation("", "script: {body: 'echo hello'}");
    for project in OTHERS {
        let step = "{name: Install, roles: [web], script: {body: 'echo hello'}}";
        installation.apply(&format!("kind: project\nname: {project}\nsteps: [{step}]\n"));
    }
    installation
        .apply("kind: project\nname: Files\nsteps: [{name: Install, roles: [web], package: {id: small}}]\n");
    let package = installation.folder.join("small.1.0.0.bin");
    std::fs::write(&package, "small").expect("a file");
    installation.windlass(&["package", "upload", &package.to_string_lossy()]);
    let agent = enrolled(&installation, "machine");
    let target = Identity::read(&agent.state()).expect("enrolled").membership.target;
    let started = |project: &str| -> (String, AssignmentId, AssignmentId) {
        let id = deploy_project(&installation, project, "1.0.0");
        let deployment: DeploymentId = id.parse().expect("an id");
        let run = WorkKind::Run(step_of(&installation, project));
        let of = |kind| assignment_id(deployment, target, kind, 1);
        (id, of(run), of(WorkKind::Fetch))
    };
    let (large, large_step, _) = started("Website");
    let (files, _, fetch) = started("Files");
    let others = OTHERS.map(&started);
    let before = journal_bytes(&installation);
    runtime().block_on(async {
        let session = session(&agent.state()).await.expect("a session");
        let ended = |assignment| Report {
            assignment,
            kind: ReportKind::Ended { outcome: Outcome::Succeeded, variables: Vec::new(), lines: 0 },
        };
        let mut reports =
            vec![Report { assignment: fetch, kind: ReportKind::FetchFailed("\u{1}".repeat(REASON_BYTES)) }];
        reports.extend(others.iter().map(|(_, step, _)| ended(*step)));
        let alone = with_largest(large_step, &[]);
        for reports in [with_largest(large_step, &reports), alone] {
            let answer = session.link.answer(&Request::Report(reports.clone())).await.expect("an answer");
            assert!(matches!(answer, Answer::Reported), "none of them has to be told again");
        }
    });
    for (id, ..) in &others {
        assert_eq!(field(&installation.json(&["deployment", "view", id]), "state"), "succeeded");
    }
    assert_eq!(field(&installation.json(&["deployment", "view", &files]), "state"), "failed");
    let view = installation.windlass(&["deployment", "view", &large]);
    assert!(view.contains("the step set output variables of 125"), "{view}");
    let grown = journal_bytes(&installation) - before;
    assert!(grown < 256 << 10, "{grown} bytes were recorded");
}

#[test]
fn what_a_machine_says_of_itself_is_shown_whatever_numbers_it_says() {
    let (_folder, installation) = super::installation("", "package: {id: small}");
    installation.apply(
        "kind: project\nname: Other\nsteps: [{name: Install, roles: [web], script: {body: 'echo hello'}}]\n",
    );
    let package = installation.folder.join("small.1.0.0.bin");
    std::fs::write(&package, "small").expect("a file");
    installation.windlass(&["package", "upload", &package.to_string_lossy()]);
    let agent = enrolled(&installation, "machine");
    let target = Identity::read(&agent.state()).expect("enrolled").membership.target;
    let assigned = |project: &str, kind| {
        let id = deploy_project(&installation, project, "1.0.0");
        let assignment = assignment_id(id.parse().expect("an id"), target, kind, 1);
        (id, assignment)
    };
    let (fetched, fetch) = assigned("Website", WorkKind::Fetch);
    let (printed, run) = assigned("Other", WorkKind::Run(step_of(&installation, "Other")));
    runtime().block_on(async {
        let session = session(&agent.state()).await.expect("a session");
        let most = u64::MAX;
        let ended = ReportKind::Ended { outcome: Outcome::Succeeded, variables: Vec::new(), lines: most };
        let reports = vec![
            Report { assignment: fetch, kind: ReportKind::Fetched { moved: most, saved: most } },
            Report { assignment: run, kind: ended },
        ];
        let answer = session.link.answer(&Request::Report(reports)).await;
        assert!(matches!(answer, Ok(Answer::Reported)));
    });
    let view = installation.windlass(&["deployment", "view", &fetched]);
    assert!(view.contains("16.00 EiB"), "{view}");
    let view = installation.windlass(&["deployment", "view", &printed]);
    assert!(view.contains(&format!("printed {} lines, and no step prints so many", u64::MAX)), "{view}");
}
