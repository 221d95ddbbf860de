//! Operations: the demands of a visit on its component and host.

use std::borrow::Cow;
use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::amount::Amount;
use super::expression::{Expression, Place};

/// The demands of a visit.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Operation {
    /// Time during which a slot is busy without using a resource.
    pub service_ms: Option<Amount>,
    /// CPU time of one core.
    pub cpu_ms: Option<Amount>,
    /// Disk operations; 1.2 means 1 or 2.
    pub disk_ops: Option<Amount>,
    /// Bytes on the disk, in kB of 1 000 B.
    pub disk_kb: Option<Amount>,
    /// Bytes on the link, in kB of 1 000 B.
    pub network_kb: Option<Amount>,
    /// Garbage that is allocated, in kB of 2^10 B.
    pub allocate_kb: Option<Amount>,
    /// Additional demands per item, kB or row.
    pub per: Option<Per>,
    /// A factor of all times: `by` names a value of the request, the other keys are its cases with their factors, and
    /// `otherwise` is the factor of the rest, 1 if it is not given.
    pub factor: Option<Factor>,
}

/// Demands that are multiplied by an expression.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Per {
    /// The number of times.
    pub of: Expression,
    /// Time during which a slot is busy without using a resource.
    pub service_ms: Option<Amount>,
    /// CPU time of one core.
    pub cpu_ms: Option<Amount>,
    /// Disk operations.
    pub disk_ops: Option<Amount>,
    /// Bytes on the disk, in kB of 1 000 B.
    pub disk_kb: Option<Amount>,
    /// Bytes on the link, in kB of 1 000 B.
    pub network_kb: Option<Amount>,
    /// Garbage that is allocated, in kB of 2^10 B.
    pub allocate_kb: Option<Amount>,
}

/// A factor of all times, chosen by a value of the request.
#[derive(Debug, Clone, PartialEq)]
pub struct Factor {
    pub by: Place,
    /// The factor of each value.
    pub cases: IndexMap<String, f64>,
    /// The factor of all other values.
    pub otherwise: f64,
}

impl<'de> Deserialize<'de> for Factor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Factor;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map such as { by: body.size, small: 0.5, otherwise: 1 }")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Factor, A::Error> {
                let (mut by, mut cases, mut otherwise) = (None, IndexMap::new(), 1.0);
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "by" => by = Some(map.next_value()?),
                        "otherwise" => otherwise = map.next_value()?,
                        _ => {
                            cases.insert(key, map.next_value()?);
                        }
                    }
                }
                Ok(Factor {
                    by: by.ok_or_else(|| A::Error::missing_field("by"))?,
                    cases,
                    otherwise,
                })
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

impl JsonSchema for Factor {
    fn schema_name() -> Cow<'static, str> {
        "Factor".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let by = generator.subschema_for::<Place>();
        json_schema!({
            "description": "A factor of all times: `by` names the value, the other keys are its cases.",
            "type": "object",
            "properties": { "by": by, "otherwise": { "type": "number", "minimum": 0 } },
            "required": ["by"],
            "additionalProperties": { "type": "number", "minimum": 0 },
        })
    }
}
