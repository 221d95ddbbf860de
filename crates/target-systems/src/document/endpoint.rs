//! Endpoints: routes, requests, answers, and the edge in front of them.

use std::borrow::Cow;
use std::fmt;

use fault_profile::rate_limit::RateLimit;
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use super::flow::Flow;

/// What comes before every flow.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Edge {
    /// The host that the edge costs. Absent: a host without limits.
    pub host: Option<String>,
    /// Requests in flight at most; others get 503.
    pub max_in_flight: u32,
    /// Time after which a request gets 504. Absent: none.
    pub deadline_ms: Option<f64>,
    /// Time of a core for each request.
    pub cpu_ms: f64,
    /// Bytes of the link for each request beside those of its bodies, in kB of 1 000 B.
    pub network_kb: f64,
    /// Users that log in, and their tokens. Absent: nobody has to.
    pub auth: Option<Auth>,
    /// A limit on requests; others get 429. Absent: none.
    pub rate_limit: Option<RateLimit>,
}

impl Default for Edge {
    fn default() -> Self {
        Self {
            host: None,
            max_in_flight: 100_000,
            deadline_ms: None,
            cpu_ms: 0.0,
            network_kb: 0.0,
            auth: None,
            rate_limit: None,
        }
    }
}

/// Authorised users.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    #[serde(default)]
    pub mode: AuthMode,
    /// Names and passwords that log in. They are test data.
    pub users: IndexMap<String, String>,
    /// Lifetime of a token.
    #[serde(default = "an_hour")]
    pub token_ttl_s: f64,
}

/// What a request without a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthMode {
    /// Anonymous; a token that is there has to be valid.
    #[default]
    Optional,
    /// Refused with 401.
    Required,
}

/// One route of the system.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Method and path, such as `GET /jobs/{id}`.
    pub route: String,
    /// What the endpoint is for, in the list of routes.
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub request: RequestShape,
    /// What a request does, step by step.
    #[serde(default)]
    pub flow: Flow,
    #[serde(default)]
    pub answer: ResponseSpec,
    /// The store of tokens, where this endpoint logs users of `edge.auth` in.
    pub login: Option<String>,
    /// The component of kind `hub`, where this endpoint is a WebSocket; the flow is that of each
    /// message.
    pub socket: Option<String>,
    /// Requests as they come, for truth, simulation and documentation. Absent: one without body.
    #[serde(default)]
    pub examples: Vec<Example>,
}

/// What a request has to look like. Fields are written as in `body.items[].id`; without a source
/// the body is meant.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequestShape {
    /// Fields that have to be there.
    pub required: Vec<String>,
    /// Values that a field may have.
    #[serde(rename = "enum")]
    pub choices: IndexMap<String, Vec<Value>>,
    /// Types of fields.
    pub types: IndexMap<String, FieldType>,
    /// Items of a list at least.
    pub min_items: IndexMap<String, u32>,
    /// Items of a list at most.
    pub max_items: IndexMap<String, u32>,
    /// Characters of a text at most.
    pub max_chars: IndexMap<String, u32>,
    /// Bounds of numbers.
    pub bounds: IndexMap<String, Bounds>,
    /// Fields whose values have to occur in another field, such as
    /// `edges[].from: nodes[].id`.
    pub references: IndexMap<String, String>,
    /// Size of the body at most, in kB of 1 000 B.
    pub max_kb: f64,
}

impl Default for RequestShape {
    fn default() -> Self {
        Self {
            required: Vec::new(),
            choices: IndexMap::new(),
            types: IndexMap::new(),
            min_items: IndexMap::new(),
            max_items: IndexMap::new(),
            max_chars: IndexMap::new(),
            bounds: IndexMap::new(),
            references: IndexMap::new(),
            max_kb: 64.0,
        }
    }
}

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// A text.
    String,
    /// A number.
    Number,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A list.
    List,
    /// A JSON object.
    Object,
}

