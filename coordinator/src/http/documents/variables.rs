//! Templates, variables and values, as documents write them.

use std::collections::BTreeMap;

use windlass_api::documents::{ScopedValueText, TemplateText, ValueText};
use windlass_coordinator_core::model::{ScopedValue, Step, StoredValue, Template, Variable};
use windlass_coordinator_core::state::Space;

use super::query::query_text;
use crate::http::display;

/// A value. A sensitive one never comes out: `{sensitive: unchanged}` keeps it.
pub(super) fn value(stored: &StoredValue) -> ValueText {
    match stored {
        StoredValue::Plain(text) => ValueText::Text(text.clone()),
        StoredValue::Sealed(_) => ValueText::Unchanged,
    }
}

pub(super) fn templates(templates: &[Template]) -> Vec<TemplateText> {
    let text = |template: &Template| TemplateText {
        name: template.name.clone(),
        label: template.label.clone(),
        help: template.help.clone(),
        default: template.default.as_ref().map(value),
        control: template.control,
        options: template.options.clone(),
    };
    templates.iter().map(text).collect()
}

/// Variables with their values; `steps` are those that values may be scoped to.
pub(super) fn variables(
    space: &Space,
    variables: &[Variable],
    steps: &[Step],
) -> BTreeMap<String, Vec<ScopedValueText>> {
    let text = |scoped: &ScopedValue| {
        let scope = &scoped.scope;
        let step = |step: &&Step| scope.steps.contains(&step.id);
        ScopedValueText {
            value: value(&scoped.value),
            environments: display::environments(space, &scope.environments),
            targets: scope.targets.iter().map(|id| display::name(&space.targets, *id)).collect(),
            roles: scope.roles.iter().cloned().collect(),
            steps: steps.iter().filter(step).map(|step| step.name.to_string()).collect(),
            tenants: query_text(space, &scope.tenants),
        }
    };
    let values = |variable: &Variable| (variable.name.clone(), variable.values.iter().map(text).collect());
    variables.iter().map(values).collect()
}
