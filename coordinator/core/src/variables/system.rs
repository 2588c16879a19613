//! What every script may ask of its own deployment (SURFACE, "What scripts see"). None of it is sensitive.

/// The names that system variables are made from.
#[derive(Debug, Clone, Copy)]
pub struct SystemNames<'a> {
    /// Space.
    pub space: &'a str,
    /// Environment.
    pub environment: &'a str,
    /// Tenant, or none.
    pub tenant: Option<&'a str>,
    /// Project.
    pub project: &'a str,
    /// The release's version.
    pub release: &'a str,
    /// The target.
    pub machine: &'a str,
    /// The step.
    pub step: &'a str,
    /// The deployment's id.
    pub deployment: &'a str,
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
