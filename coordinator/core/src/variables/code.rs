//! What is data and not code: no tenant's value or name and no output variable stands bare in a text that is run
//! (SEMANTICS 6).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use windlass_protocol::message::Shell as StepShell;
use windlass_protocol::names::fold;
use windlass_templates::{Insertions, Reference, Shell, Template as Text, script_outputs};

use super::leads::{Found, leading};
use super::needs::references;
use super::system::is_systems;
use super::{Context, Resolution, is_tenants_name, names_with_prefix, resolve};
use crate::model::{CodeNames, StoredValue};

/// The full names of output variables begin so, and nothing else does that the system defines.
const OUTPUTS: [&str; 2] = ["windlass.action[", "octopus.action["];

/// What is not code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Data {
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

/// The shell of a step, as texts are read for it.
pub const fn shell(of: StepShell) -> Shell {
    match of {
        StepShell::Bash => Shell::Bash,
        StepShell::Sh => Shell::Sh,
        StepShell::Python => Shell::Python,
        StepShell::Pwsh => Shell::Pwsh,
    }
}

impl CodeNames {
    /// What a script or a hook with this text does with variables, as that shell reads it.
    pub fn of(text: &str, shell: Shell) -> Self {
        let Insertions { bare, misplaced, misplaced_after } = Text::parse(text).insertions(Some(shell));
        let names = |references: BTreeSet<Reference>| references.into_iter().map(written).collect();
        let mut after: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (stays, misplaced) in misplaced_after {
            after.entry(written(stays)).or_default().extend(misplaced.into_iter().map(written));
        }
        Self {
            bare: names(bare),
            misplaced: names(misplaced),
            misplaced_after: after,
            sets: script_outputs(text),
        }
    }
}

fn written(reference: Reference) -> String {
    match reference {
        Reference::Name(name) | Reference::Prefix(name) => name,
    }
}

/// Data that would be code in a text that is run.
pub struct Inserted<'c> {
    /// The name by which the text inserts it.
    pub name: &'c str,
    pub data: Data,
    /// Whether a filter makes it harmless, but not where it stands.
    pub misplaced: bool,
    /// A name that nothing defines, and that stays as it is written: only therefore it does not.
    pub after: Option<&'c str>,
}

/// A name that such a text inserts as code although it is data, or has data put into it by `#{…}`. `outputs` are the
/// names, folded, that steps before it set.
pub fn data_as_code<'c>(
    code: &'c CodeNames,
    outputs: &BTreeSet<String>,
    context: &Context<'_, '_>,
) -> Option<Inserted<'c>> {
    let look = Look { outputs, context };
    let after = code.misplaced_after.values().flatten();
    let names = code.bare.iter().chain(&code.misplaced).chain(after).cloned();
    let data = leading(names, |name| look.data(name));
    if data.is_empty() {
        return None;
    }
    let find = |names: &'c BTreeSet<String>, misplaced| {
        let inserted =
            |name: &'c String| Some(Inserted { name, data: *data.get(&fold(name))?, misplaced, after: None });
        names.iter().find_map(inserted)
    };
    let find_after = || {
        let stays = leading(code.misplaced_after.keys().cloned(), |name| look.stays(name));
        let mut staying = code.misplaced_after.iter().filter(|(name, _)| stays.contains_key(&fold(name)));
        staying.find_map(|(name, misplaced)| Some(Inserted { after: Some(name), ..find(misplaced, true)? }))
    };
    find(&code.bare, false).or_else(|| find(&code.misplaced, true)).or_else(find_after)
}

struct Look<'a> {
    outputs: &'a BTreeSet<String>,
    context: &'a Context<'a, 'a>,
}

impl Look<'_> {
    /// Whether what is inserted for a name is data. A name that ends with `[` stands for all that begin so.
    fn data(&self, name: &str) -> Found<Data> {
        if self.is_tenants_name(name) {
            return Found::Itself(Data::TenantName);
        }
        let resolution = resolve(name, self.context);
        let prefix = name.ends_with('[');
        // What no variable defines is an output variable, or lies in the JSON of the longest part of its name that is
        // one or the other.
        if prefix || matches!(resolution, Resolution::Undefined) {
            if self.is_output(name) {
                return Found::Itself(Data::Output);
            }
            let elements = if prefix { names_with_prefix(self.context.snapshot, name) } else { Vec::new() };
            return Found::Inside(elements.into_iter().chain(self.holder(name)).collect());
        }
        match resolution {
            Resolution::Value(candidate, _) if candidate.is_data() => Found::Itself(Data::TenantValue),
            Resolution::Value(candidate, _) => Found::Inside(match candidate.value {
                // Whatever filters make of it in there, is inserted with the value, and perhaps filtered once more.
                StoredValue::Plain(text) => {
                    Text::parse(text).insertions(None).bare.into_iter().map(written).collect()
                }
                // How a sealed value inserts what it refers to, nobody can see: bare, for all that is known.
                StoredValue::Sealed(sealed) => sealed.references.iter().cloned().collect(),
            }),
            Resolution::Undefined | Resolution::Ambiguous(..) => Found::Inside(Vec::new()),
        }
    }

    /// Whether a text that inserts this name keeps it, or what a value of it inserts, as it is written, since nothing
    /// defines it. What may lie in the JSON of something counts as defined: what is in there, nobody knows yet.
    fn stays(&self, name: &str) -> Found<()> {
        let itself = |stays| if stays { Found::Itself(()) } else { Found::Inside(Vec::new()) };
        if is_tenants_name(name) {
            return itself(self.context.tenant.is_none());
        }
        let has_elements = || name.ends_with('[') && !self.context.snapshot.beginning(name).is_empty();
        if is_systems(name) || self.is_output(name) || has_elements() {
            return itself(false);
        }
        match resolve(name, self.context) {
            Resolution::Undefined => itself(self.holder(name).is_none()),
            Resolution::Value(candidate, _) if !candidate.is_data() => {
                Found::Inside(references(candidate.value).into_iter().collect())
            }
            Resolution::Value(..) | Resolution::Ambiguous(..) => itself(false),
        }
    }

    /// The longest part of a name that is something: what the name stands for may lie in the JSON of that.
    fn holder(&self, name: &str) -> Option<String> {
        let reference = Reference::Name(name.to_owned());
        let known = |holder: &&str| {
            self.is_tenants_name(holder)
                || self.is_output(holder)
                || !matches!(resolve(holder, self.context), Resolution::Undefined)
        };
        reference.holders().into_iter().find(known).map(str::to_owned)
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
