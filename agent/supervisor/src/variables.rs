//! Output variables: kept in memory while the step runs, and written down just before its end, so that the last value
//! of each counts. A step whose end is unknown has none.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use windlass_segments::{Options, Writer};

use crate::error::StepError;
use crate::job;
use crate::layout;
use crate::limits;
use crate::mask::Masker;
use crate::service_message::SetVariable;

/// Seals a value to a public key. `None` if the key is none that anything can be sealed to.
pub type SealFunction<'a> = &'a dyn Fn(&[u8; 32], &[u8]) -> Option<Vec<u8>>;

/// A variable that a step set for later steps of its deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputVariable {
    /// Its name, as the step wrote it. Names ignore case (SEMANTICS 6).
    pub name: String,
    #[serde(flatten)]
    pub value: OutputValue,
}

/// The value of an output variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutputValue {
    /// One that anybody may see.
    #[serde(rename = "value")]
    Clear(String),
    /// A sensitive one, sealed to the job's key.
    #[serde(rename = "sealed", serialize_with = "job::write_bytes", deserialize_with = "job::read_bytes")]
    Sealed(Vec<u8>),
}

/// The variables that the step in `folder` has set, in the order of their names. Complete once the step has ended.
pub fn output_variables(folder: &Path) -> Result<Vec<OutputVariable>, StepError> {
    let folder = layout::variables(folder);
    let mut found = BTreeMap::new();
    if !folder.try_exists().map_err(StepError::io("look at", &folder))? {
        return Ok(Vec::new());
    }
    for line in windlass_segments::read(&folder, 1)? {
        let (number, line) = line?;
        let variable: OutputVariable = serde_json::from_slice(&line).map_err(|error| StepError::Damaged {
            folder: folder.clone(),
            line: number,
            reason: error.to_string(),
        })?;
        found.insert(variable.name.to_lowercase(), variable);
    }
    Ok(found.into_values().collect())
}

/// Collects the variables that one step sets.
pub(crate) struct Collector<'a> {
    seal: SealFunction<'a>,
    seal_to: Option<[u8; 32]>,
    /// By their names in lower case.
    kept: BTreeMap<String, OutputVariable>,
    learned_bytes: usize,
}

impl<'a> Collector<'a> {
    /// Nothing yet; sensitive values will be sealed to `seal_to`.
    pub(crate) fn new(seal: SealFunction<'a>, seal_to: Option<[u8; 32]>) -> Self {
        Self { seal, seal_to, kept: BTreeMap::new(), learned_bytes: 0 }
    }

    /// Keeps a variable, and makes a sensitive value known to `masker`. Returns a note if people should know something
    /// about it.
    pub(crate) fn set(&mut self, set: &SetVariable, masker: &mut Masker) -> Option<String> {
        if masker.finds_in(set.name.as_bytes()) {
            return Some("an output variable was not set: its name contains a sensitive value".to_owned());
        }
        let refused = |reason: &str| Some(format!("the output variable {} was not set: {reason}", set.name));
        let name = set.name.to_lowercase();
        if !self.kept.contains_key(&name) && self.kept.len() >= limits::VARIABLES {
            return refused(&format!("a step can set {}", limits::VARIABLES));
        }
        // A value that embeds a secret is one (SEMANTICS 6), whatever the script calls it.
        let embeds = !set.sensitive && masker.finds_in(set.value.as_bytes());
        let (value, note) = if set.sensitive || embeds {
            match self.seal(set, masker) {
                Ok(sealed) => (OutputValue::Sealed(sealed), self.remark(set, embeds)),
                Err(reason) => return refused(&reason),
            }
        } else {
            (OutputValue::Clear(set.value.to_string()), None)
        };
        self.kept.insert(name, OutputVariable { name: set.name.clone(), value });
        note
    }

