//! Quoting a text for the shell that runs a script, so that no value can become code (SEMANTICS 6).

use data_encoding::BASE64;

/// The shells that steps are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    Bash,
    /// A POSIX shell.
    Sh,
    Python,
    Pwsh,
}

impl Shell {
    /// The shell that runs a file with this ending, without its dot; `None` where none does.
    pub fn of_ending(ending: &str) -> Option<Self> {
        Some(match ending {
            "sh" | "bash" => Self::Bash,
            "py" => Self::Python,
            "ps1" => Self::Pwsh,
            _ => return None,
        })
    }

    /// What stands in a script for the text at this place of [`Rendered::quoted`](crate::Rendered): a word or an
    /// expression that has none of the text in it. In arithmetic, `[[ ]]` or `eval` a shell would run what it stands for:
    /// where it may stand, [`places`](crate::places) says.
    pub(crate) fn reference(self, place: usize, text: &str) -> String {
        match self {
            // Where the variable is not known, as in another shell, the command fails instead of running with nothing.
            Self::Bash | Self::Sh => format!("\"${{_windlass_quoted_{place}?}}\""),
            Self::Python => format!("_windlass_quoted[{place}]"),
            // Blocks of PowerShell run elsewhere without the variables around them, so it carries its text along.
            Self::Pwsh => format!(
                "([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('{}')))",
                BASE64.encode(text.as_bytes())
            ),
        }
    }

    /// What has to stand before a script for the references in it: `quoted` is [`Rendered::quoted`](crate::Rendered).
    pub fn definitions(self, quoted: &[String]) -> String {
        let literals = quoted.iter().map(|text| self.quoted(text));
        match self {
            Self::Bash | Self::Sh => literals
                .enumerate()
                .map(|(place, literal)| format!("_windlass_quoted_{place}={literal}\n"))
                .collect(),
            Self::Python if quoted.is_empty() => String::new(),
            Self::Python => {
                let entries = literals.map(|literal| format!("    {literal},\n"));
                format!("_windlass_quoted = (\n{})\n", entries.collect::<String>())
            }
            // Each reference carries its own.
            Self::Pwsh => String::new(),
        }
    }

    /// `text` as a string literal of this shell, in single quotes. It stands for exactly `text`, but for NUL, which is
    /// left out since no shell can hold it.
    ///
    /// The literal is a word of its own: inside other quotes it does not protect.
    pub fn quoted(self, text: &str) -> String {
        let mut literal = String::with_capacity(text.len() + 2);
        literal.push('\'');
        for character in text.chars().filter(|character| *character != '\0') {
            match self {
                Self::Bash | Self::Sh => push_posix(&mut literal, character),
                Self::Python => push_python(&mut literal, character),
                Self::Pwsh => push_pwsh(&mut literal, character),
            }
        }
        literal.push('\'');
        literal
    }
}

/// Between single quotes a POSIX shell knows no special character but the quote that ends them.
fn push_posix(literal: &mut String, character: char) {
    match character {
        '\'' => literal.push_str(r"'\''"),
        other => literal.push(other),
    }
}

/// All in ASCII and on one line, whatever encoding and line ends the script is read with.
fn push_python(literal: &mut String, character: char) {
    match character {
        '\'' | '\\' => literal.extend(['\\', character]),
        ' '..='~' => literal.push(character),
        other => literal.push_str(&format!("\\U{:08x}", u32::from(other))),
    }
}

/// PowerShell takes typographic quotes for quotes too, and any of them doubled for itself.
fn push_pwsh(literal: &mut String, character: char) {
    if matches!(character, '\'' | '\u{2018}'..='\u{201b}') {
        literal.push(character);
    }
    literal.push(character);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_has_its_own_literals() {
        let text = "it's \\ $(x)\n‘ü’\0";
        assert_eq!(Shell::Bash.quoted(text), "'it'\\''s \\ $(x)\n‘ü’'");
        assert_eq!(Shell::Sh.quoted(text), Shell::Bash.quoted(text));
        assert_eq!(
            Shell::Python.quoted(text),
            "'it\\'s \\\\ $(x)\\U0000000a\\U00002018\\U000000fc\\U00002019'"
        );
        assert_eq!(Shell::Pwsh.quoted(text), "'it''s \\ $(x)\n‘‘ü’’'");
    }
}
