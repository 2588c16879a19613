//! Whether to carry out an assignment: the agent decides by itself before it acts (ARCHITECTURE, "The agent's
//! conversation", 3; THREATS D1).

use std::collections::BTreeMap;

use windlass_protocol::ids::{AssignmentId, SpaceId, TargetId, TenantId};
use windlass_protocol::message::{
    Advertised, Assignment, Generation, InstallationPath, Isolation, Participation, Refusal,
};
use windlass_protocol::names::fold;
use windlass_protocol::{Digest, Timestamp};

/// What the agent knows when it decides.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    pub target: TargetId,
    pub configuration: &'a Advertised,
    pub isolation: Isolation,
    /// Whom it has served, if it can serve one tenant only.
    pub served: Option<(SpaceId, Option<TenantId>)>,
    /// The highest generation that it has acted upon.
    pub highest: Option<Generation>,
    /// The assignments that it knows, with the digest of what they said.
    pub assignments: &'a BTreeMap<AssignmentId, Digest>,
    /// Now, by the coordinator's clock, never earlier than the latest it was told.
    pub now: Timestamp,
}

/// What to do with an assignment whose signature is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Carry it out, once this is written down.
    Admit,
    /// It is known already.
    Known,
    /// Do not, and say why.
    Refuse(Refusal),
}

/// Decides on an assignment; `digest` is that of its bytes as they came.
pub fn admit(known: &Known<'_>, assignment: &Assignment, digest: Digest) -> Admission {
    use Admission::Refuse;
    if assignment.target != known.target {
        return Refuse(Refusal::NotForThisTarget);
    }
    match known.assignments.get(&assignment.id) {
        Some(same) if *same == digest => return Admission::Known,
        Some(_) => return Refuse(Refusal::ChangedContent),
        None => {}
    }
    if known.highest.is_some_and(|highest| assignment.generation < highest) {
        return Refuse(Refusal::OldGeneration);
    }
    if assignment.expires < known.now {
        return Refuse(Refusal::Expired);
    }
    if !inside(known.configuration, &assignment.path) {
        return Refuse(Refusal::OutsideConfiguration);
    }
    let owner = (assignment.path.space.0, assignment.path.tenant.as_ref().map(|(id, _)| *id));
    if known.isolation == Isolation::SingleTenant && known.served.is_some_and(|served| served != owner) {
        return Refuse(Refusal::OtherTenant);
    }
    Admission::Admit
}

/// Whether the machine's own configuration admits work of this: in its environment, and for that tenant or for none, as it
/// wants to take part. Tags are known to the coordinator alone, so where the configuration names any, the coordinator's
/// answer stands.
fn inside(configuration: &Advertised, path: &InstallationPath) -> bool {
    let names = |listed: &[String], name: &str, slug: &str| {
        listed.iter().any(|entry| entry == slug || fold(entry) == fold(name))
    };
    let environment = configuration
        .environments
        .as_ref()
        .is_none_or(|listed| names(listed, &path.environment_name, path.environment.1.as_str()));
    let tenant = match (&configuration.tenants, &configuration.tenant_tags, &path.tenant) {
        (_, _, None) | (None, None, _) | (_, Some(_), _) => true,
        (Some(listed), None, Some((_, slug))) => {
            names(listed, path.tenant_name.as_deref().unwrap_or_default(), slug.as_str())
        }
    };
    let takes_part = match configuration.participation {
        None | Some(Participation::Both) => true,
        Some(Participation::Tenanted) => path.tenant.is_some(),
        Some(Participation::Untenanted) => path.tenant.is_none(),
    };
    environment && tenant && takes_part
}

#[cfg(test)]
mod tests {
    use std::iter;

    use windlass_protocol::ids::{DeploymentId, EnvironmentId, ProjectId};
    use windlass_protocol::message::{FetchWork, Work};

    use super::*;

    fn path(tenant: Option<&str>) -> InstallationPath {
        let slug = |text: &str| text.parse().expect("a slug");
        InstallationPath {
            space: (SpaceId::from_bytes([1; 16]), slug("default")),
            environment: (EnvironmentId::from_bytes([2; 16]), slug("staging")),
            environment_name: "Staging".to_owned(),
            tenant: tenant.map(|slug_of| (TenantId::from_bytes([3; 16]), slug(slug_of))),
            tenant_name: tenant.map(|name| name.to_uppercase()),
            project: (ProjectId::from_bytes([4; 16]), slug("web")),
            version: "1.0.0".to_owned(),
        }
    }

    #[test]
    fn the_machines_own_configuration_admits_what_it_names_and_as_it_takes_part() {
        use Participation::{Both, Tenanted, Untenanted};
        let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        let said = |environments, tenants, tenant_tags, participation| Advertised {
            environments,
            tenants,
            tenant_tags,
            participation,
            ..Advertised::default()
        };
        // What the configuration says, whether it admits untenanted work, and work for Alpha.
        for (configuration, untenanted, for_alpha) in [
            (said(None, None, None, None), true, true),
            (said(names(&["Staging"]), None, None, Some(Both)), true, true),
            (said(names(&["Testing"]), None, None, None), false, false),
            (said(names(&[]), None, None, None), false, false),
            (said(None, names(&["alpha"]), None, None), true, true),
            (said(None, names(&["Alpha"]), None, Some(Tenanted)), false, true),
            (said(None, names(&["beta"]), None, None), true, false),
            (said(None, names(&["beta"]), names(&["Ring/Canary"]), None), true, true),
            (said(None, None, None, Some(Tenanted)), false, true),
            (said(None, None, names(&["Ring/Canary"]), Some(Untenanted)), true, false),
        ] {
            let admits = |tenant| inside(&configuration, &path(tenant));
            assert_eq!((admits(None), admits(Some("alpha"))), (untenanted, for_alpha), "{configuration:?}");
        }
    }

