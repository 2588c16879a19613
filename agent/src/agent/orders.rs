//! What the coordinator wants done: pulled, admitted or refused one by one, begun; and withdrawn again.

use anyhow::bail;
use windlass_agent_core::admission::{Admission, Known, admit};
use windlass_protocol::Digest;
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::message::{
    Answer, Assignment, Generation, Refusal, Report, ReportKind, Request, SignedAssignment,
};
use windlass_trust::{BadSignature, verify_assignment};

use super::lock;
use super::session::Session;
use crate::ledger::Entry;

impl Session<'_> {
    /// Pulls what is newer than what was taken.
    pub(super) async fn pull(&mut self, generation: Generation) -> anyhow::Result<()> {
        if self.taken >= Some(generation) {
            return Ok(());
        }
        let mut after = None;
        loop {
            let request = Request::Assignments { since: self.taken, after };
            let Answer::Assignments(answer) = self.link.answer(&request).await? else {
                bail!("the coordinator did not answer with assignments");
            };
            for signed in &answer.new {
                self.take(signed).await?;
            }
            self.withdraw_all_but(&answer.active);
            match answer.next {
                None => {
                    self.taken = Some(answer.generation);
                    return Ok(());
                }
                next if next <= after => bail!("the coordinator's list of assignments does not go on"),
                next => after = next,
            }
        }
    }

    /// Admits or refuses one assignment; what is admitted is written down before it begins.
    async fn take(&self, signed: &SignedAssignment) -> anyhow::Result<()> {
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
                now: ledger.clock()?,
            };
            admit(&known, &assignment, digest)
        };
        let generation = assignment.generation;
        match admission {
            Admission::Known => {}
            Admission::Refuse(refusal) => {
                tracing::error!(assignment = %assignment.id, ?refusal, "an assignment is refused");
                self.refuse(assignment.id, refusal).await?;
            }
            Admission::Admit => {
                let entry = Entry { generation, digest, closed: false };
                let owner = (assignment.path.space.0, assignment.path.tenant.as_ref().map(|(id, _)| *id));
                agent.ledger().admit(assignment.id, entry, signed, owner)?;
                agent.begin(assignment, entry);
            }
        }
        Ok(())
    }

    /// Refuses what is not the coordinator's, or is and cannot be read: another version may know work that this one
    /// does not. The coordinator is told of which of its assignments that is said, as far as the bytes say it.
    async fn refuse_unread(&self, signed: &SignedAssignment, why: BadSignature) -> anyhow::Result<()> {
        let refusal = match why {
            BadSignature::Signature => Refusal::BadSignature,
            BadSignature::Malformed(_) => Refusal::Unsupported,
        };
        let Some(id) = Assignment::id_in(&signed.body) else {
            tracing::error!(%why, "an assignment is refused, and does not even say which one it is");
            return Ok(());
        };
        tracing::error!(assignment = %id, %why, "an assignment is refused");
        // What was admitted stays so: bytes that are nobody's stop nothing that is under way.
        if self.agent.ledger().entries()?.contains_key(&id) {
            return Ok(());
        }
        self.refuse(id, refusal).await
    }

    /// Tells the coordinator, so that the deployment fails with the reason. Where that is not taken the session ends:
    /// in the next one the assignment comes again, and is refused again.
    async fn refuse(&self, assignment: AssignmentId, refusal: Refusal) -> anyhow::Result<()> {
        let report = Report { assignment, kind: ReportKind::Refused(refusal) };
        match self.link.answer(&Request::Report(vec![report])).await? {
            Answer::Reported => Ok(()),
            _ => bail!("the coordinator did not take the refusal of {assignment}"),
        }
    }

    /// What the coordinator no longer counts as this target's work is withdrawn.
    fn withdraw_all_but(&self, active: &[AssignmentId]) {
        for (id, task) in lock(&self.agent.tasks).iter() {
            if !active.contains(id) {
                task.withdraw();
            }
        }
    }
}
