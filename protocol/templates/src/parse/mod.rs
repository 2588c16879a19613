//! From text to tree, in one pass and linear time.
//!
//! Nothing is ever parsed twice: where an expression breaks off, what was read of it is text, and parsing goes on at
//! that very place. Blocks are closed from a stack of open tags (`blocks`), so that an unclosed one costs its own tag
//! and nothing else.

mod blocks;
mod cursor;
mod expression;

use blocks::{Blocks, Opening};
use cursor::Cursor;

use crate::limits;
use crate::problem::{Fault, Problem};
use crate::syntax::{Call, Expression, Node, Operand, Step, Symbol, Template};

impl Template {
    /// Parses `text`. It never fails: what is not well-formed stays as literal text, and [`problems`](Self::problems)
    /// names it.
    pub fn parse(text: &str) -> Self {
        let mut parser =
            Parser { cursor: Cursor { text, at: 0 }, blocks: Blocks::default(), faults: Faults::default() };
        if text.len() > limits::TEMPLATE_BYTES {
            parser.faults.add(0, Fault::TooLarge);
            parser.text(0, text.len());
        } else {
            parser.run();
        }
        let Parser { blocks, mut faults, .. } = parser;
        let nodes = blocks.finish(&mut faults);
        Self { source: text.to_owned(), nodes, problems: faults.located(text) }
    }
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    blocks: Blocks,
    faults: Faults,
}

/// What is wrong, and the byte at which.
#[derive(Default)]
struct Faults(Vec<(usize, Fault)>);

/// A tag that has been read.
enum Tag {
    Substitution(Expression),
    Open(Opening),
    Else,
    Close(&'static str),
}

impl Parser<'_> {
    fn run(&mut self) {
        // Where the text begins that no node holds yet.
        let mut held = 0;
        while let Some(found) = self.cursor.rest().find('#') {
            let run = self.cursor.at + found;
            self.cursor.at = run;
            let hashes = self.cursor.take_while(|character| character == '#').len();
            if self.cursor.peek() != Some('{') {
                continue;
            }
            // `##{` means `#{`, `###{x}` a hash and a substitution: the escape eats one hash wherever there are two.
            if hashes > 1 {
                self.text(held, run);
                held = run + 1;
            }
            if hashes.is_multiple_of(2) {
                continue;
            }
            let start = self.cursor.at - 1;
            // With one more hash before it, the run was an escaped hash and this tag.
            self.text(held, start);
            self.cursor.at += 1;
            self.tag(start);
            held = self.cursor.at;
        }
        self.text(held, self.cursor.text.len());
    }

    fn text(&mut self, from: usize, to: usize) {
        self.blocks.text(from..to);
    }

    /// Reads the tag at `start`, whose `#{` has been passed.
    fn tag(&mut self, start: usize) {
        let outcome = read(&mut self.cursor);
        let source = start..self.cursor.at;
        match outcome {
            Ok(Tag::Substitution(expression)) => {
                if has_unknown_filter(&expression) {
                    self.faults.add(start, Fault::UnknownFilter);
                }
                self.blocks.push(Node::Substitution { expression, source });
            }
            Ok(Tag::Open(opening)) => self.blocks.open(opening, source, &mut self.faults),
            Ok(Tag::Else) => self.blocks.otherwise(source, &mut self.faults),
            Ok(Tag::Close(keyword)) => self.blocks.close(keyword, source, &mut self.faults),
            Err((keyword, fault)) => {
                self.faults.add(self.cursor.at, fault);
                match keyword {
                    // Its end is then text as well, and must not close a block around it.
                    Some(keyword) => self.blocks.open(Opening::Broken(keyword), source, &mut self.faults),
                    None => self.text(source.start, source.end),
                }
            }
        }
    }
}

/// Reads one tag after its `#{`. A failure says which block the tag would have opened.
fn read(cursor: &mut Cursor<'_>) -> Result<Tag, (Option<&'static str>, Fault)> {
    cursor.skip_white_space();
    if let Some(tag) = read_else_or_close(cursor) {
        return Ok(tag);
    }
    let keyword = ["if", "unless", "each"].into_iter().find(|keyword| cursor.take_keyword(keyword));
    let tag = match keyword {
        Some("each") => expression::repetition(cursor)
            .map(|(variable, symbol)| Tag::Open(Opening::Each(variable, symbol))),
        Some(word) => expression::condition(cursor)
            .map(|condition| Tag::Open(Opening::Choice { unless: word == "unless", condition })),
        None if cursor.peek() == Some('/') => Err(Fault::Expected("`/if`, `/unless`, `/each` or a name")),
        None => expression::expression(cursor, 1).map(Tag::Substitution),
    };
    tag.and_then(|tag| expression::end(cursor).map(|()| tag)).map_err(|fault| (keyword, fault))
}

/// `#{else}`, `#{/if}`, `#{/unless}` and `#{/each}` are the tags without an expression.
fn read_else_or_close(cursor: &mut Cursor<'_>) -> Option<Tag> {
    let rest = cursor.rest();
    let word =
        &rest[..rest.find(|character: char| !(character == '/' || character.is_ascii_alphabetic()))?];
    let after = &rest[word.len()..];
    let end = after.trim_start();
    let tag = match word.to_ascii_lowercase().as_str() {
        "else" => Tag::Else,
        "/if" => Tag::Close("if"),
        "/unless" => Tag::Close("unless"),
        "/each" => Tag::Close("each"),
        _ => return None,
    };
    if !end.starts_with('}') {
        return None;
    }
    cursor.at += word.len() + (after.len() - end.len()) + 1;
    Some(tag)
}

fn has_unknown_filter(expression: &Expression) -> bool {
    let in_symbol = |symbol: &Symbol| {
        symbol.steps.iter().any(|step| matches!(step, Step::Computed(inner) if has_unknown_filter(inner)))
    };
    let in_call = |call: &Call| {
        call.filter.is_none()
            || call
                .arguments
                .iter()
                .any(|argument| matches!(argument, Operand::Expression(inner) if has_unknown_filter(inner)))
    };
    expression.symbol.as_ref().is_some_and(in_symbol) || expression.filters.iter().any(in_call)
}

impl Faults {
    fn add(&mut self, at: usize, fault: Fault) {
        // Unclosed tags are found last but may stand first, so more are kept than are reported.
        if self.0.len() < 100 * limits::PROBLEMS {
            self.0.push((at, fault));
        }
    }

    /// Turns byte positions into lines and columns, in the order of the text.
    fn located(mut self, text: &str) -> Vec<Problem> {
        self.0.sort_by_key(|(at, _)| *at);
        self.0.truncate(limits::PROBLEMS);
        let (mut line, mut line_start, mut passed) = (1, 0, 0);
        let locate = |(at, fault)| {
            for (offset, _) in text[passed..at].match_indices('\n') {
                line += 1;
                line_start = passed + offset + 1;
            }
            passed = at;
            Problem { line, column: text[line_start..at].chars().count() + 1, fault }
        };
        self.0.into_iter().map(locate).collect()
    }
}

#[cfg(test)]
mod tests;
