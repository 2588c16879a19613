//! What a text can read, found without rendering it.

use crate::limits;
use crate::syntax::fold;

/// A name, or many, that rendering a text can look up.
///
/// References are those of the text itself. Where a value that it reads contains `#{…}`, that value has references of
/// its own; whoever collects all that is needed goes on with these.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// This variable, or a value inside the JSON of one of its [`holders`](Self::holders).
    Name(String),
    /// Every variable whose name begins so: what `#{each}` goes through, and `#{Foo[#{Bar}]}` picks from. It ends
    /// in `[`.
    Prefix(String),
}

impl Reference {
    /// The names in whose value, as JSON, the referred name may lie, longest first: `Foo.Bar` and `Foo` for
    /// `Foo.Bar[x]`. Rendering reads the first of them that is defined, and only where the name itself is not; so
    /// of a [`Reference::Name`] that is defined, none needs to travel. A name of more than [`limits::NAME_PARTS`] parts
    /// has none: no template says it.
    pub fn holders(&self) -> Vec<&str> {
        let (Self::Name(name) | Self::Prefix(name)) = self;
        let mut open = 0_usize;
        let mut holders = Vec::new();
        for (at, character) in name.char_indices() {
            if open == 0 && matches!(character, '.' | '[') {
                if holders.len() == limits::NAME_PARTS {
                    return Vec::new();
                }
                holders.push(&name[..at]);
            }
            match character {
                '[' => open += 1,
                ']' => open = open.saturating_sub(1),
                _ => {}
            }
        }
        holders.reverse();
        holders
    }

    /// Whether rendering may look up the variable `name` because of this reference, ignoring case.
    pub fn covers(&self, name: &str) -> bool {
        let name = fold(name);
        let itself = match self {
            Self::Name(own) => fold(own) == name,
            Self::Prefix(prefix) => name.starts_with(&fold(prefix)),
        };
        itself || self.holders().into_iter().any(|holder| fold(holder) == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_end_where_a_part_of_the_name_ends() {
        let name = Reference::Name("A.B[c.d[e].f].G".into());
        assert_eq!(name.holders(), ["A.B[c.d[e].f]", "A.B", "A"]);
        assert_eq!(Reference::Prefix("A.B[".into()).holders(), ["A.B", "A"]);
        assert_eq!(Reference::Name("A".into()).holders(), [""; 0]);
        let of_parts = |parts| Reference::Name(format!("A{}", ".b".repeat(parts)));
        assert_eq!(of_parts(limits::NAME_PARTS).holders().len(), limits::NAME_PARTS);
        assert_eq!(of_parts(limits::NAME_PARTS + 1).holders(), [""; 0]);
    }

    #[test]
    fn a_reference_covers_itself_and_its_holders_in_any_case() {
        let (name, prefix) = (Reference::Name("Foo.Bar".into()), Reference::Prefix("Foo[".into()));
        for (text, by_name, by_prefix) in [
            ("foo.bar", true, false),
            ("FOO", true, true),
            ("Foo.Bar.Baz", false, false),
            ("foo[x].y", false, true),
            ("Foo.Ba", false, false),
            ("Fo", false, false),
        ] {
            assert_eq!((name.covers(text), prefix.covers(text)), (by_name, by_prefix), "{text}");
        }
    }
}
