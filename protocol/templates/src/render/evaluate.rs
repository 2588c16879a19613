//! Expressions and conditions: from names and filters to one text, or to yes and no.

use super::Renderer;
use super::outcome::{Absence, Stop};
use crate::filters::{Escape, Surroundings};
use crate::syntax::{Call, Condition, Expression, Operand};

impl Renderer<'_> {
    /// The text of an expression, which reads `source` where it is written.
    pub(super) fn expression(&mut self, expression: &Expression, source: &str) -> Result<String, Stop> {
        let (result, data) = self.apart(|renderer| renderer.filtered(expression, source));
        // What a filter makes harmless is so as it is. Whatever is done with it afterwards may undo that, but to an
        // answer.
        self.carries_data |= data && expression.escape() != Some(Escape::Answer);
        result
    }

    fn filtered(&mut self, expression: &Expression, source: &str) -> Result<String, Stop> {
        self.deeper(
            || source.to_owned(),
            |renderer| {
                let (mut text, absence) = match &expression.symbol {
                    None => (None, None),
                    Some(symbol) => match renderer.symbol(symbol) {
                        Ok(text) => (Some(text), None),
                        Err(Stop::Absent(absence)) => (None, Some(absence)),
                        Err(failed) => return Err(failed),
                    },
                };
                for call in &expression.filters {
                    let filtered = renderer.call(call, text.as_deref(), source)?;
                    if filtered.is_none() && text.is_some() {
                        return Err(Stop::unapplied(source));
                    }
                    text = filtered;
                }
                text.ok_or_else(|| absence.map_or_else(|| Stop::unapplied(source), Stop::Absent))
            },
        )
    }

    /// What one filter makes of `text`; `None` where it refuses. What is missing passes through filters that do not
    /// mind, such as `Append`.
    fn call(&mut self, call: &Call, text: Option<&str>, source: &str) -> Result<Option<String>, Stop> {
        let Some(filter) = call.filter else {
            return Err(Stop::unapplied(source));
        };
        let (mut arguments, mut are_data) = (Vec::new(), Vec::new());
        for argument in &call.arguments {
            let (text, data) = self.apart(|renderer| renderer.operand(argument, source));
            arguments.push(text?);
            are_data.push(data);
            self.carries_data |= data;
        }
        self.charge(text.map_or(0, str::len) + arguments.iter().map(String::len).sum::<usize>())?;
        let surroundings =
            Surroundings { shell: self.shell, kind: self.kind, data: &are_data, work: &mut self.work };
        let filtered = filter.apply(text, &arguments, surroundings);
        self.charge(filtered.as_ref().map_or(0, String::len))?;
        Ok(filtered)
    }

    fn operand(&mut self, operand: &Operand, source: &str) -> Result<String, Stop> {
        match operand {
            Operand::Text(text) => Ok(text.clone()),
            Operand::Expression(expression) => self.expression(expression, source),
        }
    }

    /// Whether a condition holds. What it reads does not stand in the text.
    pub(super) fn condition(&mut self, condition: &Condition, source: &str) -> Result<bool, Stop> {
        self.apart(|renderer| renderer.holds(condition, source)).0
    }

    fn holds(&mut self, condition: &Condition, source: &str) -> Result<bool, Stop> {
        let left = self.compared(&condition.left, source)?;
        Ok(match &condition.comparison {
            None => is_truthy(&left),
            Some((equal, Operand::Text(right))) => (left == *right) == *equal,
            Some((equal, Operand::Expression(right))) => (left == self.compared(right, source)?) == *equal,
        })
    }

    /// One side of a condition. A name that is unknown counts as empty; a filter that cannot be applied does not.
    fn compared(&mut self, expression: &Expression, source: &str) -> Result<String, Stop> {
        match self.expression(expression, source) {
            Err(Stop::Absent(Absence::Unknown(_))) if expression.filters.is_empty() => Ok(String::new()),
            other => other,
        }
    }
}

/// What counts as true: everything but nothing, `0`, `No` and `False`.
fn is_truthy(text: &str) -> bool {
    let word = text.trim();
    !(text.is_empty() || text == "0" || word.eq_ignore_ascii_case("no") || word.eq_ignore_ascii_case("false"))
}
