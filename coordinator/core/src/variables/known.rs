//! Which of the names in a secret may be told: those that are no part of it, since something else has them.
//!
//! What a sensitive value refers to stands beside it in clear, or nobody could tell what has to travel with it. But
//! `abc#{hunter}d` may be a password. So only names that are defined stand there, spelled as they are defined
//! (SEMANTICS 6, 11).

use std::collections::{BTreeMap, BTreeSet};

use windlass_api::documents::{Document, ScopedValueText, TemplateText};
use windlass_protocol::names::fold;
use windlass_templates::Reference;

use super::references_in;
use super::system::{TENANTS_NAME, is_systems, is_tenants_name};
use crate::model::{Template, Variable};
use crate::state::Space;

/// The names that values of one document can refer to, folded, as they are defined.
pub struct KnownNames(BTreeMap<String, String>);

/// What a secret refers to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The variables that are defined.
    pub references: BTreeSet<String>,
    /// Whether it seems to refer to something else besides.
    pub more: bool,
}

impl KnownNames {
    /// Those for `document`, which is applied with `others`: its own names, those of all library sets, and for a library
    /// set those of all projects, since it may be included wherever it is not yet.
    pub fn of<'d>(space: &Space, document: &Document, others: impl Iterator<Item = &'d Document>) -> Self {
        let mut known = Self(BTreeMap::new());
        known.add_document(document);
        let of_set = matches!(document, Document::LibrarySet(_));
        for other in others.filter(|other| of_set || matches!(other, Document::LibrarySet(_))) {
            known.add_document(other);
        }
        for set in space.library_sets.iter() {
            known.add(&set.variables, &set.templates);
        }
        for project in space.projects.iter() {
            let itself =
                matches!(document, Document::Project(own) if fold(&own.name) == fold(project.name.as_str()));
            if of_set || itself {
                known.add(&project.variables, &project.templates);
            }
        }
        known
    }

    fn add(&mut self, variables: &[Variable], templates: &[Template]) {
        self.extend(variables.iter().map(|variable| &variable.name));
        self.extend(templates.iter().map(|template| &template.name));
    }

    fn add_document(&mut self, document: &Document) {
        let (variables, templates): (&BTreeMap<String, Vec<ScopedValueText>>, &Vec<TemplateText>) =
            match document {
                Document::LibrarySet(set) => (&set.variables, &set.templates),
                Document::Project(project) => (&project.variables, &project.templates),
                _ => return,
            };
        self.extend(variables.keys());
        self.extend(templates.iter().map(|template| &template.name));
    }

    fn extend<'n>(&mut self, names: impl Iterator<Item = &'n String>) {
        for name in names {
            self.0.entry(fold(name)).or_insert_with(|| name.clone());
        }
    }

    /// What may stand in clear of that which a secret refers to.
    pub fn told(&self, secret: &str) -> Told {
        let mut told = Told::default();
        for name in references_in(secret) {
            let elements = |prefix: &str| {
                let next = self.0.range(prefix.to_owned()..).next();
                next.is_some_and(|(known, _)| known.starts_with(prefix))
            };
            let folded = fold(&name);
            let reference = Reference::Name(folded.clone());
            let holder = reference.holders().into_iter().find_map(|holder| self.0.get(holder));
            let known = self.0.get(&folded).or(holder).cloned();
            // Every deployment for a tenant has its name, which tells nothing of a secret, and is no code.
            let tenants = is_tenants_name(&name) || reference.holders().into_iter().any(is_tenants_name);
            let known = if tenants { Some(TENANTS_NAME.to_owned()) } else { known };
            // The beginning of a name that is defined says no more than that.
            let prefix = Some(folded.clone()).filter(|prefix| prefix.ends_with('[') && elements(prefix));
            // What is gone through has elements, and comes with a reference to these. And every deployment has the
            // system's own.
            let nothing = known.is_none() && prefix.is_none();
            told.more |= nothing && !is_systems(&name) && !elements(&format!("{folded}["));
            told.references.extend(known.into_iter().chain(prefix));
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_a_secret_refers_to_only_what_is_defined_is_told_and_as_it_is_defined() {
        let names = ["Host", "Json", "List[one]", "Both", "Both[x]"].map(str::to_owned);
        let mut known = KnownNames(BTreeMap::new());
        known.extend(names.iter());
        for (secret, references, more) in [
            ("hunter2", &[][..], false),
            ("abc#{hunter}d", &[], true),
            ("#{hOsT}#{hunter | ToUpper}", &["Host"], true),
            ("#{Host | Append #{hunter}}", &["Host"], true),
            ("#{json.Hunter}#{JSON[hunter]}", &["Json"], false),
            ("#{each h in List}#{h.Hunter}#{/each}", &["list["], false),
            ("#{LIST[#{hunter}].hunter}", &["list["], true),
            ("#{Both[#{Host}]}", &["Both", "Host", "both["], false),
            ("#{Hunter[*]}#{Hosts}", &[], true),
            ("#{windlass.environment.NAME}", &[], false),
            ("#{Octopus.Deployment.tenant.Name}", &["Windlass.Deployment.Tenant.Name"], false),
            ("#{Windlass.Deployment.Tenant.Name.Hunter}", &["Windlass.Deployment.Tenant.Name"], false),
            ("#{Windlass.Hunter}", &[], true),
            ("##{hunter}#{hunter", &[], false),
        ] {
            let told = known.told(secret);
            assert_eq!(
                told.references.iter().map(String::as_str).collect::<Vec<_>>(),
                references,
                "{secret}"
            );
            assert_eq!(told.more, more, "{secret}");
        }
    }
}
