//! The filters after `|`: which there are, and what each makes of a text.
//!
//! A filter that cannot do what is asked (a wrong argument, no number where one is needed) returns `None`, and the
//! expression stays as written. Filters that need a clock or randomness do not exist here: this part is pure.

mod escape;
mod number;
mod pattern;
mod text;

use crate::limits;
use crate::lookup::Kind;
use crate::shell::Shell;

/// What a filter may know beside its text and arguments.
pub(crate) struct Surroundings<'a> {
    /// The shell that the text is for.
    pub(crate) shell: Option<Shell>,
    /// Whether the expression stands in code or in data.
    pub(crate) kind: Kind,
    /// Which of the arguments are data.
    pub(crate) data: &'a [bool],
    /// What is left of [`limits::WORK`].
    pub(crate) work: &'a mut usize,
}

/// How what a filter makes is harmless in a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    /// A literal: where a word or an expression may stand.
    Literal,
    /// Letters and digits with a few signs that mean nothing to a shell: there and inside quotes.
    Letters,
    /// `true` or `false`: everywhere.
    Answer,
}

macro_rules! filters {
    ($($variant:ident $name:literal,)*) => {
        /// A filter that exists.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Filter {
            $($variant,)*
        }

        const FILTERS: &[(&str, Filter)] = &[$(($name, Filter::$variant),)*];
    };
}

filters! {
    Append "Append",
    Contains "Contains",
    EndsWith "EndsWith",
    Format "Format",
    FromBase64 "FromBase64",
    HtmlEscape "HtmlEscape",
    Indent "Indent",
    JsonEscape "JsonEscape",
    Match "Match",
    Prepend "Prepend",
    PropertiesKeyEscape "PropertiesKeyEscape",
    PropertiesValueEscape "PropertiesValueEscape",
    Quoted "Quoted",
    Replace "Replace",
    StartsWith "StartsWith",
    Substring "Substring",
    ToBase64 "ToBase64",
    ToLower "ToLower",
    ToUpper "ToUpper",
    Trim "Trim",
    Truncate "Truncate",
    UriDataEscape "UriDataEscape",
    UriEscape "UriEscape",
    XmlEscape "XmlEscape",
    YamlDoubleQuoteEscape "YamlDoubleQuoteEscape",
    YamlSingleQuoteEscape "YamlSingleQuoteEscape",
}

