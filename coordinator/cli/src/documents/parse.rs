//! A document's text becomes a document, or a sentence with a line.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, IntoDeserializer, MapAccess, Visitor,
};
use windlass_api::documents::{Document, ReadDocument};

use super::fields;
use super::split::Part;

/// What is wrong with a document, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line of the file.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub sentence: String,
}

/// The document of a part, with the line that it begins at.
pub fn document(part: &Part<'_>) -> Result<(usize, Document), Fault> {
    let blank =
        part.text.lines().take_while(|line| line.trim().is_empty() || line.trim().starts_with('#')).count();
    let line = part.first_line + blank;
    let Head { kind } = parse(part)?;
    let Some(kind) = kind else {
        let kinds = Document::KINDS.join(", ");
        return Err(Fault { line, sentence: format!("a document begins with `kind:`, one of {kinds}") });
    };
    let document = Document::read(&kind, part).ok_or_else(|| Fault {
        line,
        sentence: windlass_sentences::unknown("kind", &kind, &Document::KINDS),
    })?;
    Ok((line, document?))
}

/// What says of which kind the rest is.
#[derive(Deserialize)]
struct Head {
    kind: Option<String>,
}

impl ReadDocument for &Part<'_> {
    type Error = Fault;

    fn read<T: DeserializeOwned>(self) -> Result<T, Fault> {
        let WithoutKind(body) = parse(self)?;
        Ok(body)
    }
}

fn parse<T: DeserializeOwned>(part: &Part<'_>) -> Result<T, Fault> {
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(part.text, options).map_err(|why| {
        let line = why.location().map_or(1, |location| location.line()) as usize;
        Fault { line: part.first_line + line.max(1) - 1, sentence: fields::sentence(&why) }
    })
}

/// A document read without its key `kind`. The documents' own enum would read it too, but would have to keep the rest
/// aside until it has found the key, and forget all lines.
struct WithoutKind<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for WithoutKind<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Mapping(PhantomData)).map(Self)
    }
}

struct Mapping<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Mapping<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a document: keys and values")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(serde::de::value::MapAccessDeserializer::new(Skipping(map)))
    }
}

/// A mapping that passes `kind` over.
struct Skipping<A>(A);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Skipping<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(key) = self.0.next_key::<String>()? {
            if key != "kind" {
                let key: StrDeserializer<'_, A::Error> = key.as_str().into_deserializer();
                return seed.deserialize(key).map(Some);
            }
            self.0.next_value::<IgnoredAny>()?;
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.0.next_value_seed(seed)
    }
}
