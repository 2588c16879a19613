//! Inserting into a text that is run: code as it is, data where and how it cannot become code (SEMANTICS 6).

use super::Renderer;
use super::outcome::{Absence, RenderError, Stop};
use crate::filters::{Escape, Filter};
use crate::limits;
use crate::shell::Shell;
use crate::syntax::Expression;

impl Renderer<'_> {
    /// Inserts what an expression yields, which reads `source` where it is written.
    pub(super) fn insert(
        &mut self,
        shell: Shell,
        expression: &Expression,
        source: &str,
        output: &mut String,
    ) -> Result<(), Stop> {
        let unquoted = expression.unquoted();
        let (text, data) =
            self.apart(|renderer| renderer.expression(unquoted.as_ref().unwrap_or(expression), source));
        let text = text?;
        if text.len() > limits::FILTERED_BYTES && unquoted.is_some() {
            return Err(Stop::unapplied(source));
        }
        if !data {
            let text = if unquoted.is_some() { shell.quoted(&text) } else { text };
            return Ok(self.write(&text, output)?);
        }
        let Some(escape) = expression.escape() else {
            return Err(Stop::Absent(Absence::Bare(source.to_owned())));
        };
        if !self.places.as_ref().is_some_and(|places| places.admits(escape)) {
            return Err(Stop::Absent(Absence::Misplaced(source.to_owned())));
        }
        let text = if escape == Escape::Literal { self.refer(shell, text)? } else { text };
        // A reference is one word, whatever it is written as.
        let places = self.places.take();
        let written = self.write(&text, output);
        self.places = places;
        if let Some(places) = &mut self.places {
            places.pass_word();
        }
        Ok(written?)
    }

    /// The reference that stands for `text`.
    fn refer(&mut self, shell: Shell, text: String) -> Result<String, RenderError> {
        let next = self.referred.len();
        if let Some(place) = self.referred.get(&text) {
            return Ok(shell.reference(*place, &text));
        }
        self.charge(text.len())?;
        self.referred_bytes += text.len();
        if self.referred_bytes > limits::RENDERED_BYTES {
            return Err(RenderError::TooLarge);
        }
        let reference = shell.reference(next, &text);
        self.referred.insert(text, next);
        Ok(reference)
    }
}

impl Expression {
    /// The expression without the `Quoted` that it passes last.
    fn unquoted(&self) -> Option<Self> {
        let (last, others) = self.filters.split_last()?;
        let quoted = last.filter == Some(Filter::Quoted) && last.arguments.is_empty();
        quoted.then(|| Self { symbol: self.symbol.clone(), filters: others.to_vec() })
    }
}
