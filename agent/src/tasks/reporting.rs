//! Telling the coordinator what happened, until it has acknowledged it.

use tokio::time::sleep;
use windlass_agent_core::telling::{Next, Outgoing};
use windlass_protocol::message::{Report, Request};

use super::{RETRY, TaskContext};

/// Sends a report until the coordinator has it, or has said that it will never understand it.
pub(super) async fn report(context: &TaskContext, report: &Report) {
    let mut outgoing = Outgoing::new(report);
    loop {
        let link = context.agent.linked().await;
        let answer = link.answer(&Request::Report(vec![outgoing.report().clone()])).await.ok();
        let taken = matches!(answer, Some(windlass_protocol::message::Answer::Reported));
        let next = outgoing.heard(answer.as_ref());
        if answer.is_some() && !taken {
            tracing::warn!(assignment = %context.id(), ?next, "the coordinator did not take a report");
        }
        match next {
            Next::Over => return,
            Next::GoOn => {}
            Next::Again => sleep(RETRY).await,
        }
    }
}
