//! Templates, variables and their values, as projects and library sets define them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use windlass_api::documents::{Control, ScopedValueText, TemplateText, ValueText};
use windlass_api::error::Problem;
use windlass_protocol::ids::{KeyId, TemplateId, ValueId};
use windlass_protocol::limits;
use windlass_protocol::names::{fold, is_unprintable};

use super::super::Draft;
use crate::model::{RetiredTemplate, ScopedValue, StoredValue, Template, ValueScope, Variable};
use crate::names::{self, PendingTenants, StepNames};

/// What values may be scoped to besides what exists.
pub(super) struct Scopes<'a> {
    /// The steps of the same document.
    pub(super) steps: StepNames<'a>,
    /// Whether steps and tenants may scope at all (SEMANTICS 6: project variables only).
    pub(super) of_project: bool,
    /// Tenants that the same documents make.
    pub(super) pending: &'a PendingTenants,
}

/// What an owner has of templates: those that tenants fill, and those that it no longer has.
type Templates = (Vec<Template>, Vec<RetiredTemplate>);

/// Retired templates that an owner remembers: its definition stays small, however often its templates change.
const MOST_RETIRED: usize = 1000;

/// The templates as a document gives them, with the ids that they have or had, and those that are retired by it.
pub(super) fn templates(
    draft: &mut Draft<'_>,
    texts: &[TemplateText],
    (old, retired): (&[Template], &[RetiredTemplate]),
) -> Result<Templates, Problem> {
    let known: BTreeMap<_, _> = old.iter().map(|template| (fold(&template.name), template)).collect();
    let known_once: BTreeMap<_, _> = retired.iter().map(|gone| (fold(&gone.name), gone.id)).collect();
    let (mut templates, mut names) = (Vec::new(), BTreeSet::new());
    for text in texts {
        let within = |problem: Problem| problem.at(&format!("template `{}`", text.name));
        check_name(&text.name).map_err(within)?;
        let name = fold(&text.name);
        if !names.insert(name.clone()) {
            return Err(within(Problem::usage("it is defined twice")));
        }
        let before = known.get(&name);
        let before_default = before.and_then(|template| template.default.as_ref());
        let key = draft.space().head.key;
        let default = text.default.as_ref();
        let default = default.map(|value| stored(value, before_default, key)).transpose().map_err(within)?;
        if let Some(default) = &default {
            check_control(text.control, &text.options, default).map_err(within)?;
        }
        if (text.control == Control::Select) == text.options.is_empty() {
            return Err(within(Problem::usage(
                "`options` are for `control: select`, which needs at least one",
            )));
        }
        let id = before.map(|template| template.id).or_else(|| known_once.get(&name).copied());
        templates.push(Template {
            id: id.unwrap_or_else(|| TemplateId::from_bytes(draft.fresh.bytes())),
            name: text.name.clone(),
            label: text.label.clone(),
            help: text.help.clone(),
            default,
            control: text.control,
            options: text.options.clone(),
        });
    }
    let retired_now = old.iter().map(|old| RetiredTemplate { id: old.id, name: old.name.clone() });
    let mut retired: Vec<_> = retired.iter().cloned().chain(retired_now).collect();
    let kept: BTreeSet<_> = templates.iter().map(|template: &Template| template.id).collect();
    retired.retain(|gone| !kept.contains(&gone.id));
    retired.drain(..retired.len().saturating_sub(MOST_RETIRED));
    Ok((templates, retired))
}

pub(super) fn variables(
    draft: &mut Draft<'_>,
    texts: &BTreeMap<String, Vec<ScopedValueText>>,
    old: &[Variable],
    scopes: &Scopes<'_>,
) -> Result<Vec<Variable>, Problem> {
    let known: BTreeMap<_, _> = old.iter().map(|variable| (fold(&variable.name), variable)).collect();
    let (mut variables, mut names) = (Vec::new(), BTreeSet::new());
    for (name, values) in texts {
        let within = |problem: Problem| problem.at(&format!("variable `{name}`"));
        check_name(name).map_err(within)?;
        let folded = fold(name);
        if !names.insert(folded.clone()) {
            return Err(within(Problem::usage("it is defined twice; names of variables ignore case")));
        }
        // Each old value goes on as one new value at most, or two of one scope would share an id.
        let mut before: BTreeMap<_, VecDeque<_>> = BTreeMap::new();
        for value in known.get(&folded).into_iter().flat_map(|variable| &variable.values) {
            before.entry(&value.scope).or_default().push_back(value);
        }
        let values = values.iter().map(|text| scoped_value(draft, text, &mut before, scopes));
        let values = values.collect::<Result<_, _>>().map_err(within)?;
        variables.push(Variable { name: name.clone(), values });
    }
    Ok(variables)
}

