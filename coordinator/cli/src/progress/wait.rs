//! Waiting for deployments: each is looked at again and again until it is over. Ctrl-C only ends the looking.

use std::time::Duration;

use windlass_api::answers::{DeploymentItem, DeploymentView, DeploymentsMade};

use super::screen::Screen;
use crate::failure::Failure;
use crate::output::note;
use crate::session::Session;

/// How often a deployment is looked at.
const PACE: Duration = Duration::from_millis(500);
/// How often the coordinator may be out of reach in a row: it restarts in a few seconds.
const PATIENCE: u32 = 60;

/// Waits until all deployments are over and tells how they ended.
pub async fn wait(session: &Session, made: &[DeploymentItem]) -> Result<DeploymentsMade, Failure> {
    let mut screen = Screen::new();
    tokio::select! {
        over = wait_for_all(session, made, &mut screen) => {
            screen.clear();
            over
        }
        _ = tokio::signal::ctrl_c() => {
            screen.clear();
            for item in made {
                note(&format!("it goes on; follow with: windlass deployment logs {} --follow", item.id));
            }
            Err(Failure::Interrupted)
        }
    }
}

async fn wait_for_all(
    session: &Session,
    made: &[DeploymentItem],
    screen: &mut Screen,
) -> Result<DeploymentsMade, Failure> {
    let mut items = made.to_vec();
    let mut told = vec![false; items.len()];
    loop {
        for (item, told) in items.iter_mut().zip(&mut told) {
            // Also one that was over at once is looked at: its steps have something to say.
            if *told {
                continue;
            }
            let view = look(session, &item.id, screen).await?;
            *told = view.item.is_over();
            *item = view.item.clone();
            screen.see(&view);
        }
        if told.iter().all(|told| *told) {
            return Ok(DeploymentsMade { deployments: items, left_out: Vec::new() });
        }
        tokio::time::sleep(PACE).await;
    }
}

/// Looks at a deployment. A coordinator that is out of reach for a while is waited for: the deployment goes on.
async fn look(session: &Session, id: &str, screen: &mut Screen) -> Result<DeploymentView, Failure> {
    for attempt in 0.. {
        match session.client.get(&["deployments", id], &[]).await {
            Err(Failure::Unreachable(why)) if attempt < PATIENCE => {
                if attempt == 0 {
                    screen.say(&format!("{why}; trying again"));
                }
                tokio::time::sleep(PACE).await;
            }
            answer => return answer,
        }
    }
    unreachable!("the last attempt returns")
}
