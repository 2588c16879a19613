//! What deciding costs in a large installation, each beside the same at a tenth of the size: a command pays for what it
//! touches, not for what there is.

mod installation;

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use serde_json::json;
use windlass_coordinator::registry::Registry;

use crate::machine::{load, median, row};
use crate::{Setting, Verdict};
use installation::{Size, SyntheticInstallation};

/// The size that the bounds are for.
const LARGE: Size = Size { tenants: 10_000, targets: 10_000, projects: 50, running: 1_000 };
/// A tenth of it.
const SMALL: Size = Size { tenants: 1_000, targets: 1_000, projects: 5, running: 100 };

/// Something that is measured.
struct Case {
    what: &'static str,
    /// Milliseconds that it may take in the large installation.
    bound: f64,
    /// Does it for the time of this number, and says how long it took.
    act: fn(&mut SyntheticInstallation, usize) -> anyhow::Result<f64>,
}

const CASES: [Case; 4] = [
    Case { what: "a plan for one tenant", bound: 5.0, act: plan_for_one },
    Case { what: "a plan for a tag that half of the tenants carry", bound: 200.0, act: plan_for_half },
    Case { what: "an edit of one tenant", bound: 5.0, act: edit },
    Case { what: "an apply that changes one line of one document", bound: 20.0, act: apply_a_line },
];

#[allow(clippy::print_stdout)]
pub fn measure(setting: &Setting) -> anyhow::Result<Vec<Verdict>> {
    let (mut small, mut large) = (SyntheticInstallation::build(SMALL)?, SyntheticInstallation::build(LARGE)?);
    println!("\nMilliseconds of the processor in the core with {LARGE}, and with {SMALL}; {}", load());
    let mut verdicts = Vec::new();
    for Case { what, bound, act } in CASES {
        let (mut of_small, mut of_large) = (Vec::new(), Vec::new());
        // The first of each warms everything up.
        for run in 0..=setting.runs {
            let (in_small, in_large) = (act(&mut small, run)?, act(&mut large, run)?);
            if run > 0 {
                of_small.push(in_small);
                of_large.push(in_large);
            }
        }
        let took = median(&of_large);
        println!("  {what}: {}", row(&of_large, 3));
        println!("    at a tenth: {}; {:.1} times as long", row(&of_small, 3), took / median(&of_small));
        let what = format!("model, {what}: {took:.3} ms, at most {bound} ms");
        verdicts.push(Verdict { what, holds: took <= bound });
    }
    Ok(verdicts)
}

/// Milliseconds of the processor that something takes, with what it lets go of. Nothing in it waits, so what else runs on
/// the machine counts little.
fn timed(act: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let now = || clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from);
    let started = now()?;
    act()?;
    Ok((now()? - started).as_secs_f64() * 1e3)
}

fn plan_for_one(installation: &mut SyntheticInstallation, run: usize) -> anyhow::Result<f64> {
    let request = installation.request(0, json!({"tenants": [installation::tenant_name(run)]}));
    timed(|| expect(&installation.plan(&request)?, 1))
}

fn plan_for_half(installation: &mut SyntheticInstallation, _run: usize) -> anyhow::Result<f64> {
    let request = installation.request(0, json!({"tags": ["Ring/Stable"]}));
    let half = installation.size.tenants / 2;
    timed(|| expect(&installation.plan(&request)?, half))
}

/// A plan that leaves somebody out would be a cheaper one.
fn expect(plan: &windlass_api::plan::Plan, deployments: usize) -> anyhow::Result<()> {
    let (planned, left_out) = (plan.deployments.len(), plan.left_out.len());
    anyhow::ensure!((planned, left_out) == (deployments, 0), "{planned} are planned and {left_out} left out");
    Ok(())
}

/// One that has a deployment running: its tags and a value change, and what runs is looked at again.
fn edit(installation: &mut SyntheticInstallation, run: usize) -> anyhow::Result<f64> {
    let command = installation.apply(vec![installation.tenant(run, &format!("edited {run}"))]);
    changed(installation, &command)
}

/// A script of a project of which deployments run.
fn apply_a_line(installation: &mut SyntheticInstallation, run: usize) -> anyhow::Result<f64> {
    let command = installation.apply(vec![installation::project(1, &format!("echo edited {run}"))]);
    changed(installation, &command)
}

/// From the command to the state that is published: decided, gone on with, applied as another coordinator does, and the
/// sessions that it concerns woken.
fn changed(
    installation: &mut SyntheticInstallation,
    command: &windlass_coordinator_core::decide::Command,
) -> anyhow::Result<f64> {
    let (registry, before) = (Registry::default(), installation.state.clone());
    timed(|| {
        let mut followed = before.clone();
        for record in installation.run(command)? {
            followed.apply(&record)?;
        }
        registry.wake_changed(&before, &followed);
        drop((before, followed));
        Ok(())
    })
}