fn scoped_value(
    draft: &mut Draft<'_>,
    text: &ScopedValueText,
    before: &mut BTreeMap<&ValueScope, VecDeque<&ScopedValue>>,
    scopes: &Scopes<'_>,
) -> Result<ScopedValue, Problem> {
    let scope = value_scope(draft, text, scopes)?;
    let old = before.get_mut(&scope).and_then(VecDeque::pop_front);
    let value = stored(&text.value, old.map(|value| &value.value), draft.space().head.key)?;
    let id = old.map(|value| value.id);
    Ok(ScopedValue { id: id.unwrap_or_else(|| ValueId::from_bytes(draft.fresh.bytes())), value, scope })
}

fn value_scope(
    draft: &Draft<'_>,
    text: &ScopedValueText,
    scopes: &Scopes<'_>,
) -> Result<ValueScope, Problem> {
    let space = draft.space();
    let scoped = !text.steps.is_empty() || !text.tenants.is_empty();
    if scoped && !scopes.of_project {
        return Err(Problem::usage(
            "only a project's variables are scoped to steps and tenants, not a library set's",
        ));
    }
    let step = |name: &String| Ok(scopes.steps.find(name)?.id);
    Ok(ValueScope {
        environments: names::environment_ids(space, &text.environments)?,
        targets: text
            .targets
            .iter()
            .map(|name| Ok(space.targets.find(name)?.id))
            .collect::<Result<_, Problem>>()?,
        roles: text.roles.iter().cloned().collect::<BTreeSet<_>>(),
        steps: text.steps.iter().map(step).collect::<Result<_, Problem>>()?,
        tenants: names::query(space, &text.tenants, scopes.pending)?,
    })
}

/// The value as it is kept. What is the same as before stays as it was, nonce and all.
pub(super) fn stored(
    text: &ValueText,
    before: Option<&StoredValue>,
    key: KeyId,
) -> Result<StoredValue, Problem> {
    let new = match text {
        ValueText::Text(text) if text.len() > limits::VARIABLE_BYTES => {
            return Err(Problem::usage(format!("a value has at most {} bytes", limits::VARIABLE_BYTES)));
        }
        ValueText::Text(text) => StoredValue::Plain(text.clone()),
        // Sealed with another key: the tenant was made or replaced while this was on its way.
        ValueText::Sealed(sealed) if sealed.key != key => {
            return Err(Problem::conflict("it was changed by somebody else at the same moment; try again"));
        }
        ValueText::Sealed(sealed) => StoredValue::Sealed(sealed.clone()),
        ValueText::Unchanged => match before {
            Some(StoredValue::Sealed(sealed)) => StoredValue::Sealed(sealed.clone()),
            _ => {
                return Err(Problem::usage(
                    "`sensitive: unchanged` keeps a sensitive value, but there is none yet; \
                     give it with {from-env: NAME} or {from-file: PATH}",
                ));
            }
        },
        ValueText::FromEnvironment(_) | ValueText::FromFile(_) | ValueText::Secret(_) => {
            return Err(Problem::usage(
                "`from-env` and `from-file` are read by the `windlass` command, not here",
            ));
        }
    };
    Ok(before.filter(|before| before.same(&new)).cloned().unwrap_or(new))
}

/// Whether a template's control admits a value.
pub(super) fn check_control(
    control: Control,
    options: &[String],
    value: &StoredValue,
) -> Result<(), Problem> {
    let StoredValue::Plain(text) = value else { return Ok(()) };
    let problem = match control {
        Control::Sensitive => {
            "its value is sensitive: give it with {from-env: NAME} or {from-file: PATH}".to_owned()
        }
        Control::Checkbox if !matches!(text.to_lowercase().as_str(), "true" | "false") => {
            format!("its value is `True` or `False`, not `{text}`")
        }
        Control::Select if !options.contains(text) => {
            format!("its value is one of {}, not `{text}`", options.join(", "))
        }
        Control::SingleLine if text.contains('\n') => "its value is a single line".to_owned(),
        _ => return Ok(()),
    };
    Err(Problem::usage(problem))
}

fn check_name(name: &str) -> Result<(), Problem> {
    let characters = name.chars().count();
    let bad = name.trim() != name
        || name.contains(|character| is_unprintable(character) || matches!(character, '#' | '{' | '}' | '|'));
    if bad || !(1..=limits::NAME_CHARACTERS).contains(&characters) {
        return Err(Problem::usage(
            "a variable's name has 1 to 200 printable characters, none of them #, {, } or |",
        ));
    }
    if fold(name) == "environments" {
        return Err(Problem::usage(
            "`environments` is a word of the tenants' documents and no name for a variable",
        ));
    }
    Ok(())
}
