//! What is data and not code: no tenant's value or name and no output variable stands bare in a text that is run
//! (SEMANTICS 6).

use std::collections::BTreeSet;
use std::fmt;

use windlass_protocol::names::fold;
use windlass_templates::{Reference, Template as Text, script_outputs};

use super::{Context, Resolution, is_tenants_name, names_with_prefix, resolve};
use crate::model::{CodeNames, StoredValue};

/// The full names of output variables begin so, and nothing else does that the system defines.
const OUTPUTS: [&str; 2] = ["windlass.action[", "octopus.action["];

/// What is not code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// A tenant's own value.
    TenantValue,
    /// What a tenant is called.
    TenantName,
    /// What a step puts out.
    Output,
}

impl fmt::Display for Data {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TenantValue => "a tenant's value",
            Self::TenantName => "the tenant's name",
            Self::Output => "an output variable",
        })
    }
}

impl CodeNames {
    /// What a script or a hook with this text does with variables.
    pub fn of(text: &str) -> Self {
        let written = Text::parse(text).bare_names().into_iter();
        let name = |reference| match reference {
            Reference::Name(name) | Reference::Prefix(name) => name,
        };
        let bare = written.map(name).collect();
        Self { bare, sets: script_outputs(text) }
    }
}

/// A name that such a text inserts bare although it is data, or has data put into it by `#{…}`. `outputs` are the names,
/// folded, that steps before it set.
pub fn bare_data<'c>(
    code: &'c CodeNames,
    outputs: &BTreeSet<String>,
    context: &Context<'_>,
) -> Option<(&'c str, Data)> {
    let mut look = Look { outputs, context, seen: BTreeSet::new() };
    code.bare.iter().find_map(|name| look.at(name).map(|data| (name.as_str(), data)))
}

struct Look<'a> {
    outputs: &'a BTreeSet<String>,
    context: &'a Context<'a>,
    seen: BTreeSet<String>,
}

impl Look<'_> {
    /// Whether what is inserted for a name is data. A name that ends with `[` stands for all that begin so.
    fn at(&mut self, name: &str) -> Option<Data> {
        if !self.seen.insert(fold(name)) {
            return None;
        }
        if self.is_tenants_name(name) {
            return Some(Data::TenantName);
        }
        if name.ends_with('[') {
            let elements = names_with_prefix(self.context.snapshot, name);
            let found = elements.iter().find_map(|element| self.at(element));
            return found.or_else(|| self.undefined(name));
        }
        let inside = match resolve(name, self.context) {
            Resolution::Undefined => return self.undefined(name),
            Resolution::Ambiguous(..) => return None,
            Resolution::Value(candidate, _) if candidate.is_data() => return Some(Data::TenantValue),
            Resolution::Value(candidate, _) => match candidate.value {
                StoredValue::Plain(text) => CodeNames::of(text).bare,
                // How a sealed value inserts what it refers to, nobody can see: bare, for all that is known.
                StoredValue::Sealed(sealed) => sealed.references.clone(),
            },
        };
        inside.iter().find_map(|name| self.at(name))
    }

    /// What no variable defines is an output variable, or lies in the JSON of the longest part of its name that is one
    /// or the other.
    fn undefined(&mut self, name: &str) -> Option<Data> {
        if self.is_output(name) {
            return Some(Data::Output);
        }
        let reference = Reference::Name(name.to_owned());
        let known = |holder: &&str| {
            self.is_tenants_name(holder)
                || self.is_output(holder)
                || !matches!(resolve(holder, self.context), Resolution::Undefined)
        };
        let holder = reference.holders().into_iter().find(known)?;
        self.at(holder)
    }

    /// Whether the tenant's name stands there. The system's own come before whatever else has such a name.
    fn is_tenants_name(&self, name: &str) -> bool {
        self.context.tenant.is_some() && is_tenants_name(name)
    }

    /// Whether a name that nothing defines can be an output variable: by its full name, or set by a step before.
    fn is_output(&self, name: &str) -> bool {
        let name = fold(name);
        let set = if name.ends_with('[') {
            self.outputs.iter().any(|output| output.starts_with(&name))
        } else {
            self.outputs.contains(&name)
        };
        set || OUTPUTS.iter().any(|output| name.starts_with(output))
    }
}