    /// Writes everything down; durable on return. May be tried again after an error.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), StepError> {
        if self.kept.is_empty() {
            return Ok(());
        }
        let options = Options { name: "supervisor-variables", ..Options::default() };
        let (mut writer, _) = Writer::open(layout::variables(folder), options)?;
        for variable in self.kept.values() {
            writer.append(&serde_json::to_vec(variable).expect("a variable has only text keys"))?;
        }
        Ok(writer.sync()?)
    }

    fn seal(&mut self, set: &SetVariable, masker: &mut Masker) -> Result<Vec<u8>, String> {
        if self.learned_bytes + set.value.len() > limits::LEARNED_SECRET_BYTES {
            return Err(format!("a step can set {} bytes of sensitive values", limits::LEARNED_SECRET_BYTES));
        }
        // First of all: also a value that cannot be sealed must not be printed.
        if masker.add(&set.value) {
            self.learned_bytes += set.value.len();
        }
        let key = self.seal_to.ok_or("there is no key to seal a sensitive value to")?;
        (self.seal)(&key, set.value.as_bytes())
            .ok_or_else(|| "the key to seal it to is no valid key".to_owned())
    }

    fn remark(&self, set: &SetVariable, embeds: bool) -> Option<String> {
        let name = &set.name;
        if embeds {
            Some(format!(
                "the output variable {name} is kept as sensitive, because it contains a sensitive value"
            ))
        } else if !set.value.is_empty() && set.value.chars().count() < limits::SECRET_CHARACTERS {
            let least = limits::SECRET_CHARACTERS;
            Some(format!("the output variable {name} has fewer than {least} characters, so it is not masked"))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn seal(key: &[u8; 32], value: &[u8]) -> Option<Vec<u8>> {
        (key[0] != 0).then(|| value.iter().map(|byte| byte ^ key[0]).collect())
    }

    fn set(name: &str, value: &str, sensitive: bool) -> SetVariable {
        SetVariable { name: name.into(), value: Zeroizing::new(value.into()), sensitive }
    }

    fn sealed(name: &str, value: &str) -> OutputVariable {
        let value = OutputValue::Sealed(seal(&[9; 32], value.as_bytes()).expect("a key"));
        OutputVariable { name: name.into(), value }
    }

    fn clear(name: &str, value: &str) -> OutputVariable {
        OutputVariable { name: name.into(), value: OutputValue::Clear(value.into()) }
    }

    #[test]
    fn the_last_value_of_each_name_is_kept_and_sensitive_ones_are_sealed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (mut collector, mut masker) = (Collector::new(&seal, Some([9; 32])), Masker::new(["hunter2"]));
        let cases = [
            (set("Url", "http://a", false), None),
            (set("url", "http://b", false), None),
            (set("Token", "s3cr3t", true), None),
            (
                set("Pin", "123", true),
                Some("the output variable Pin has fewer than 4 characters, so it is not masked"),
            ),
            (
                set("Connection", "user:hunter2@db", false),
                Some(
                    "the output variable Connection is kept as sensitive, because it contains a sensitive value",
                ),
            ),
            (
                set("hunter2", "a", false),
                Some("an output variable was not set: its name contains a sensitive value"),
            ),
        ];
        for (variable, note) in cases {
            assert_eq!(collector.set(&variable, &mut masker).as_deref(), note, "{}", variable.name);
        }
        assert_eq!(masker.end(b"s3cr3t user:hunter2@db", 0), "******** ********");
        let kept = [sealed("Connection", "user:hunter2@db"), sealed("Pin", "123"), sealed("Token", "s3cr3t")];
        let expected = [kept.as_slice(), &[clear("url", "http://b")]].concat();
        for _ in 0..2 {
            collector.write(folder.path()).expect("written");
            assert_eq!(output_variables(folder.path()).expect("read"), expected);
        }
    }

    #[test]
    fn a_sensitive_value_that_cannot_be_sealed_is_not_kept_but_masked() {
        for (key, reason) in [
            (None, "there is no key to seal a sensitive value to"),
            (Some([0; 32]), "the key to seal it to is no valid key"),
        ] {
            let (mut collector, mut masker) = (Collector::new(&seal, key), Masker::default());
            let note = collector.set(&set("Token", "s3cr3t", true), &mut masker);
            assert_eq!(note, Some(format!("the output variable Token was not set: {reason}")));
            assert!(collector.kept.is_empty());
            assert_eq!(masker.end(b"s3cr3t", 0), "********");
        }
    }

    #[test]
    fn there_are_limits_to_what_a_step_can_set() {
        let (mut collector, mut masker) = (Collector::new(&seal, Some([9; 32])), Masker::default());
        for number in 0..limits::VARIABLES {
            assert_eq!(collector.set(&set(&format!("N{number}"), "v", false), &mut masker), None);
        }
        assert_eq!(collector.set(&set("n0", "other", false), &mut masker), None, "it is there already");
        let note = collector.set(&set("More", "v", false), &mut masker);
        assert_eq!(note.as_deref(), Some("the output variable More was not set: a step can set 200"));

        let value = |number: usize| format!("{number:04}").repeat(limits::VARIABLE_VALUE_BYTES / 4);
        for number in 0..16 {
            assert_eq!(collector.set(&set("N1", &value(number), true), &mut masker), None);
        }
        assert_eq!(
            collector.set(&set("N1", &value(16), true), &mut masker).as_deref(),
            Some("the output variable N1 was not set: a step can set 1048576 bytes of sensitive values")
        );
    }
}