/// Bounds of a number, both included.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Bounds {
    /// Absent: none.
    pub min: Option<f64>,
    /// Absent: none.
    pub max: Option<f64>,
}

/// The answer to a request that went well.
///
/// In the body, a text that begins with `$` stands for a value: `$id` or the name that a `create`
/// gave, `$elapsed_ms`, `$draw.unit` (a number in [0, 1)), `$draw.NAME` (one of `draws`),
/// `$body.x`, `$path.x`, `$query.x`, `$state` (of the entry, by its name), `$state.age_ms`, `$steps` (moves of the entry before its last state), `$entries` and
/// `$entries.count` (rows under the key), `$token` (where a user logs in). An object `{ $repeat: EXPR, item: .. }` is a list of that many items; `$index` counts
/// them from 0.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResponseSpec {
    /// 200 to 399; failures are steps of the flow.
    pub status: u16,
    /// The body, in which a text that begins with `$` stands for a value.
    pub body: Value,
    /// Values to draw from, by name.
    pub draws: IndexMap<String, Vec<Drawn>>,
}

impl Default for ResponseSpec {
    fn default() -> Self {
        Self {
            status: 200,
            body: Value::Object(serde_json::Map::new()),
            draws: IndexMap::new(),
        }
    }
}

/// One of the values of a draw.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drawn {
    /// In proportion to the other values.
    #[serde(default = "equal_share")]
    pub share: f64,
    /// The value.
    pub is: Value,
}

/// A request as it comes, with its share among the examples.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// In proportion to the other examples.
    #[serde(default = "equal_share")]
    pub share: f64,
    /// The body, as JSON.
    #[serde(default)]
    pub body: Value,
    /// Parameters behind the question mark.
    #[serde(default)]
    pub query: IndexMap<String, Value>,
    /// Parameters of the route.
    #[serde(default)]
    pub path: IndexMap<String, Value>,
    /// What the store entry was made from, for expressions of `state`.
    #[serde(default)]
    pub state: Value,
}

/// Endpoints of a mix with their weights.
pub type Mix = IndexMap<String, MixEntry>;

/// The part of an endpoint in a mix: a weight, or a map with requests of the mix's own.
#[derive(Debug, Clone, PartialEq)]
pub struct MixEntry {
    pub weight: f64,
    /// Instead of the endpoint's own, when not empty.
    pub examples: Vec<Example>,
}

/// An endpoint of a mix, with requests of the mix's own.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LongMixEntry {
    /// In proportion to the other endpoints of the mix, 0 or more.
    weight: f64,
    /// Instead of the endpoint's own, when not empty.
    #[serde(default)]
    examples: Vec<Example>,
}

impl<'de> Deserialize<'de> for MixEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = MixEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a weight or a map such as { weight: 3, examples: [..] }")
            }

            fn visit_f64<E: Error>(self, weight: f64) -> Result<MixEntry, E> {
                Ok(MixEntry {
                    weight,
                    examples: Vec::new(),
                })
            }

            fn visit_i64<E: Error>(self, weight: i64) -> Result<MixEntry, E> {
                self.visit_f64(weight as f64)
            }

            fn visit_u64<E: Error>(self, weight: u64) -> Result<MixEntry, E> {
                self.visit_f64(weight as f64)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MixEntry, A::Error> {
                let long = LongMixEntry::deserialize(MapAccessDeserializer::new(map))?;
                Ok(MixEntry {
                    weight: long.weight,
                    examples: long.examples,
                })
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for MixEntry {
    fn schema_name() -> Cow<'static, str> {
        "MixEntry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = generator.subschema_for::<LongMixEntry>();
        json_schema!({
            "description": "A weight, or a map with requests of the mix's own.",
            "anyOf": [{ "type": "number", "minimum": 0 }, long],
        })
    }
}

fn an_hour() -> f64 {
    3_600.0
}

fn equal_share() -> f64 {
    1.0
}
