//! The agent's life: one session after the other, and what it waits for between them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;
use windlass_agent_core::backoff::Backoff;
use windlass_protocol::message::{FromAgent, Goodbye, VERSION};

use super::session::{self, Over};
use crate::shared::Agent;
use crate::status::Connection;

impl Agent {
    /// One session after the other, with a back-off between them.
    pub(super) async fn live(self: &Arc<Self>, mut to_show: mpsc::Receiver<FromAgent>) -> anyhow::Result<()> {
        let mut backoff = Backoff::default();
        loop {
            let over = session::run(self, &mut to_show, &mut backoff).await;
            self.link.send_replace(None);
            // Said inside a session, by who proved to be the coordinator: its work is withdrawn, and nobody else tells. A lost
            // connection, an expired certificate or whatever else ends a session leaves it alone.
            if matches!(over, Ok(Over::Goodbye(Goodbye::NotAdmitted))) {
                self.withdraw_all_but(&[]);
            }
            let mut random = [0; 8];
            getrandom::fill(&mut random).context("no randomness")?;
            let random = u64::from_le_bytes(random);
            let (wait, sentence) = match over {
                Ok(Over::Renewed) => (backoff.renewed(random), None),
                Ok(Over::Goodbye(goodbye)) => (backoff.failed(random), Some(in_words(goodbye))),
                Ok(Over::Broken(why)) => (backoff.failed(random), Some(why)),
                Err(why) => (backoff.failed(random), Some(format!("{why:#}"))),
            };
            if let Some(sentence) = sentence {
                tracing::warn!(why = sentence, "no session");
                self.update_status(|status| status.connection = Connection::Disconnected(sentence));
            } else if wait > 0 {
                tracing::warn!(
                    milliseconds = wait,
                    "the certificate was renewed again before a session stood; waiting with the next"
                );
            }
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
    }
}

fn in_words(goodbye: Goodbye) -> String {
    match goodbye {
        Goodbye::Version { lowest, highest } => {
            format!(
                "the coordinator speaks protocol versions {lowest} to {highest}, this agent speaks {VERSION}"
            )
        }
        Goodbye::NotAdmitted => {
            "the coordinator does not admit this target: it is disabled, revoked or deleted".into()
        }
        Goodbye::Expired => "the certificate has expired".to_owned(),
        Goodbye::Replaced => {
            "another session with this certificate took over: is there a clone of this machine?".into()
        }
        Goodbye::FutureGeneration => {
            "this agent has seen later orders than the coordinator knows: was a backup restored?".to_owned()
        }
        Goodbye::TooOften => {
            "this machine's configuration changes too often; the coordinator takes no further change for an hour"
                .to_owned()
        }
        Goodbye::Busy => {
            "the coordinator can record nothing just now, for its disk is full or its clock is wrong; this agent tries again"
                .to_owned()
        }
        Goodbye::Protocol => "the coordinator and this agent misunderstood each other".to_owned(),
    }
}
