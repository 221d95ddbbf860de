//! Endpoints: routes, requests, responses, and the edge in front of them.

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

/// The processing in front of every flow.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Edge {
    /// The host whose resources the edge uses. Absent: a host without limits.
    pub host: Option<String>,
    /// Maximum number of requests in flight; further ones get 503.
    pub max_in_flight: u32,
    /// Time after which a request gets 504. Absent: none.
    pub deadline_ms: Option<f64>,
    /// CPU time of a core per request.
    pub cpu_ms: f64,
    /// Bytes on the link per request in addition to those of its bodies, in kB of 1 000 B.
    pub network_kb: f64,
    /// Users that log in, and their tokens. Absent: no authentication.
    pub auth: Option<Auth>,
    /// A rate limit; requests beyond it get 429. Absent: none.
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

/// Users that may log in.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    #[serde(default)]
    pub mode: AuthMode,
    /// Names and passwords of users. They are test data.
    pub users: IndexMap<String, String>,
    /// Lifetime of a token.
    #[serde(default = "an_hour")]
    pub token_ttl_s: f64,
}

/// How requests without a token are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthMode {
    /// Accepted as anonymous; a token that is sent has to be valid.
    #[default]
    Optional,
    /// Rejected with 401.
    Required,
}

/// A route of the system.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Method and path, such as `GET /jobs/{id}`.
    pub route: String,
    /// The purpose of the endpoint, for the list of routes.
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub request: RequestShape,
    /// The steps of a request.
    #[serde(default)]
    pub flow: Flow,
    #[serde(default)]
    pub answer: ResponseSpec,
    /// The store of tokens, if this endpoint logs in users of `edge.auth`.
    pub login: Option<String>,
    /// The component of kind `hub`, if this endpoint is a WebSocket; the flow then applies to each message.
    pub socket: Option<String>,
    /// Example requests, for truth, simulation and documentation. Absent: one without body.
    #[serde(default)]
    pub examples: Vec<Example>,
}

/// The rules of a request. Fields are written like `body.items[].id`; a field without a source is in the
/// body.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequestShape {
    /// Required fields.
    pub required: Vec<String>,
    /// Allowed values of fields.
    #[serde(rename = "enum")]
    pub choices: IndexMap<String, Vec<Value>>,
    /// Types of fields.
    pub types: IndexMap<String, FieldType>,
    /// Minimum number of items of lists.
    pub min_items: IndexMap<String, u32>,
    /// Maximum number of items of lists.
    pub max_items: IndexMap<String, u32>,
    /// Maximum number of characters of texts.
    pub max_chars: IndexMap<String, u32>,
    /// Bounds of numbers.
    pub bounds: IndexMap<String, Bounds>,
    /// Fields whose values have to occur in another field, such as `edges[].from: nodes[].id`.
    pub references: IndexMap<String, String>,
    /// Maximum size of the body, in kB of 1 000 B.
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

/// Bounds of a number, inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Bounds {
    /// Absent: none.
    pub min: Option<f64>,
    /// Absent: none.
    pub max: Option<f64>,
}

/// The response to a successful request.
///
/// In the body, a text that begins with `$` stands for a value: `$id` or the name given by a `create`, `$elapsed_ms`,
/// `$draw.unit` (a number in [0, 1)), `$draw.NAME` (one of `draws`), `$body.x`, `$path.x`, `$query.x`, `$state` (the
/// state of the entry, by its name), `$state.age_ms`, `$steps` (moves of the entry before its last state), `$entries`
/// and `$entries.count` (rows under the key), `$token` (at an endpoint that logs in users). An object `{ $repeat: EXPR,
/// item: .. }` is a list of that many items; `$index` counts them from 0.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResponseSpec {
    /// 200 to 399; failures are steps of the flow.
    pub status: u16,
    /// The body, in which a text that begins with `$` stands for a value.
    pub body: Value,
    /// Sets of values for random draws, by name.
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
    /// Weight relative to the other values.
    #[serde(default = "equal_share")]
    pub share: f64,
    /// The value.
    pub is: Value,
}

/// An example request, with its share.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// Weight relative to the other examples.
    #[serde(default = "equal_share")]
    pub share: f64,
    /// The body, as JSON.
    #[serde(default)]
    pub body: Value,
    /// Query parameters.
    #[serde(default)]
    pub query: IndexMap<String, Value>,
    /// Parameters of the route.
    #[serde(default)]
    pub path: IndexMap<String, Value>,
    /// The content of the store entry, for expressions of `state`.
    #[serde(default)]
    pub state: Value,
}

/// Endpoints of a mix with their weights.
pub type Mix = IndexMap<String, MixEntry>;

/// An endpoint's entry in a mix: a weight, or a map with the mix's own requests.
#[derive(Debug, Clone, PartialEq)]
pub struct MixEntry {
    pub weight: f64,
    /// Replaces the endpoint's own examples if not empty.
    pub examples: Vec<Example>,
}

/// An endpoint of a mix, with the mix's own requests.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LongMixEntry {
    /// Weight relative to the other endpoints of the mix, 0 or more.
    weight: f64,
    /// Replaces the endpoint's own examples if not empty.
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
