//! Amounts and choices that a file writes in two ways: as a scalar, or as a map.

use std::borrow::Cow;
use std::fmt;

use fault_profile::Latency;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

/// A demand: a number, which is a constant, or any distribution of `fault_profile`.
///
/// The unit is that of the field: milliseconds for `*_ms`, kilobytes for `*_kb`, operations for
/// `disk_ops`. A distribution's own fields are called `*_ms` whatever the unit is.
#[derive(Debug, Clone, PartialEq)]
pub struct Amount(pub Latency);

impl Amount {
    pub fn constant(value: f64) -> Self {
        Self(Latency::Constant { ms: value })
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a distribution such as { exponential: { mean_ms: 10 } }")
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Amount, E> {
                Ok(Amount::constant(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Amount, E> {
                Ok(Amount::constant(value as f64))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Amount, E> {
                Ok(Amount::constant(value as f64))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Amount, A::Error> {
                Latency::deserialize(MapAccessDeserializer::new(map)).map(Amount)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let latency = generator.subschema_for::<Latency>();
        json_schema!({
            "description": "A number (a constant) or a distribution.",
            "anyOf": [{ "type": "number", "minimum": 0 }, latency],
        })
    }
}

/// Whether something is enabled: `true`, `false`, the name of a toggle, or `!name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Switch {
    Fixed(bool),
    Toggle { name: String, negated: bool },
}

impl Default for Switch {
    fn default() -> Self {
        Self::Fixed(true)
    }
}

impl<'de> Deserialize<'de> for Switch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Switch;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false, the name of a toggle or \"!name\"")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Switch, E> {
                Ok(Switch::Fixed(value))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Switch, E> {
                let (name, negated) = match text.strip_prefix('!') {
                    Some(name) => (name.trim(), true),
                    None => (text, false),
                };
                Ok(Switch::Toggle {
                    name: name.to_owned(),
                    negated,
                })
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for Switch {
    fn schema_name() -> Cow<'static, str> {
        "Switch".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "true, false, the name of a toggle, or \"!name\" for its opposite.",
            "type": ["boolean", "string"],
        })
    }
}
