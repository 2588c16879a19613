//! Targets.

use clap::{Args, Subcommand, ValueEnum};
use windlass_api::answers::{AheadView, Page, ScopeParticipation, ScopeView, TargetItem, TargetView};
use windlass_api::query::QueryText;
use windlass_api::requests::GrantText;
use windlass_protocol::message::Participation;

use crate::failure::Failure;
use crate::options::Part;
use crate::output::{joined, yes_or_no};
use crate::queries::QueryOptions;
use crate::session::Session;

/// What to do with targets.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List the targets
    #[command(alias = "get")]
    List(Part),
    /// Show a target: granted, advertised and effective scope, over-claims, presence
    #[command(alias = "describe")]
    View {
        /// Name, slug or id
        name: String,
    },
    /// Change what a target is granted; what is not named stays
    Scope(Scope),
    /// Let a target take part
    Enable {
        /// Name, slug or id
        name: String,
    },
    /// Let a target take part no longer, and end its session
    Disable {
        /// Name, slug or id
        name: String,
    },
    /// Revoke a target's key; only a new enrolment brings it back
    Revoke {
        /// Name, slug or id
        name: String,
    },
    /// Let a target take part again whose agent has seen later work than the coordinator knows, as after a backup was restored
    Confirm {
        /// Name, slug or id
        name: String,
    },
    /// Delete a target
    Delete {
        /// Name, slug or id
        name: String,
    },
}

/// What a target is granted from now on.
#[derive(Debug, Args)]
pub struct Scope {
    /// Name, slug or id
    pub name: String,
    /// The roles, all of them. Repeatable
    #[arg(long = "role", value_name = "ROLE")]
    pub roles: Vec<String>,
    /// The environments, all of them. Repeatable
    #[arg(long = "environment", value_name = "ENVIRONMENT")]
    pub environments: Vec<String>,
    /// The tenants.
    #[command(flatten)]
    pub query: QueryOptions,
    /// Which kinds of deployment it takes part in
    #[arg(long, value_name = "PARTICIPATION")]
    pub participation: Option<ParticipationName>,
    /// Grant nothing of this kind any more. Repeatable
    #[arg(long, value_enum, value_name = "WHAT")]
    pub clear: Vec<Dimension>,
}

/// A dimension of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Dimension {
    Roles,
    Environments,
    Tenants,
}

/// Which kinds of deployment a target takes part in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ParticipationName {
    Untenanted,
    Tenanted,
    Both,
}

impl From<ParticipationName> for Participation {
    fn from(name: ParticipationName) -> Self {
        match name {
            ParticipationName::Untenanted => Self::Untenanted,
            ParticipationName::Tenanted => Self::Tenanted,
            ParticipationName::Both => Self::Both,
        }
    }
}

impl Scope {
    /// Whether nobody said what to change.
    fn changes_nothing(&self) -> bool {
        let named = !self.roles.is_empty() || !self.environments.is_empty() || !self.query.is_empty();
        !named && self.participation.is_none() && self.clear.is_empty()
    }

    /// The whole grant: what was named in the place of what is there.
    fn over(self, before: ScopeView) -> GrantText {
        let cleared = |what| self.clear.contains(&what);
        let pick = |named: Vec<String>, before: Option<Vec<String>>, what| match named.is_empty() {
            _ if cleared(what) => Vec::new(),
            true => before.unwrap_or_default(),
            false => named,
        };
        let tenants = match self.query.is_empty() {
            _ if cleared(Dimension::Tenants) => QueryText::default(),
            true => before.tenants.clone().unwrap_or_default(),
            false => self.query.to_query(),
        };
        GrantText {
            roles: pick(self.roles.clone(), before.roles, Dimension::Roles),
            environments: pick(self.environments.clone(), before.environments, Dimension::Environments),
            tenants,
            participation: self.participation.map(Participation::from),
        }
    }
}

impl Verb {
    /// Does it.
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let client = &session.client;
        let post = async |name: &str, verb: &str| client.post(&["targets", name, verb], &()).await;
        let view: TargetView = match self {
            Self::List(part) => return list(session, &part).await,
            Self::Delete { name } => {
                client.delete(&["targets", &name]).await?;
                return session.output.done(&format!("deleted the target `{name}`"));
            }
            Self::View { name } => client.get(&["targets", &name], &[]).await?,
            Self::Enable { name } => post(&name, "enable").await?,
            Self::Disable { name } => post(&name, "disable").await?,
            Self::Revoke { name } => post(&name, "revoke").await?,
            Self::Confirm { name } => post(&name, "confirm").await?,
            Self::Scope(scope) if scope.changes_nothing() => {
                return Err(Failure::usage(
                    "say what to change: --role, --environment, --tenant, --tenant-tag, --participation or --clear",
                ));
            }
            Self::Scope(scope) => {
                let before: TargetView = client.get(&["targets", &scope.name], &[]).await?;
                let id = before.item.id;
                client.put(&["targets", &id, "grant"], &scope.over(before.granted)).await?
            }
        };
        session.output.show(&view, described)
    }
}

