//! What a deployment waits for, in words: of what comes first, and of its targets.

use windlass_api::plan::WaitRule;
use windlass_protocol::Timestamp;
use windlass_protocol::ids::DeploymentId;

use crate::matching::{self, Waits};
use crate::model::Target;
use crate::state::Space;

/// What a deployment waits for before it starts, as a sentence; those of its key that come `before` it are named to who
/// sees them.
pub fn wait_sentence(rule: WaitRule, before: &[DeploymentId], seen: &Space) -> String {
    match rule {
        WaitRule::Queue => {
            let first = before.first().and_then(|first| called(seen, *first));
            match (before.len(), first) {
                (..2, None) => "another deployment of this project to the same place comes first".to_owned(),
                (..2, Some(first)) => {
                    format!("another deployment of this project to the same place comes first: {first}")
                }
                (more, None) => {
                    format!("{more} deployments of this project to the same place come first")
                }
                (more, Some(first)) => {
                    format!("{more} deployments of this project to the same place come first, now {first}")
                }
            }
        }
        WaitRule::Cap => {
            "as many deployments run as may run at once; it gets the next turn of its tenant".to_owned()
        }
        WaitRule::Offline => "a target is not connected".to_owned(),
        WaitRule::Busy => "a target is busy with something else".to_owned(),
    }
}

/// A deployment by its id and what of it goes where, for who sees it: `seen` has no other.
pub(crate) fn called(seen: &Space, id: DeploymentId) -> Option<String> {
    let found = seen.deployments.get(&id)?;
    let told = || {
        let project = &seen.projects.get(found.project)?.name;
        let version = &seen.releases.get(&found.release())?.version;
        let environment = &seen.environments.get(found.environment)?.name;
        let tenant = found.tenant.and_then(|tenant| seen.tenants.get(tenant));
        let tenant = tenant.map(|tenant| format!(" for {}", tenant.name)).unwrap_or_default();
        Some(format!("{id} ({project} {version} to {environment}{tenant})"))
    };
    Some(told().unwrap_or_else(|| id.to_string()))
}

/// Why nobody can be given anything at a target now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Away {
    /// Its agent has seen later work than the journal knows.
    Held,
    /// Nobody but who renews it is let in with an expired certificate.
    CertificateExpired,
    /// There is no session.
    Offline,
}

impl Away {
    /// `None` where the target is ready. That it is held, or that its certificate has expired, says more than that nobody
    /// is connected; and while a certificate is renewed, somebody is.
    pub(crate) fn of(target: &Target, now: Timestamp, online: bool) -> Option<Self> {
        match matching::waits(target, now) {
            _ if target.is_held() => Some(Self::Held),
            Some(Waits::CertificateExpired) => Some(Self::CertificateExpired),
            None => (!online).then_some(Self::Offline),
        }
    }

    pub(crate) fn reason(self, target: &Target) -> String {
        let name = &target.name;
        match self {
            Self::Held => format!(
                "target `{name}` is held: its agent has seen later work than the journal knows; look at what has happened \
                 since, then `windlass target confirm {}`",
                target.slug
            ),
            Self::CertificateExpired => {
                format!(
                    "the certificate of target `{name}` has expired; its agent has to connect and renew it"
                )
            }
            Self::Offline => format!("target `{name}` is not connected"),
        }
    }

    /// What can be done, where the reason does not say it.
    pub(crate) const fn advice(self) -> Option<&'static str> {
        match self {
            Self::Held => None,
            Self::CertificateExpired | Self::Offline => {
                Some("start its agent: `systemctl start windlass-agent` there")
            }
        }
    }
}

/// What a deployment waits for a target for, as a sentence; `None` where the target is ready.
pub fn wait_reason(target: &Target, now: Timestamp, online: bool) -> Option<String> {
    Away::of(target, now, online).map(|away| away.reason(target))
}