impl Filter {
    /// The filter of this name, in any case.
    pub(crate) fn named(name: &str) -> Option<Self> {
        FILTERS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, filter)| *filter)
    }

    /// In which way its result is harmless in a script, whatever it is given; `None` where it is not.
    pub(crate) fn escape(self) -> Option<Escape> {
        match self {
            Self::Quoted => Some(Escape::Literal),
            Self::ToBase64 | Self::UriDataEscape => Some(Escape::Letters),
            Self::Contains | Self::StartsWith | Self::EndsWith | Self::Match => Some(Escape::Answer),
            _ => None,
        }
    }

    /// Filters `text`, which is missing where the name before `|` is unknown or not there.
    pub(crate) fn apply(
        self,
        text: Option<&str>,
        arguments: &[String],
        surroundings: Surroundings<'_>,
    ) -> Option<String> {
        let taken = text.map_or(0, str::len) + arguments.iter().map(String::len).sum::<usize>();
        if taken > limits::FILTERED_BYTES {
            return None;
        }
        match (self, text) {
            (Self::Append, _) => text::joined(text.unwrap_or_default(), arguments, ""),
            (Self::Prepend, _) => text::joined("", arguments, text.unwrap_or_default()),
            (_, None) => None,
            (_, Some(text)) => self.of(text, arguments, surroundings),
        }
        .filter(|result| result.len() <= limits::FILTERED_BYTES)
    }

    fn of(self, text: &str, arguments: &[String], surroundings: Surroundings<'_>) -> Option<String> {
        let plain = |filtered: fn(&str) -> String| arguments.is_empty().then(|| filtered(text));
        let answer = |told: fn(&str, &str) -> bool| match arguments {
            [other] => Some(told(text, other).to_string()),
            _ => None,
        };
        match self {
            Self::Append | Self::Prepend => None,
            Self::Contains => answer(|text, other| text.contains(other)),
            Self::EndsWith => answer(|text, other| text.ends_with(other)),
            Self::StartsWith => answer(|text, other| text.starts_with(other)),
            Self::Format => number::format(text, arguments),
            Self::FromBase64 => text::from_base64(text, arguments),
            Self::ToBase64 => text::to_base64(text, arguments),
            Self::HtmlEscape => plain(escape::html),
            Self::JsonEscape => plain(escape::json),
            Self::PropertiesKeyEscape => plain(escape::properties_key),
            Self::PropertiesValueEscape => plain(escape::properties_value),
            Self::UriDataEscape => plain(escape::uri_data),
            Self::UriEscape => plain(escape::uri),
            Self::XmlEscape => plain(escape::xml),
            Self::YamlDoubleQuoteEscape => plain(escape::yaml_double_quote),
            Self::YamlSingleQuoteEscape => plain(escape::yaml_single_quote),
            Self::ToLower => plain(str::to_lowercase),
            Self::ToUpper => plain(str::to_uppercase),
            Self::Indent => text::indent(text, arguments),
            Self::Substring => text::substring(text, arguments),
            Self::Trim => text::trim(text, arguments),
            Self::Truncate => text::truncate(text, arguments),
            Self::Match => pattern::matches(text, arguments, surroundings),
            Self::Replace => pattern::replace(text, arguments, surroundings),
            Self::Quoted => match (surroundings.shell, arguments) {
                (Some(shell), []) => Some(shell.quoted(text)),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What a filter makes of a text in code, for bash.
    pub(crate) fn filtered(filter: &str, text: &str, arguments: &[&str]) -> Option<String> {
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let mut work = limits::WORK;
        let surroundings =
            Surroundings { shell: Some(Shell::Bash), kind: Kind::Code, data: &[], work: &mut work };
        Filter::named(filter).expect("a filter").apply(Some(text), &arguments, surroundings)
    }

    #[test]
    fn filters_are_found_in_any_case_and_by_their_whole_name() {
        assert_eq!(Filter::named("TOUPPER"), Some(Filter::ToUpper));
        for name in ["", "ToUppe", "NowDate", "NowDateUtc", "NewGuid", "MarkdownToHtml"] {
            assert_eq!(Filter::named(name), None, "{name}");
        }
    }

    #[test]
    fn filters_without_arguments_refuse_them() {
        for filter in ["ToLower", "HtmlEscape", "YamlSingleQuoteEscape", "UriEscape", "Quoted"] {
            assert!(filtered(filter, "x", &[]).is_some(), "{filter}");
            assert_eq!(filtered(filter, "x", &["y"]), None, "{filter}");
        }
    }

    #[test]
    fn answers_are_true_or_false_and_regard_case() {
        for (filter, other, expected) in [
            ("Contains", "c d", Some("true")),
            ("Contains", "C", Some("false")),
            ("StartsWith", "abc", Some("true")),
            ("StartsWith", "bc", Some("false")),
            ("EndsWith", "def", Some("true")),
            ("EndsWith", "de", Some("false")),
            ("Match", "^a.*[a-f]$", Some("true")),
            ("Match", "ABC", Some("false")),
        ] {
            assert_eq!(filtered(filter, "abc def", &[other]).as_deref(), expected, "{filter} {other}");
            assert_eq!(filtered(filter, "abc def", &[]), None, "{filter}");
            assert_eq!(filtered(filter, "abc def", &[other, other]), None, "{filter}");
        }
    }

    #[test]
    fn no_filter_makes_a_text_endless() {
        let long = "\n".repeat(limits::FILTERED_BYTES / 4);
        for (filter, arguments) in [
            ("Indent", &["255"][..]),
            ("Indent", &[&long]),
            ("Replace", &["\n", &long]),
            ("Replace", &["[\n]", &long]),
            ("Append", &[&long, &long, &long, "x"]),
            ("HtmlEscape", &[]),
        ] {
            let text = if filter == "HtmlEscape" { "&".repeat(long.len()) } else { long.clone() };
            assert_eq!(filtered(filter, &text, arguments), None, "{filter}");
        }
    }
}
