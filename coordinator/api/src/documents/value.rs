//! A value of a variable, as it is written: text, or where a secret comes from.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::{PartialSchema, ToSchema};
use windlass_protocol::Secret;

use crate::sealed::Sealed;

/// A value. `{from-env: NAME}` and `{from-file: PATH}` are replaced by the `windlass` command before anything is
/// sent; the coordinator accepts text, `{secret: …}` and `{sensitive: unchanged}` only.
#[derive(Clone)]
pub enum ValueText {
    /// A value that everybody may see.
    Text(String),
    /// A sensitive value, taken from a variable of the command's environment.
    FromEnvironment(String),
    /// A sensitive value, taken from a file.
    FromFile(String),
    /// A sensitive value on its way to the coordinator.
    Secret(Secret),
    /// A sensitive value that the coordinator sealed on arrival. It comes out of no document and goes into none.
    Sealed(Sealed),
    /// The sensitive value that is there already: what `export` writes.
    Unchanged,
}

impl Serialize for ValueText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pair = |key: &'static str, value: &str| BTreeMap::from([(key, value.to_owned())]);
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::FromEnvironment(name) => pair("from-env", name).serialize(serializer),
            Self::FromFile(path) => pair("from-file", path).serialize(serializer),
            // The one way of a secret out of the process: over TLS, to the coordinator.
            Self::Secret(secret) => pair("secret", secret.reveal()).serialize(serializer),
            Self::Sealed(_) | Self::Unchanged => pair("sensitive", "unchanged").serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ValueText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = ValueText;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(
            "a text, {from-env: NAME}, {from-file: PATH} or {sensitive: unchanged} as the value of a variable",
        )
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ValueText, E> {
        Ok(ValueText::Text(text.to_owned()))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<ValueText, E> {
        Ok(ValueText::Text(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<ValueText, E> {
        Ok(ValueText::Text(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<ValueText, E> {
        Ok(ValueText::Text(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<ValueText, E> {
        // 1.10 would arrive as 1.1: what is meant as text has to be quoted.
        Err(E::custom(format!(
            "put quotes around {value}: a number with a point is not kept as it is written"
        )))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ValueText, A::Error> {
        const KEYS: &[&str] = &["from-env", "from-file", "sensitive", "secret"];
        let key: String = map.next_key()?.ok_or_else(|| de::Error::missing_field("from-env"))?;
        let value = match key.as_str() {
            "from-env" => ValueText::FromEnvironment(map.next_value()?),
            "from-file" => ValueText::FromFile(map.next_value()?),
            "secret" => ValueText::Secret(Secret::new(map.next_value()?)),
            "sensitive" => match map.next_value::<String>()?.as_str() {
                "unchanged" => ValueText::Unchanged,
                _ => {
                    return Err(de::Error::custom(
                        "sensitive values never stand in a file; write {from-env: NAME} or {from-file: PATH}",
                    ));
                }
            },
            other => return Err(de::Error::unknown_field(other, KEYS)),
        };
        match map.next_key::<String>()? {
            None => Ok(value),
            Some(other) => Err(de::Error::unknown_field(&other, &[])),
        }
    }
}

impl PartialSchema for ValueText {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::schema::Object::builder()
            .schema_type(utoipa::openapi::schema::SchemaType::AnyValue)
            .description(Some("A text; or {\"secret\": text} for a sensitive value, {\"sensitive\": \"unchanged\"} to keep it."))
            .into()
    }
}

impl ToSchema for ValueText {}
