//! A tenant's document.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::{PartialSchema, ToSchema};

use super::ValueText;

/// A tenant: tags, connections, values.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TenantDocument {
    /// Display name.
    pub name: String,
    /// Slug; made from the name where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// A disabled tenant gets no new deployments.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub enabled: bool,
    /// Tags as `Tag Set/Tag`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The environments that the tenant is connected to, by project.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub projects: BTreeMap<String, Vec<String>>,
    /// Values for the templates of projects and library sets, by owner.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, OwnerValues>,
}

impl TenantDocument {
    /// One with a name and nothing else.
    pub fn named(name: String) -> Self {
        let (tags, projects, values) = Default::default();
        Self { name, slug: None, enabled: true, tags, projects, values }
    }
}

impl super::Named for TenantDocument {
    fn name(&self) -> &str {
        &self.name
    }

    fn values_mut(&mut self) -> Vec<&mut super::ValueText> {
        self.values.values_mut().flat_map(OwnerValues::values_mut).collect()
    }
}

fn yes() -> bool {
    true
}

// serde calls it with a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_true(value: &bool) -> bool {
    *value
}

/// A tenant's values for one owner's templates. The key `environments` holds values for one environment each, so no
/// template may have that name.
#[derive(Clone, Default)]
pub struct OwnerValues {
    /// Values for every environment.
    pub values: BTreeMap<String, ValueText>,
    /// Values for one environment.
    pub environments: BTreeMap<String, BTreeMap<String, ValueText>>,
}

impl OwnerValues {
    /// Every value.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut ValueText> {
        let of_environments = self.environments.values_mut().flat_map(BTreeMap::values_mut);
        self.values.values_mut().chain(of_environments)
    }
}

impl Serialize for OwnerValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.values {
            map.serialize_entry(name, value)?;
        }
        if !self.environments.is_empty() {
            map.serialize_entry("environments", &self.environments)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for OwnerValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OwnerVisitor)
    }
}

struct OwnerVisitor;

impl<'de> Visitor<'de> for OwnerVisitor {
    type Value = OwnerValues;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .write_str("the tenant's values by template, and below `environments` those for one environment")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OwnerValues, A::Error> {
        let mut owner = OwnerValues::default();
        while let Some(key) = map.next_key::<String>()? {
            if key == "environments" {
                owner.environments = map.next_value()?;
            } else {
                owner.values.insert(key, map.next_value()?);
            }
        }
        Ok(owner)
    }
}

impl PartialSchema for OwnerValues {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        let object = ObjectBuilder::new().description(Some(
            "Values by template; below `environments` those for one environment each, by environment.",
        ));
        object.additional_properties(Some(ValueText::schema())).into()
    }
}

impl ToSchema for OwnerValues {}
