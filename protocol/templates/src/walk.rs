//! Walks a tree for the names in it: which can be read, and which are inserted bare.

use std::collections::BTreeSet;

use crate::reference::Reference;
use crate::syntax::{Condition, Expression, Node, Operand, Step, Symbol, Template, fold};

impl Template {
    /// Everything that rendering this text can look up, so that all of it can be sent along.
    pub fn references(&self) -> BTreeSet<Reference> {
        self.walk().read
    }

    /// What is inserted into the text without passing last through a filter whose result is harmless in a script:
    /// `Quoted`, `ToBase64`, `UriDataEscape`, or one that answers `true` or `false` (SEMANTICS 6).
    ///
    /// The value of such a name may insert others bare in turn, by its own text.
    pub fn bare_names(&self) -> BTreeSet<Reference> {
        self.walk().bare
    }

    fn walk(&self) -> Walk {
        let mut walk = Walk::default();
        walk.nodes(&self.nodes);
        walk
    }
}

/// A loop variable in force, and what reading it reads.
struct Local {
    folded: String,
    reads: Vec<Reference>,
}

#[derive(Default)]
struct Walk {
    read: BTreeSet<Reference>,
    bare: BTreeSet<Reference>,
    locals: Vec<Local>,
}

impl Walk {
    fn nodes(&mut self, nodes: &[Node]) {
        for node in nodes {
            match node {
                Node::Text(_) => {}
                Node::Substitution { expression, .. } => self.expression(expression, true),
                Node::Choice { condition, truthy, falsy, .. } => {
                    self.condition(condition);
                    self.nodes(truthy);
                    self.nodes(falsy);
                }
                Node::Repetition { variable, collection, body, .. } => {
                    let reads = self.collection(collection);
                    self.locals.push(Local { folded: fold(variable), reads });
                    self.nodes(body);
                    self.locals.pop();
                }
            }
        }
    }

    fn condition(&mut self, condition: &Condition) {
        self.expression(&condition.left, false);
        if let Some((_, Operand::Expression(right))) = &condition.comparison {
            self.expression(right, false);
        }
    }

    fn expression(&mut self, expression: &Expression, inserted: bool) {
        let bare = inserted && !expression.is_harmless();
        if let Some(symbol) = &expression.symbol {
            let reads = self.symbol(symbol);
            if bare {
                self.bare.extend(reads);
            }
        }
        for argument in expression.filters.iter().flat_map(|call| &call.arguments) {
            if let Operand::Expression(argument) = argument {
                self.expression(argument, bare);
            }
        }
    }

    /// Notes what reading `symbol` reads, and returns that part of it which becomes the symbol's value.
    fn symbol(&mut self, symbol: &Symbol) -> Vec<Reference> {
        for step in &symbol.steps {
            if let Step::Computed(index) = step {
                self.expression(index, false);
            }
        }
        let folded = fold(&symbol.head);
        let reads = if let Some(local) = self.locals.iter().rev().find(|local| local.folded == folded) {
            local.reads.clone()
        } else if !self.locals.is_empty() && symbol.as_special().is_some() {
            Vec::new()
        } else {
            vec![symbol.as_reference()]
        };
        self.read.extend(reads.iter().cloned());
        reads
    }

    /// The same for a symbol that is gone through: its elements are variables of their own, or parts of its value.
    fn collection(&mut self, symbol: &Symbol) -> Vec<Reference> {
        let mut reads = self.symbol(symbol);
        if let [Reference::Name(name)] = reads.as_slice() {
            let elements = Reference::Prefix(format!("{name}["));
            self.read.insert(elements.clone());
            reads.push(elements);
        }
        reads
    }
}

impl Expression {
    /// Whether it passes last through a filter whose result is harmless in a script.
    pub(crate) fn is_harmless(&self) -> bool {
        self.filters.last().and_then(|call| call.filter).is_some_and(|filter| filter.is_harmless())
    }
}

impl Symbol {
    /// What the symbol refers to where its head is no loop variable.
    fn as_reference(&self) -> Reference {
        let mut name = self.head.clone();
        for step in &self.steps {
            match step {
                Step::Name(part) => name.extend([".", part]),
                Step::Key(key) => name.extend(["[", key, "]"]),
                Step::Any | Step::Computed(_) => return Reference::Prefix(name + "["),
            }
        }
        Reference::Name(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(references: BTreeSet<Reference>) -> Vec<String> {
        let show = |reference| match reference {
            Reference::Name(name) => name,
            Reference::Prefix(prefix) => prefix + "…",
        };
        references.into_iter().map(show).collect()
    }

    #[test]
    fn everything_that_can_be_read_is_referred_to() {
        for (text, expected) in [
            ("no ##{Names}", &[][..]),
            ("#{Foo.Bar}#{Foo[x].Bar}#{ Foo . Baz }", &["Foo.Bar", "Foo.Baz", "Foo[x].Bar"]),
            ("#{Foo | Append #{Bar} | Bogus}", &["Bar", "Foo"]),
            ("#{Foo[#{Bar}].Baz}", &["Bar", "Foo[…"]),
            ("#{Foo[#{Bar[#{Baz}]}].X}#{Q[*].R}", &["Baz", "Bar[…", "Foo[…", "Q[…"]),
            ("#{if A == B}#{C}#{else}#{D}#{/if}", &["A", "B", "C", "D"]),
            ("#{unless A | Contains #{B}}#{C}#{/unless}", &["A", "B", "C"]),
            ("#{each x in Foo}#{x.Name}#{X}#{y}#{/each}#{x}", &["Foo", "x", "y", "Foo[…"]),
            ("#{each x in A}#{each y in x.List}#{y}#{Z[#{y}]}#{/each}#{/each}", &["A", "A[…", "Z[…"]),
            ("#{each x in A[#{B}]}#{x}#{/each}", &["B", "A[…"]),
            (
                "#{each x in A}#{Octopus.Template.Each.Last}#{/each}#{Octopus.Template.Each.First}",
                &["A", "Octopus.Template.Each.First", "A[…"],
            ),
            ("#{if A}#{B", &["A"][1..]),
        ] {
            assert_eq!(shown(Template::parse(text).references()), expected, "{text}");
        }
    }

    #[test]
    fn a_name_is_bare_unless_its_last_filter_is_harmless() {
        for (text, expected) in [
            ("#{Foo}", &["Foo"][..]),
            ("#{Foo | Quoted}#{Foo | tobase64}#{Foo | ToUpper | UriDataEscape}#{Foo | Contains x}", &[]),
            ("#{Foo | Quoted | Trim}", &["Foo"]),
            ("#{Foo | JsonEscape}#{Bar | HtmlEscape}", &["Bar", "Foo"]),
            ("#{Foo | Append #{Bar} | Quoted}", &[]),
            ("#{Foo | Append #{Bar | Quoted} #{Baz}}", &["Baz", "Foo"]),
            ("#{if Foo == Bar}x#{/if}#{Baz[#{Foo}] | Quoted}", &[]),
            ("#{Baz[#{Foo}]}", &["Baz[…"]),
            ("#{each x in Foo}#{x.Name | Quoted}#{Octopus.Template.Each.Index}#{/each}", &[]),
            ("#{each x in Foo}#{each y in x}#{y.Key}#{/each}#{/each}", &["Foo", "Foo[…"]),
            ("##{Foo}#{Foo", &[]),
        ] {
            assert_eq!(shown(Template::parse(text).bare_names()), expected, "{text}");
        }
    }
}
