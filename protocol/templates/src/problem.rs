//! What is not well-formed in a text.

use crate::limits;

/// A place that stays as literal text although it looks like a substitution. It never repeats any of the text, which
/// may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {fault}")]
pub struct Problem {
    pub line: usize,
    /// The character in that line, from 1.
    pub column: usize,
    pub fault: Fault,
}

/// What is wrong at a place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The whole text is beyond [`limits::TEMPLATE_BYTES`].
    #[error("a text of more than {} bytes is not substituted at all", limits::TEMPLATE_BYTES)]
    TooLarge,
    /// Beyond [`limits::DEPTH`].
    #[error("blocks and expressions may be at most {} deep", limits::DEPTH)]
    TooDeep,
    /// Beyond [`limits::NAME_PARTS`].
    #[error("a name may have at most {} parts after its first", limits::NAME_PARTS)]
    TooManyParts,
    /// An expression breaks off.
    #[error("{0} is expected here; `#{{` that is meant literally is written `##{{`")]
    Expected(&'static str),
    /// An opening tag without its end.
    #[error("`#{{{0}}}` has no `#{{/{0}}}`")]
    Unclosed(&'static str),
    /// A closing tag without its beginning.
    #[error("`#{{/{0}}}` has no `#{{{0}}}` before it")]
    Unopened(&'static str),
    /// An `#{else}` outside of a condition, or a second one.
    #[error("`#{{else}}` belongs once between `#{{if}}` and `#{{/if}}`, or `#{{unless}}` and `#{{/unless}}`")]
    StrayElse,
    /// The expression is well-formed, but no such filter exists.
    #[error("the filter is not known")]
    UnknownFilter,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_where_and_what_in_one_sentence() {
        let said = |fault| Problem { line: 3, column: 7, fault }.to_string();
        assert_eq!(said(Fault::Unclosed("if")), "line 3, column 7: `#{if}` has no `#{/if}`");
        assert_eq!(said(Fault::Unopened("each")), "line 3, column 7: `#{/each}` has no `#{each}` before it");
        assert_eq!(
            said(Fault::Expected("a name")),
            "line 3, column 7: a name is expected here; `#{` that is meant literally is written `##{`"
        );
    }
    #[test]
    fn a_name_has_so_many_parts_at_most() {
        for (parts, fault) in
            [(limits::NAME_PARTS, None), (limits::NAME_PARTS + 1, Some(Fault::TooManyParts))]
        {
            let text = crate::Template::parse(&format!("#{{A{}}}", ".b".repeat(parts)));
            let first = text.problems().first().map(|problem| problem.fault.clone());
            assert_eq!(first, fault);
            assert_eq!(text.references().len(), usize::from(fault.is_none()));
        }
    }
}