    /// Every refusal once; a new one does not compile before it has its place here.
    fn refusals() -> impl Iterator<Item = Refusal> {
        iter::successors(Some(Refusal::NotForThisTarget), |last| match last {
            Refusal::NotForThisTarget => Some(Refusal::BadSignature),
            Refusal::BadSignature => Some(Refusal::OldGeneration),
            Refusal::OldGeneration => Some(Refusal::ChangedContent),
            Refusal::ChangedContent => Some(Refusal::Expired),
            Refusal::Expired => Some(Refusal::OutsideConfiguration),
            Refusal::OutsideConfiguration => Some(Refusal::OtherTenant),
            Refusal::OtherTenant => Some(Refusal::Unsupported),
            Refusal::Unsupported => None,
        })
    }

    /// One assignment, and agents that differ in one thing each from one that knows nothing yet (THREATS D1).
    #[test]
    fn each_thing_that_the_agent_knows_decides_by_itself() {
        use Admission::{Admit, Known as KnownAlready, Refuse};
        let assignment = Assignment {
            target: TargetId::from_bytes([9; 16]),
            id: AssignmentId::from_bytes([5; 16]),
            generation: Generation { epoch: 2, sequence: 7 },
            not_before: Timestamp::from_milliseconds(0),
            expires: Timestamp::from_milliseconds(1000),
            deployment: DeploymentId::from_bytes([6; 16]),
            path: path(Some("alpha")),
            work: Work::Fetch(FetchWork { packages: Vec::new() }),
        };
        let digest = Digest::of("its bytes");
        let (elsewhere, nothing) = (
            Advertised { environments: Some(vec!["Testing".to_owned()]), ..Advertised::default() },
            (Advertised::default(), BTreeMap::new()),
        );
        let listed =
            |id: u8, text: &str| BTreeMap::from([(AssignmentId::from_bytes([id; 16]), Digest::of(text))]);
        let [same, other, changed] =
            [listed(5, "its bytes"), listed(6, "its bytes"), listed(5, "other bytes")];
        let fresh = Known {
            target: assignment.target,
            configuration: &nothing.0,
            isolation: Isolation::SingleTenant,
            served: None,
            highest: None,
            assignments: &nothing.1,
            now: assignment.not_before,
        };
        let after = |epoch, sequence| Known { highest: Some(Generation { epoch, sequence }), ..fresh };
        let at = |milliseconds| Known { now: Timestamp::from_milliseconds(milliseconds), ..fresh };
        let [own, foreign] = [1, 2].map(|byte| SpaceId::from_bytes([byte; 16]));
        let [alpha, beta] = [3, 4].map(|byte| Some(TenantId::from_bytes([byte; 16])));
        let serves = |space, tenant| Known { served: Some((space, tenant)), ..fresh };
        let unbound = |isolation| Known { isolation, ..serves(own, beta) };
        let table = [
            (fresh, Admit),
            (Known { target: TargetId::from_bytes([8; 16]), ..fresh }, Refuse(Refusal::NotForThisTarget)),
            (Known { assignments: &other, ..fresh }, Admit),
            (Known { assignments: &same, ..fresh }, KnownAlready),
            // What is known already is so whatever came after it.
            (Known { assignments: &same, ..after(2, 8) }, KnownAlready),
            (Known { assignments: &same, ..at(1001) }, KnownAlready),
            (Known { assignments: &changed, ..fresh }, Refuse(Refusal::ChangedContent)),
            (after(2, 7), Admit),
            (after(1, 100), Admit),
            (after(2, 8), Refuse(Refusal::OldGeneration)),
            (after(3, 1), Refuse(Refusal::OldGeneration)),
            (at(1000), Admit),
            (at(1001), Refuse(Refusal::Expired)),
            (Known { configuration: &elsewhere, ..fresh }, Refuse(Refusal::OutsideConfiguration)),
            (serves(own, alpha), Admit),
            (serves(own, beta), Refuse(Refusal::OtherTenant)),
            (serves(own, None), Refuse(Refusal::OtherTenant)),
            (serves(foreign, alpha), Refuse(Refusal::OtherTenant)),
            (unbound(Isolation::Accounts), Admit),
            (unbound(Isolation::None), Admit),
        ];
        for (known, admission) in &table {
            assert_eq!(admit(known, &assignment, digest), *admission, "{known:?}");
        }
        // These two are decided before: by the signature, and by whoever decodes.
        let elsewhere = |why: &Refusal| matches!(why, Refusal::BadSignature | Refusal::Unsupported);
        for why in refusals().filter(|why| !elsewhere(why)) {
            assert!(table.iter().any(|(_, admission)| *admission == Refuse(why)), "{why:?} is not shown");
        }
    }
}
