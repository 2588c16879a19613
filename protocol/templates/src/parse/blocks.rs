//! Blocks that are open while parsing.
//!
//! An open tag stands in the list of nodes as text and becomes a block only when its end is found. So a tag that
//! never closes needs nothing undone.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Faults;
use crate::limits;
use crate::problem::Fault;
use crate::syntax::{Condition, Node, Symbol};

/// The tag that opens a block.
pub(super) enum Opening {
    Choice {
        unless: bool,
        condition: Condition,
    },
    Each(String, Symbol),
    /// It means to open this kind of block but stays text, and so does its end.
    Broken(&'static str),
}

struct Open {
    opening: Opening,
    source: Range<usize>,
    /// Where the tag's text stands among the nodes.
    at: usize,
    /// Where the text of its `#{else}` stands.
    otherwise: Option<usize>,
}

impl Open {
    fn keyword(&self) -> &'static str {
        match self.opening {
            Opening::Choice { unless: false, .. } => "if",
            Opening::Choice { unless: true, .. } => "unless",
            Opening::Each(..) => "each",
            Opening::Broken(keyword) => keyword,
        }
    }
}

/// The nodes so far, and the blocks that are open in them.
#[derive(Default)]
pub(super) struct Blocks {
    nodes: Vec<Node>,
    open: Vec<Open>,
    /// How many of the open ones will become blocks.
    sound: usize,
    /// How many of each kind are open: looking through all of them at each end would not be linear.
    kinds: BTreeMap<&'static str, usize>,
}

impl Blocks {
    pub(super) fn push(&mut self, node: Node) {
        self.nodes.push(node);
    }

    /// Adds text, to the text before it where that is no open tag's.
    pub(super) fn text(&mut self, range: Range<usize>) {
        let tag = self.open.last().map_or(0, |open| open.otherwise.unwrap_or(open.at) + 1);
        if self.nodes.len() > tag
            && let Some(Node::Text(before)) = self.nodes.last_mut()
            && before.end == range.start
        {
            before.end = range.end;
        } else if !range.is_empty() {
            self.nodes.push(Node::Text(range));
        }
    }

    pub(super) fn open(&mut self, opening: Opening, source: Range<usize>, faults: &mut Faults) {
        let mut open = Open { opening, source: source.clone(), at: self.nodes.len(), otherwise: None };
        if self.sound == limits::DEPTH && !matches!(open.opening, Opening::Broken(_)) {
            faults.add(source.start, Fault::TooDeep);
            open.opening = Opening::Broken(open.keyword());
        }
        if !matches!(open.opening, Opening::Broken(_)) {
            self.sound += 1;
        }
        *self.kinds.entry(open.keyword()).or_default() += 1;
        self.nodes.push(Node::Text(source));
        self.open.push(open);
    }

    pub(super) fn otherwise(&mut self, source: Range<usize>, faults: &mut Faults) {
        match self.open.last_mut() {
            Some(open @ Open { opening: Opening::Choice { .. }, otherwise: None, .. }) => {
                open.otherwise = Some(self.nodes.len());
            }
            Some(Open { opening: Opening::Broken("if" | "unless"), .. }) => {}
            _ => faults.add(source.start, Fault::StrayElse),
        }
        self.nodes.push(Node::Text(source));
    }

    pub(super) fn close(&mut self, keyword: &'static str, source: Range<usize>, faults: &mut Faults) {
        if self.kinds.get(keyword).is_none_or(|open| *open == 0) {
            faults.add(source.start, Fault::Unopened(keyword));
            self.nodes.push(Node::Text(source));
            return;
        }
        while let Some(open) = self.pop() {
            if open.keyword() == keyword {
                self.build(open, source);
                return;
            }
            unclosed(&open, faults);
        }
    }

    /// All nodes, when the text has ended.
    pub(super) fn finish(mut self, faults: &mut Faults) -> Vec<Node> {
        while let Some(open) = self.pop() {
            unclosed(&open, faults);
        }
        self.nodes
    }

    fn pop(&mut self) -> Option<Open> {
        let open = self.open.pop()?;
        if !matches!(open.opening, Opening::Broken(_)) {
            self.sound -= 1;
        }
        *self.kinds.entry(open.keyword()).or_default() -= 1;
        Some(open)
    }

    /// Makes a block of everything since its opening tag, up to the closing one.
    fn build(&mut self, open: Open, closing: Range<usize>) {
        let tag = open.source;
        let source = tag.start..closing.end;
        let node = match open.opening {
            Opening::Broken(_) => Node::Text(closing),
            Opening::Each(variable, collection) => {
                let body = self.nodes.split_off(open.at + 1);
                self.nodes.truncate(open.at);
                Node::Repetition { variable, collection, body, tag, source }
            }
            Opening::Choice { unless, condition } => {
                let otherwise = match open.otherwise {
                    Some(at) => self.nodes.split_off(at + 1),
                    None => Vec::new(),
                };
                self.nodes.truncate(open.otherwise.unwrap_or(self.nodes.len()));
                let then = self.nodes.split_off(open.at + 1);
                self.nodes.truncate(open.at);
                let (truthy, falsy) = if unless { (otherwise, then) } else { (then, otherwise) };
                Node::Choice { condition: Box::new(condition), truthy, falsy, tag, source }
            }
        };
        self.nodes.push(node);
    }
}

fn unclosed(open: &Open, faults: &mut Faults) {
    // What is broken has its problem already.
    if !matches!(open.opening, Opening::Broken(_)) {
        faults.add(open.source.start, Fault::Unclosed(open.keyword()));
    }
}
