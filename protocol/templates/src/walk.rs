//! Walks a tree for the names in it: which can be read, and which are inserted bare.

use std::collections::{BTreeMap, BTreeSet};

use crate::filters::{Escape, Filter};
use crate::places::{Course, Places};
use crate::reference::Reference;
use crate::shell::Shell;
use crate::syntax::{Condition, Expression, Node, Operand, Step, Symbol, Template, fold};

/// What a text inserts that would be code in a script, were it data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Insertions {
    /// What comes in without passing last through a filter whose result is harmless in a script: `Quoted`, `ToBase64`,
    /// `UriDataEscape`, or one that answers `true` or `false` (SEMANTICS 6).
    pub bare: BTreeSet<Reference>,
    /// What passes through one, but stands where that does not protect: inside quotes, comments or here-documents, or as
    /// a command.
    pub misplaced: BTreeSet<Reference>,
    /// What would be misplaced if a name before it were defined by nothing, by that name: what stays as it is written may
    /// open a comment.
    pub misplaced_after: BTreeMap<Reference, BTreeSet<Reference>>,
}

impl Template {
    /// Everything that rendering this text can look up, so that all of it can be sent along.
    pub fn references(&self) -> BTreeSet<Reference> {
        self.walk(None).read
    }

    /// What this text inserts in a way that data must not be, as a script of `shell` or as a value.
    ///
    /// In a value no filter makes anything harmless but one that answers: where the value is inserted decides, and what
    /// is done with it there. The value of a name in a script may insert others in turn, by its own text.
    pub fn insertions(&self, shell: Option<Shell>) -> Insertions {
        self.walk(shell).insertions
    }

    fn walk(&self, shell: Option<Shell>) -> Walk<'_> {
        let mut walk = Walk {
            source: &self.source,
            read: BTreeSet::new(),
            insertions: Insertions::default(),
            locals: Vec::new(),
            course: shell.map(|shell| Course::new(Places::new(shell))),
            loops: 0,
        };
        walk.nodes(&self.nodes);
        walk
    }
}

/// How deep loops may lie in each other for what stands in them to be certain. People write one.
const LOOPS: usize = 2;

/// A loop variable in force, and what reading it reads.
struct Local {
    folded: String,
    reads: Vec<Reference>,
}

/// How what an expression reads gets into the text.
#[derive(Clone)]
enum Way {
    /// Not, or harmlessly.
    None,
    Bare,
    Misplaced,
    /// Harmlessly, where all of these are defined.
    MisplacedAfter(BTreeSet<Reference>),
}

struct Walk<'a> {
    source: &'a str,
    read: BTreeSet<Reference>,
    insertions: Insertions,
    locals: Vec<Local>,
    /// Where the script has come to, if the text is one.
    course: Option<Course>,
    /// How deep in loops.
    loops: usize,
}

