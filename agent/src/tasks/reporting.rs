//! Telling the coordinator: reports until they are acknowledged, output line after line.

use tokio::time::sleep;
use windlass_protocol::Timestamp;
use windlass_protocol::limits;
use windlass_protocol::message::{Answer, OutputLine, OutputStream, Report, ReportKind, Request};
use windlass_supervisor::Stream;

use super::{RETRY, TaskContext};

/// Bytes of output in one request.
const REQUEST_BYTES: usize = 512 << 10;

/// Sends a report until the coordinator has it.
pub(super) async fn report(context: &TaskContext, report: &Report) {
    loop {
        let link = context.agent.linked().await;
        match link.answer(&Request::Report(vec![report.clone()])).await {
            Ok(Answer::Reported) => return,
            Ok(_) => tracing::warn!("the coordinator did not take a report; it is sent again"),
            Err(_) => {}
        }
        sleep(RETRY).await;
    }
}

/// Sends what the task ended with and the rest of its output, then lets its files go.
pub(super) async fn report_and_close(context: &TaskContext) -> anyhow::Result<()> {
    let ended = context.agent.ledger().ended(context.id())?;
    if let Some(ended) = ended {
        if let ReportKind::Ended { lines, .. } = ended.kind {
            Output::of(context).send_until(lines).await?;
        }
        report(context, &ended).await;
    }
    context.agent.ledger().close(context.id(), context.entry)
}

/// The output of a task: that of its stages, one after the other, numbered through.
pub(super) struct Output<'a> {
    context: &'a TaskContext,
    /// The number of the next line to send.
    next: u64,
}

impl<'a> Output<'a> {
    pub(super) fn of(context: &'a TaskContext) -> Self {
        Self { context, next: 1 }
    }

    /// Sends what there is now. An error of the connection is no error: it is sent again later.
    pub(super) async fn send_available(&mut self) -> anyhow::Result<()> {
        while let Some(next) = self.send_once(u64::MAX).await? {
            if next == self.next {
                return Ok(());
            }
            self.next = next;
        }
        Ok(())
    }

    /// Sends everything up to line `last`, however long it takes. Where the coordinator's disk has lost lines that it
    /// had, it expects an earlier one, and is sent them again.
    async fn send_until(&mut self, last: u64) -> anyhow::Result<()> {
        while self.next <= last {
            match self.send_once(last).await? {
                Some(next) if next != self.next => self.next = next,
                _ => sleep(RETRY).await,
            }
        }
        Ok(())
    }

    /// Sends one batch; the number that the coordinator expects next, or none where it cannot be asked.
    async fn send_once(&mut self, last: u64) -> anyhow::Result<Option<u64>> {
        let folder = self.context.agent.ledger().folder(self.context.id());
        let (from, most) = (self.next, limits::OUTPUT_LINES);
        let lines =
            tokio::task::spawn_blocking(move || super::run::read_output(&folder, from, most)).await??;
        let mut bytes = 0;
        let batch: Vec<OutputLine> = lines
            .into_iter()
            .take(usize::try_from(last - self.next + 1).unwrap_or(usize::MAX))
            .take_while(|line| {
                bytes += line.text.len() + 16;
                bytes < REQUEST_BYTES
            })
            .collect();
        if batch.is_empty() {
            return Ok(Some(self.next));
        }
        let link = self.context.agent.linked().await;
        let request = Request::Output { assignment: self.context.id(), first: self.next, lines: batch };
        match link.answer(&request).await {
            Ok(Answer::Output { next }) => Ok(Some(next)),
            // It does not take it: the step is nobody's any more, and so are its lines.
            Ok(Answer::Denied(windlass_protocol::message::Denied::NotFound)) => {
                Ok(Some(last.saturating_add(1)))
            }
            Ok(_) | Err(_) => Ok(None),
        }
    }
}

/// A line of a supervisor as it travels.
pub(super) fn travelling(line: windlass_supervisor::OutputLine) -> OutputLine {
    OutputLine {
        time: Timestamp::from_milliseconds(i64::try_from(line.time).unwrap_or(i64::MAX)),
        stream: match line.stream {
            Stream::Output => OutputStream::Out,
            Stream::Error => OutputStream::Err,
            Stream::Note => OutputStream::Note,
        },
        text: line.text,
    }
}
