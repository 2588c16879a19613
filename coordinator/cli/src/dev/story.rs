//! The story: releases through Testing, Staging and Production, and who got what, who did not, and why.

use serde_json::Value;

use super::checks;
use super::console::{heading, say, table};
use super::fleet::Fleet;
use super::packages;
use super::programs::Installation;

/// A deployment of the story: project, environment, tenants.
const DEPLOYMENTS: [(&str, &str, &[&str]); 6] = [
    ("Synergy", "Testing", &[]),
    ("Synergy", "Staging", &["Customer-1"]),
    ("Synergy", "Staging", &["Customer-2"]),
    ("Synergy", "Production", &["Customer-1", "Customer-2", "Customer-3"]),
    ("Mojo", "Staging", &["Customer-2"]),
    ("Mojo", "Production", &["Customer-2"]),
];

/// Plays it. Whether every check held.
pub(super) fn play(installation: &Installation, fleet: &mut Fleet) -> anyhow::Result<bool> {
    let folder = fleet.folder();
    heading("The sample: environments, tags, projects, tenants");
    let sample = folder.join("sample.yaml");
    std::fs::write(&sample, include_str!("sample.yaml"))?;
    say(installation.run(&["apply", "-f", &sample.to_string_lossy()])?.trim_end());

    heading("Five machines enrol, each with a token of its own");
    fleet.start(installation)?;

    heading("Packages and releases");
    for path in packages::write_all(&folder.join("packages"))? {
        installation.run(&["package", "upload", &path.to_string_lossy()])?;
    }
    installation.run(&["release", "create", "--project", "Synergy", "--version", "1.4.0"])?;
    installation.run(&["release", "create", "--project", "Mojo", "--version", "2.1.0"])?;

    let mut reasons = Vec::new();
    for (project, environment, tenants) in DEPLOYMENTS {
        let whom = if tenants.is_empty() { "untenanted".to_owned() } else { tenants.join(", ") };
        heading(&format!("{project} to {environment}: {whom}"));
        let mut arguments = vec![
            "release",
            "deploy",
            "--project",
            project,
            "--version",
            "latest",
            "--environment",
            environment,
        ];
        for tenant in tenants {
            arguments.extend(["--tenant", tenant]);
        }
        let plan = installation.json(&[arguments.as_slice(), &["--plan"]].concat())?;
        collect_reasons(&plan, &mut reasons);
        arguments.push("--wait");
        say(installation.run(&arguments)?.trim_end());
    }

    heading("Who received what");
    let (rows, held) = checks::check(fleet);
    table(&rows);

    heading("Who did not, and why");
    reasons.sort();
    reasons.dedup();
    let titles = ["deployment", "step", "target", "reason"].map(str::to_owned).to_vec();
    table(&[vec![titles], reasons].concat());
    Ok(held)
}

/// What a plan leaves out: steps, and targets of the steps that run.
fn collect_reasons(plan: &Value, reasons: &mut Vec<Vec<String>>) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for deployment in list(&plan["deployments"]) {
        let tenant = deployment["tenant"].as_str().unwrap_or("untenanted");
        let place = format!("{} {tenant}", text(&deployment["environment"]));
        for step in list(&deployment["steps"]) {
            if step["state"] == "skipped" {
                reasons.push(vec![place.clone(), text(&step["name"]), "-".to_owned(), text(&step["reason"])]);
            }
            for target in list(&step["targets"]) {
                if target["state"] == "out" && step["state"] == "run" {
                    let row = [
                        place.clone(),
                        text(&step["name"]),
                        text(&target["target"]),
                        text(&target["reason"]),
                    ];
                    reasons.push(row.to_vec());
                }
            }
        }
    }
}