async fn list(session: &Session, part: &Part) -> Result<(), Failure> {
    let page: Page<TargetItem> = session.client.get(&["targets"], &part.query()).await?;
    session.output.page(&page, &["name", "online", "state", "roles", "environments", "over-claims"], |item| {
        let state = match item {
            TargetItem { revoked: true, .. } => "revoked",
            TargetItem { enabled: false, .. } => "disabled",
            TargetItem { held: true, .. } => "held",
            _ => "enabled",
        };
        vec![
            item.name.clone(),
            yes_or_no(item.online),
            state.to_owned(),
            joined(&item.roles),
            joined(&item.environments),
            yes_or_no(item.over_claims),
        ]
    })
}

/// A target as people read it.
fn described(view: &TargetView) -> String {
    let item = &view.item;
    let mut lines = vec![
        format!("{} ({})", item.name, item.id),
        format!(
            "  online        {}, last seen {}",
            yes_or_no(item.online),
            if item.online {
                "now"
            } else {
                view.last_seen.as_deref().unwrap_or("not since the coordinator started")
            }
        ),
        format!(
            "  enabled       {}{}",
            yes_or_no(item.enabled),
            if item.revoked { ", key revoked" } else { "" }
        ),
        format!("  agent         {}, isolation {}", view.agent_version, view.isolation),
        format!("  certificate   until {}", view.certificate_expires),
    ];
    if let Some(AheadView { epoch, sequence, confirmed }) = view.ahead {
        let so = if confirmed { "confirmed since" } else { "held until `windlass target confirm`" };
        lines.push(format!(
            "  ahead         its agent has seen record {sequence} of epoch {epoch}, which the journal does not know: {so}"
        ));
    }
    for (title, scope) in
        [("granted", &view.granted), ("advertised", &view.advertised), ("effective", &view.effective)]
    {
        lines.push(format!("  {title}"));
        lines.extend(scope_lines(scope));
    }
    lines.push(format!(
        "  serves        {}",
        if view.tenants.is_empty() { "no tenant".to_owned() } else { joined(&view.tenants) }
    ));
    if !view.claims.is_empty() {
        lines.push(format!("  over-claims   {}", joined(&view.claims)));
    }
    lines.join("\n")
}

fn scope_lines(scope: &ScopeView) -> Vec<String> {
    let names = |names: &Option<Vec<String>>| match names {
        None => "not narrowed".to_owned(),
        Some(names) if names.is_empty() => "none".to_owned(),
        Some(names) => joined(names),
    };
    let tenants = scope.tenants.as_ref().map_or_else(|| "not narrowed".to_owned(), query);
    vec![
        format!("    roles          {}", names(&scope.roles)),
        format!("    environments   {}", names(&scope.environments)),
        format!("    tenants        {tenants}"),
        format!(
            "    participation  {}",
            scope.participation.map_or("not narrowed", ScopeParticipation::word)
        ),
    ]
}

/// A tenant query as it is written on the command line.
pub(super) fn query(query: &QueryText) -> String {
    let excluded = query.exclude.tenants.iter().chain(&query.exclude.tags).map(|name| format!("!{name}"));
    let words: Vec<_> = query.tenants.iter().chain(&query.tags).cloned().chain(excluded).collect();
    if words.is_empty() { "nobody".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before() -> ScopeView {
        let names = |name: &str| Some(vec![name.to_owned()]);
        let tenants = Some(QueryText { tenants: vec!["A".to_owned()], ..QueryText::default() });
        ScopeView { roles: names("web"), environments: names("Production"), tenants, participation: None }
    }

    fn scope() -> Scope {
        let query = QueryOptions::default();
        Scope {
            name: String::new(),
            roles: Vec::new(),
            environments: Vec::new(),
            query,
            participation: None,
            clear: Vec::new(),
        }
    }

    #[test]
    fn what_is_not_named_stays_granted() {
        let grant = Scope { environments: vec!["Staging".to_owned()], ..scope() }.over(before());
        assert_eq!(grant.roles, ["web"]);
        assert_eq!(grant.environments, ["Staging"]);
        assert_eq!(grant.tenants.tenants, ["A"]);
        assert_eq!(grant.participation, None, "what was decided when the target was made stays");
    }

    #[test]
    fn a_dimension_is_emptied_only_on_purpose() {
        let grant = Scope { clear: vec![Dimension::Tenants, Dimension::Roles], ..scope() }.over(before());
        assert!(grant.tenants.is_empty() && grant.roles.is_empty());
        assert_eq!(grant.environments, ["Production"]);
    }
}
