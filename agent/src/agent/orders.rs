//! What the coordinator wants done: pulled, admitted or refused one by one, begun; and withdrawn again.

use std::sync::Arc;

use anyhow::bail;
use tokio::sync::watch;
use windlass_agent_core::admission::{Admission, Known, admit};
use windlass_protocol::Digest;
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::message::{
    Answer, Assignment, Generation, Refusal, Report, ReportKind, Request, SignedAssignment,
};
use windlass_trust::{BadSignature, verify_assignment};

use crate::ledger::Entry;
use crate::link::Link;
use crate::shared::Agent;

/// What the coordinator wants, as the control stream said last.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted {
    /// The generation of the newest change in the target's work.
    pub(super) generation: Option<Generation>,
    /// Whether the certificate is due for renewal.
    pub(super) renew: bool,
}

/// There is a new certificate, and a session is judged by the one that it began with.
pub(super) struct Renewed;

/// The work that one session asks for.
pub(super) struct Orders<'a> {
    agent: &'a Arc<Agent>,
    link: Link,
    wanted: watch::Receiver<Wanted>,
    /// The generation up to which assignments were taken in this session.
    taken: Option<Generation>,
}

impl<'a> Orders<'a> {
    pub(super) const fn new(agent: &'a Arc<Agent>, link: Link, wanted: watch::Receiver<Wanted>) -> Self {
        Self { agent, link, wanted, taken: None }
    }

    /// Does what is wanted, each time that the control stream says it, until the certificate was renewed. What fails is
    /// tried again with the next heartbeat's answer: it ends no session, since others' work has nothing to do with it.
    pub(super) async fn follow(mut self) -> Renewed {
        while self.wanted.changed().await.is_ok() {
            let Wanted { generation, renew } = *self.wanted.borrow_and_update();
            // Until the certificate has expired, everything else goes on.
            if renew {
                match self.agent.renew(&self.link).await {
                    Ok(()) => return Renewed,
                    Err(why) => tracing::warn!(
                        why = format!("{why:#}"),
                        "the certificate is due for renewal and was not renewed"
                    ),
                }
            }
            // Tasks wait for a session in which there may be answers.
            self.agent.link.send_if_modified(|link| {
                let first = link.is_none();
                if first {
                    *link = Some(self.link.clone());
                }
                first
            });
            if let Some(generation) = generation
                && let Err(why) = self.pull(generation).await
            {
                tracing::warn!(
                    why = format!("{why:#}"),
                    "new work could not be taken; it is asked for again"
                );
            }
        }
        std::future::pending().await
    }

    /// Pulls what is newer than what was taken.
    async fn pull(&mut self, generation: Generation) -> anyhow::Result<()> {
        if self.taken >= Some(generation) {
            return Ok(());
        }
        let (mut after, mut untold) = (None, 0);
        loop {
            let request = Request::Assignments { since: self.taken, after };
            let Answer::Assignments(answer) = self.link.answer(&request).await? else {
                bail!("the coordinator did not answer with assignments");
            };
            // First, so that what is withdrawn stops whatever becomes of what is new.
            self.agent.withdraw_all_but(&answer.active);
            for signed in &answer.new {
                untold += usize::from(!self.take(signed).await?);
            }
            match answer.next {
                None if untold > 0 => bail!("the coordinator did not take {untold} refusals"),
                None => {
                    self.taken = Some(answer.generation);
                    return Ok(());
                }
                next if next <= after => bail!("the coordinator's list of assignments does not go on"),
                next => after = next,
            }
        }
    }

    /// Admits or refuses one assignment; what is admitted is written down before it begins. Answers whether it is settled:
    /// a refusal that was not told is told the next time, and holds nothing else up. One that cannot be written down now
    /// is an error: those after it are newer, and once they are known it would be taken for a replay.
    async fn take(&self, signed: &SignedAssignment) -> anyhow::Result<bool> {
        let agent = self.agent;
        let key = agent.identity.membership.assignment_key;
        let assignment = match verify_assignment(key.as_bytes(), signed) {
            Ok(assignment) => assignment,
            Err(why) => return self.refuse_unread(signed, why).await,
        };
        let digest = Digest::of(&signed.body);
        let admission = {
            let ledger = agent.ledger();
            let entries = ledger.entries()?;
            let assignments = entries.into_iter().map(|(id, entry)| (id, entry.digest)).collect();
            let known = Known {
                target: agent.identity.membership.target,
                configuration: &agent.configuration.advertised,
                isolation: agent.configuration.isolation,
                served: ledger.served()?,
                highest: ledger.highest()?,
                assignments: &assignments,
                now: agent.clock.latest(),
            };
            admit(&known, &assignment, digest)
        };
        let generation = assignment.generation;
        match admission {
            Admission::Known => {}
            Admission::Refuse(refusal) => {
                tracing::error!(assignment = %assignment.id, ?refusal, "an assignment is refused");
                return Ok(self.refuse(assignment.id, refusal).await);
            }
            Admission::Admit => {
                let entry = Entry { generation, digest, closed: false };
                let owner = (assignment.path.space.0, assignment.path.tenant.as_ref().map(|(id, _)| *id));
                agent.ledger().admit(assignment.id, entry, signed, owner)?;
                agent.begin(assignment, entry);
            }
        }
        Ok(true)
    }

    /// Refuses what is not the coordinator's, or is and cannot be read: another version may know work that this one
    /// does not. The coordinator is told of which of its assignments that is said, as far as the bytes say it.
    async fn refuse_unread(&self, signed: &SignedAssignment, why: BadSignature) -> anyhow::Result<bool> {
        let refusal = match why {
            BadSignature::Signature => Refusal::BadSignature,
            BadSignature::Malformed(_) => Refusal::Unsupported,
        };
        let Some(id) = Assignment::id_in(&signed.body) else {
            tracing::error!(%why, "an assignment is refused, and does not even say which one it is");
            return Ok(true);
        };
        tracing::error!(assignment = %id, %why, "an assignment is refused");
        // What was admitted stays so: bytes that are nobody's stop nothing that is under way.
        if self.agent.ledger().entries()?.contains_key(&id) {
            return Ok(true);
        }
        Ok(self.refuse(id, refusal).await)
    }

    /// Tells the coordinator, so that the deployment fails with the reason; whether it knows. Where it does not, the
    /// assignment comes again, and is refused again.
    async fn refuse(&self, assignment: AssignmentId, refusal: Refusal) -> bool {
        let report = Report { assignment, kind: ReportKind::Refused(refusal) };
        matches!(self.link.answer(&Request::Report(vec![report])).await, Ok(Answer::Reported))
    }
}
