//! What every script may ask of its own deployment (SURFACE, "What scripts see"). None of it is sensitive.

use windlass_protocol::names::fold;
use windlass_templates::Reference;

use crate::model::Snapshot;

/// The names that system variables are made from.
#[derive(Debug, Clone, Copy)]
pub struct SystemNames<'a> {
    pub space: &'a str,
    pub environment: &'a str,
    pub tenant: Option<&'a str>,
    pub project: &'a str,
    /// The release's version.
    pub release: &'a str,
    /// The target.
    pub machine: &'a str,
    pub step: &'a str,
    pub deployment: &'a str,
}

/// What the name of the tenant is called.
pub(super) const TENANTS_NAME: &str = "Windlass.Deployment.Tenant.Name";

/// The same, folded, and in Octopus's words. It is the tenant's like its values, and as little code (SEMANTICS 6).
const TENANT: [&str; 2] = ["windlass.deployment.tenant.name", "octopus.deployment.tenant.name"];

/// How the names begin, folded, that nobody but the system defines.
const OWN: [&str; 2] = ["windlass.", "octopus."];

/// Whether the name is that of the variable with the tenant's name, in any case.
pub fn is_tenants_name(name: &str) -> bool {
    TENANT.contains(&fold(name).as_str())
}

/// Whether an output variable of this name would take the place of what the system or the release defines, be it for
/// others than this deployment: then it is nobody's (SEMANTICS 6). So would an element beside those that are defined,
/// and a name that lies in the value of one.
pub fn shadows(snapshot: &Snapshot, name: &str) -> bool {
    let folded = fold(name);
    let is_defined = |name: &str| !snapshot.called(name).is_empty();
    let has_elements = |name: &str| !snapshot.beginning(&format!("{name}[")).is_empty();
    let reference = Reference::Name(folded.clone());
    OWN.iter().any(|own| folded.starts_with(own))
        || is_defined(&folded)
        || reference.holders().into_iter().any(|holder| is_defined(holder) || has_elements(holder))
}

/// Whether the name is that of a variable that the system defines for some deployment, in any case.
pub fn is_systems(name: &str) -> bool {
    let none = SystemNames {
        space: "",
        environment: "",
        tenant: Some(""),
        project: "",
        release: "",
        machine: "",
        step: "",
        deployment: "",
    };
    let folded = fold(name).replacen(OWN[1], OWN[0], 1);
    system_variables(&none).iter().any(|(own, _)| fold(own) == folded)
}

/// The variables: `Windlass.Environment.Name` and so on. Agents answer `Octopus.…` beside each.
pub fn system_variables(names: &SystemNames<'_>) -> Vec<(String, String)> {
    let of = |name: &str, value: &str| (format!("Windlass.{name}"), value.to_owned());
    let mut variables = vec![
        of("Deployment.Id", names.deployment),
        of("Environment.Name", names.environment),
        of("Machine.Name", names.machine),
        of("Project.Name", names.project),
        of("Release.Number", names.release),
        of("Space.Name", names.space),
        of("Step.Name", names.step),
    ];
    if let Some(tenant) = names.tenant {
        variables.push(of("Deployment.Tenant.Name", tenant));
    }
    variables
}
