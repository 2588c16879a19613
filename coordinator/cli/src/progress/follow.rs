//! Output as it comes, until the deployment is over. A broken connection is made again, and no line comes twice.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use windlass_api::answers::{DeploymentView, LogLine};

use super::line_text;
use crate::failure::Failure;
use crate::output::{Format, note, yaml};
use crate::session::Session;

/// Between two attempts to connect again.
const PAUSE: Duration = Duration::from_secs(1);
/// Attempts in a row that bring nothing before it is given up.
const PATIENCE: u32 = 30;
/// Bytes of a line of the stream: a line of output and its frame.
const LINE_BYTES: usize = 1 << 20;

/// Prints the output of a deployment's steps until it is over. Ctrl-C only ends the reading.
pub async fn follow(
    session: &Session,
    id: &str,
    filter: Vec<(&'static str, Option<String>)>,
) -> Result<(), Failure> {
    let mut reader = Reader { session, id, filter, seen: BTreeMap::new() };
    tokio::select! {
        read = reader.read_to_the_end() => read,
        _ = tokio::signal::ctrl_c() => {
            note(&format!("it goes on; follow with: windlass deployment logs {id} --follow"));
            Err(Failure::Interrupted)
        }
    }
}

struct Reader<'a> {
    session: &'a Session,
    id: &'a str,
    filter: Vec<(&'static str, Option<String>)>,
    /// The last line that was printed, by step and target: a stream begins with the first line each time.
    seen: BTreeMap<(String, String), u64>,
}

impl Reader<'_> {
    async fn read_to_the_end(&mut self) -> Result<(), Failure> {
        let mut in_vain = 0;
        loop {
            let before = self.seen.clone();
            let ended = self.read_stream().await;
            let whole = match ended {
                Ok(()) => true,
                Err(Failure::Unreachable(why)) if in_vain < PATIENCE => {
                    if in_vain == 0 {
                        note(&format!("{why}; trying again"));
                    }
                    false
                }
                Err(other) => return Err(other),
            };
            let over = match self.session.client.get::<DeploymentView>(&["deployments", self.id], &[]).await {
                Ok(view) => view.item.is_over(),
                Err(Failure::Unreachable(_)) if in_vain < PATIENCE => false,
                Err(other) => return Err(other),
            };
            if over && whole {
                return Ok(());
            }
            in_vain = if self.seen == before { in_vain + 1 } else { 0 };
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Reads one stream to its end.
    async fn read_stream(&mut self) -> Result<(), Failure> {
        let path = ["deployments", self.id, "logs", "follow"];
        let response = self.session.client.stream(&path, &self.filter).await?;
        let mut chunks = response.bytes_stream();
        let mut rest: Vec<u8> = Vec::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| Failure::Unreachable("the connection was cut off".to_owned()))?;
            rest.extend_from_slice(&chunk);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                self.print(&line)?;
            }
            if rest.len() > LINE_BYTES {
                return Err(Failure::failed("the coordinator sends a line that is too long"));
            }
        }
        Ok(())
    }

    /// Prints a line that was not printed before. Empty ones only say that the connection lives.
    fn print(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if bytes.trim_ascii().is_empty() {
            return Ok(());
        }
        let line: LogLine = serde_json::from_slice(bytes).map_err(|why| {
            Failure::failed(format!("the output is not what this version of windlass knows: {why}"))
        })?;
        let seen = self.seen.entry((line.step.clone(), line.target.clone())).or_default();
        if line.number <= *seen {
            return Ok(());
        }
        *seen = line.number;
        let text = match self.session.output.format {
            Format::Table => line_text(&line),
            Format::Json => String::from_utf8_lossy(bytes).trim_end().to_owned(),
            Format::Yaml => format!("---\n{}", yaml(&line)?),
        };
        self.session.output.text(&text)
    }
}