impl Walk<'_> {
    fn nodes(&mut self, nodes: &[Node]) {
        for node in nodes {
            match node {
                Node::Text(source) => {
                    if let Some(course) = &mut self.course {
                        course.pass(&self.source[source.clone()]);
                    }
                }
                Node::Substitution { expression, source } => {
                    let before = std::mem::take(&mut self.read);
                    self.expression(expression, self.way(expression));
                    let read = std::mem::replace(&mut self.read, before);
                    self.read.extend(read.iter().cloned());
                    if let Some(course) = &mut self.course {
                        course.pass_substitution(&self.source[source.clone()], read);
                    }
                }
                Node::Choice { condition, truthy, falsy, .. } => {
                    self.condition(condition);
                    let before = self.course.clone();
                    self.nodes(truthy);
                    let after = std::mem::replace(&mut self.course, before);
                    self.nodes(falsy);
                    self.join(after);
                }
                Node::Repetition { variable, collection, body, .. } => {
                    let reads = self.collection(collection);
                    self.locals.push(Local { folded: fold(variable), reads });
                    self.repetition(body);
                    self.locals.pop();
                }
            }
        }
    }

    /// The body of a loop: what the text before it leads to, and what every time round does.
    fn repetition(&mut self, body: &[Node]) {
        self.loops += 1;
        let mut tries = 0;
        loop {
            if (self.loops > LOOPS || tries > 1)
                && let Some(course) = &mut self.course
            {
                course.lose();
            }
            let before = self.course.clone();
            self.nodes(body);
            let after = std::mem::replace(&mut self.course, before);
            let (settled, left) = match (&self.course, &after) {
                (Some(before), Some(after)) => before.contains(after),
                _ => (true, true),
            };
            if settled && left {
                break;
            }
            self.join(after);
            // What stayed as it is written makes nothing less certain; twice round shows what follows it.
            if settled && tries > 0 {
                break;
            }
            tries += 1;
        }
        self.loops -= 1;
    }

    fn join(&mut self, other: Option<Course>) {
        if let (Some(course), Some(other)) = (&mut self.course, other) {
            course.join(other);
        }
    }

    /// How what an expression of the text itself yields gets into the text.
    fn way(&self, expression: &Expression) -> Way {
        match (expression.escape(), &self.course) {
            (Some(Escape::Answer), _) => Way::None,
            (Some(escape), Some(course)) if course.admits(escape) => {
                let after: BTreeSet<_> = course.admits_with(escape).cloned().collect();
                if after.is_empty() { Way::None } else { Way::MisplacedAfter(after) }
            }
            (Some(_), Some(_)) => Way::Misplaced,
            _ => Way::Bare,
        }
    }

    fn condition(&mut self, condition: &Condition) {
        self.expression(&condition.left, Way::None);
        if let Some((_, Operand::Expression(right))) = &condition.comparison {
            self.expression(right, Way::None);
        }
    }

    fn expression(&mut self, expression: &Expression, way: Way) {
        if let Some(symbol) = &expression.symbol {
            let reads = self.symbol(symbol);
            match &way {
                Way::None => {}
                Way::Bare => self.insertions.bare.extend(reads),
                Way::Misplaced => self.insertions.misplaced.extend(reads),
                Way::MisplacedAfter(names) => {
                    for name in names {
                        let after = self.insertions.misplaced_after.entry(name.clone()).or_default();
                        after.extend(reads.iter().cloned());
                    }
                }
            }
        }
        for argument in expression.filters.iter().flat_map(|call| &call.arguments) {
            if let Operand::Expression(argument) = argument {
                let answer = argument.escape() == Some(Escape::Answer);
                self.expression(argument, if answer { Way::None } else { way.clone() });
            }
        }
    }

    /// Notes what reading `symbol` reads, and returns that part of it which becomes the symbol's value.
    fn symbol(&mut self, symbol: &Symbol) -> Vec<Reference> {
        for step in &symbol.steps {
            if let Step::Computed(index) = step {
                self.expression(index, Way::None);
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
    /// In which way its result is harmless in a script, by the filter that it passes last.
    pub(crate) fn escape(&self) -> Option<Escape> {
        self.filters.last().and_then(|call| call.filter).and_then(Filter::escape)
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
            (
                "#{Foo[ #{Bar} ] | ToUpper}#{Baz[x] .Y | Quoted}#{if Qux[*] }#{/if}",
                &["Bar", "Baz[x].Y", "Foo[…", "Qux[…"],
            ),
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
            ("x #{Foo | Quoted} #{Foo | tobase64} #{Foo | ToUpper | UriDataEscape} #{Foo | Contains x}", &[]),
            ("#{Foo | Quoted | Trim}", &["Foo"]),
            ("#{Foo | JsonEscape}#{Bar | HtmlEscape}", &["Bar", "Foo"]),
            ("x #{Foo | Append #{Bar} | Quoted}", &[]),
            // What happens to a literal inside of an expression, nobody knows.
            ("#{Foo | Append #{Bar | Quoted} #{Baz} #{Qux | Contains x}}", &["Bar", "Baz", "Foo"]),
            ("echo #{if Foo == Bar}x#{/if} #{Baz[#{Foo}] | Quoted}", &[]),
            ("#{Baz[#{Foo}]}", &["Baz[…"]),
            ("x #{each x in Foo}#{x.Name | Quoted} #{Octopus.Template.Each.Index}#{/each}", &[]),
            ("#{each x in Foo}#{each y in x}#{y.Key}#{/each}#{/each}", &["Foo", "Foo[…"]),
            ("##{Foo}#{Foo", &[]),
        ] {
            let insertions = Template::parse(text).insertions(Some(Shell::Sh));
            assert_eq!(shown(insertions.bare), expected, "{text}");
            assert_eq!(shown(insertions.misplaced), [""; 0], "{text}");
        }
    }

    #[test]
    fn in_a_value_no_filter_is_harmless_but_one_that_answers() {
        let insertions =
            Template::parse("#{A | Quoted}#{B | ToBase64}#{C | Contains x}#{D}").insertions(None);
        assert_eq!(shown(insertions.bare), ["A", "B", "D"]);
        assert_eq!(shown(insertions.misplaced), [""; 0]);
    }

    #[test]
    fn what_stays_as_it_is_written_may_open_a_comment_up_to_the_end_of_its_line() {
        for (text, expected) in [
            ("echo #{T} #{A | Quoted}", &["T: A"][..]),
            ("echo x#{T} #{A | Quoted}\n#{U}\necho #{B | Quoted}", &[]),
            ("echo #{T}\necho #{A | Quoted} x#{T} #{A | ToUpper}", &[]),
            ("echo #{T | Append #{U}} #{A | ToBase64} #{B | Contains x}", &["T: A", "U: A"]),
            ("echo #{A | Quoted} #{B | Quoted}", &["A: B"]),
            ("echo #{if X}#{T}#{/if} #{A | Quoted}", &["T: A"]),
            ("echo #{each x in L}#{x | Quoted} #{/each}", &["L: L", "L: L[", "L[: L", "L[: L["]),
            ("echo \"#{T}\" #{A | Quoted}", &[]),
            ("echo \"#{T | Append \" '\"}\" #{A | Quoted}", &["T: A"]),
        ] {
            let after = Template::parse(text).insertions(Some(Shell::Bash)).misplaced_after;
            let name = |reference: &Reference| match reference {
                Reference::Name(name) | Reference::Prefix(name) => name.clone(),
            };
            let pairs = after.iter().flat_map(|(stays, misplaced)| {
                misplaced.iter().map(|found| format!("{}: {}", name(stays), name(found)))
            });
            assert_eq!(pairs.collect::<Vec<_>>(), expected, "{text}");
        }
    }

    #[test]
    fn a_name_is_misplaced_where_its_filter_does_not_protect_on_any_way_there() {
        for (text, expected) in [
            ("echo #{A | Quoted}", &[][..]),
            ("echo \"#{A | Quoted}\"", &["A"]),
            ("echo #{if X}\"#{/if}#{A | Quoted}", &["A"]),
            ("#{if X}echo#{else}sudo -u me echo#{/if} #{A | Quoted}", &[]),
            ("#{if X}echo#{/if} #{A | Quoted}", &["A"]),
            ("echo #{each x in L}#{x | Quoted} #{/each} #{A | Quoted}", &[]),
            ("#{each x in L}echo #{x | Quoted}\n#{/each}echo #{A | Quoted}", &[]),
            ("echo #{each x in L}#{x | Quoted}\"#{/each} #{A | Quoted}", &["A", "L", "L[…"]),
            (
                "echo #{each x in L}#{each y in x}#{each z in y}#{z | Quoted}#{/each}#{/each}#{/each}",
                &["L", "L[…"],
            ),
        ] {
            let insertions = Template::parse(text).insertions(Some(Shell::Bash));
            assert_eq!(shown(insertions.misplaced), expected, "{text}");
            assert_eq!(shown(insertions.bare), [""; 0], "{text}");
        }
    }
}
