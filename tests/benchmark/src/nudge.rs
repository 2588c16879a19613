//! From a request being sent to the last of 1,000 agents having read its nudge.

use std::time::Instant;

use serde_json::json;
use windlass_tests::installation::Installation;

use crate::arrivals;
use crate::fleet::Fleet;
use crate::machine::{median, row};
use crate::operator::{self, Operator};
use crate::raw::Raw;
use crate::{Setting, Verdict};

const AGENTS: usize = 1000;
const AT_ONCE: usize = 32;
/// Milliseconds that it may take.
const BOUND: f64 = 60.0;
/// And so many times what bare quinn takes.
const TIMES: f64 = 3.0;

#[allow(clippy::print_stdout)]
pub fn measure(setting: &Setting) -> anyhow::Result<Vec<Verdict>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let installation = Installation::start(setting.scratch.path())?;
    let token = prepare(&installation, setting.runs + 1);
    let (mut bare, mut whole) = (Vec::new(), Vec::new());
    runtime.block_on(async {
        let fleet = Fleet::connect(&installation.quic, &token, "agent", AGENTS).await?;
        let mut raw = Raw::connect(AGENTS, AT_ONCE).await?;
        let operator = Operator::new(&installation)?;
        // The first of each warms everything up, the operator's connection too.
        for run in 0..=setting.runs {
            let (raw, own) = (raw.nudge().await?, deploy(&operator, &fleet, run).await?);
            if run > 0 {
                bare.push(raw.as_secs_f64() * 1e3);
                whole.push(own);
            }
        }
        anyhow::Ok(())
    })?;
    println!("\nMilliseconds from the request to the last of {AGENTS} agents having read its nudge");
    println!("  bare quinn: {}", row(&bare, 1));
    println!("  a deployment to {AGENTS} targets, decided and durable: {}", row(&whole, 1));
    let (took, bare) = (median(&whole), median(&bare));
    println!("  {:.2} times bare quinn", took / bare);
    Ok(vec![
        Verdict { what: format!("nudge: {took:.1} ms, at most {BOUND} ms"), holds: took <= BOUND },
        Verdict {
            what: format!("nudge: {:.2} times bare quinn, at most {TIMES}", took / bare),
            holds: took <= TIMES * bare,
        },
    ])
}

/// One project a run, so that no deployment waits for another.
fn prepare(installation: &Installation, runs: usize) -> String {
    let mut documents = "kind: environment\nname: Production\n".to_owned();
    for run in 0..runs {
        documents.push_str(&format!(
            "---\nkind: project\nname: Project {run}\nsteps: [{{name: Say, roles: [web], script: {{body: echo}}}}]\n"
        ));
    }
    installation.apply(&documents);
    for run in 0..runs {
        let project = format!("Project {run}");
        installation.windlass(&["release", "create", "--project", &project, "--version", "1.0.0"]);
    }
    operator::enrolment(installation, "Production", AGENTS)
}

async fn deploy(operator: &Operator, fleet: &Fleet, run: usize) -> anyhow::Result<f64> {
    let project = format!("Project {run}");
    let body = json!({"project": project, "version": "1.0.0", "environments": ["Production"]});
    let request = operator.post("deployments", &body)?;
    let nudges = fleet.expect_nudges();
    arrivals::settle().await;
    let started = Instant::now();
    let (answer, last) = tokio::join!(operator.send(request), nudges.all());
    answer?;
    Ok((last? - started).as_secs_f64() * 1e3)
}
