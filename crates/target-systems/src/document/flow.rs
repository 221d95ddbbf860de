//! Flows: the steps of a request.

use std::borrow::Cow;
use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::amount::Switch;
use super::expression::{Expression, Place};

/// Steps in order.
pub type Flow = Vec<Step>;

/// One step; its key names the kind.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A visit to an operation.
    Visit(Visit),
    /// Parallel branches.
    Parallel(Parallel),
    /// A cache lookup.
    Cached(Cached),
    /// Steps with a connection of a pool.
    Using(Using),
    /// Messages to a bus.
    Publish(Publish),
    /// One of several branches, chosen by share.
    Either(Vec<Choice>),
    /// One of several branches, chosen by a value of the request.
    When(When),
    /// Steps for each item of a list.
    Each(Each),
    /// Steps that depend on a toggle.
    If(If),
    /// An operation on a store.
    State(State),
    /// Steps after the response.
    Later(Later),
    /// A response that ends the flow.
    Fail(Fail),
}

/// A visit: `component.operation`, or a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Visit {
    /// `component.operation`.
    pub at: String,
    /// Number of sequential visits.
    pub times: Expression,
    /// Steps during which the slot is held.
    pub hold: Flow,
    pub timeout_ms: Option<f64>,
    /// Number of further attempts after a failure.
    pub retries: u32,
    pub on_error: OnError,
}

/// A visit with options.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LongVisit {
    /// `component.operation`.
    at: String,
    /// Number of sequential visits.
    #[serde(default = "once")]
    times: Expression,
    /// Steps during which the slot is held.
    #[serde(default)]
    hold: Flow,
    /// Timeout of the visit. Absent: none.
    timeout_ms: Option<f64>,
    /// Number of further attempts after a failure.
    #[serde(default)]
    retries: u32,
    /// The effect of a failed visit on its request.
    #[serde(default)]
    on_error: OnError,
}

/// The effect of a failed visit on its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The request fails, too.
    #[default]
    Fail,
    /// The request continues.
    Continue,
}

impl<'de> Deserialize<'de> for Visit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Visit;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("component.operation or a map such as { at: component.operation }")
            }

            fn visit_str<E: Error>(self, at: &str) -> Result<Visit, E> {
                Ok(Visit {
                    at: at.to_owned(),
                    times: once(),
                    hold: Flow::new(),
                    timeout_ms: None,
                    retries: 0,
                    on_error: OnError::Fail,
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Visit, A::Error> {
                let long = LongVisit::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Visit {
                    at: long.at,
                    times: long.times,
                    hold: long.hold,
                    timeout_ms: long.timeout_ms,
                    retries: long.retries,
                    on_error: long.on_error,
                })
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for Visit {
    fn schema_name() -> Cow<'static, str> {
        "Visit".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = generator.subschema_for::<LongVisit>();
        json_schema!({
            "description": "`component.operation`, or a map with more.",
            "anyOf": [{ "type": "string" }, long],
        })
    }
}

/// Parallel branches that are joined; sequential if not enabled.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parallel {
    /// Whether the branches run in parallel.
    #[serde(default)]
    pub enabled: Switch,
    /// The steps of each branch.
    pub branches: Vec<Flow>,
}

/// A cache lookup, and the steps on a miss. If not enabled, only the steps on a miss.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cached {
    /// A component of kind `cache`.
    #[serde(rename = "in")]
    pub component: String,
    /// The key to look up.
    #[serde(default)]
    pub key: CacheKey,
    /// Whether the cache is used.
    #[serde(default)]
    pub enabled: Switch,
    /// Steps on a miss.
    #[serde(default)]
    pub miss: Flow,
}

/// The key to look up.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum CacheKey {
    /// A random key of the cache's population.
    #[default]
    Population,
    /// The value of an expression.
    Value(Expression),
}

impl<'de> Deserialize<'de> for CacheKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = CacheKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("population or an expression such as body.session_id")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<CacheKey, E> {
                if text == "population" {
                    return Ok(CacheKey::Population);
                }
                text.parse().map(CacheKey::Value).map_err(E::custom)
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<CacheKey, E> {
                Ok(CacheKey::Value(Expression::Number(value)))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<CacheKey, E> {
                self.visit_f64(value as f64)
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<CacheKey, E> {
                self.visit_f64(value as f64)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for CacheKey {
    fn schema_name() -> Cow<'static, str> {
        "CacheKey".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "`population` (drawn) or an expression.",
            "type": ["string", "number"],
        })
    }
}

/// Steps with a connection of a pool.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Using {
    /// The pool.
    pub pool: String,
    /// Steps during which the connection is held.
    #[serde(rename = "do")]
    pub steps: Flow,
}

/// Messages to a bus.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// A component of kind `bus`.
    pub to: String,
    /// Number of messages.
    #[serde(default = "once")]
    pub messages: Expression,
    /// `component.operation` that each message visits.
    pub consume: Option<String>,
    /// Whether the request waits for the acknowledgement and the consumer.
    #[serde(default = "never")]
    pub wait: Switch,
}

/// One of the choices of `either`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Share of requests, 0 to 1; the remainder to 1 does nothing.
    pub share: f64,
    /// The steps of this choice.
    #[serde(rename = "do", default)]
    pub steps: Flow,
}

/// Branches by a value of the request.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// The place of the value.
    pub value: Place,
    /// Steps by value.
    pub is: IndexMap<String, Flow>,
    /// Steps for all other values.
    #[serde(default)]
    pub otherwise: Flow,
}

/// Steps for each item of a list (or as many times as a number says), sequential or parallel.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Each {
    /// The place of the list or the number. A value sent by a client needs a bound in `request`.
    #[serde(rename = "in")]
    pub list: Place,
    /// Whether the items run in parallel.
    #[serde(default = "never")]
    pub parallel: Switch,
    /// The place of a list of `{ from, to }` that connects items by their `id`: parallel items wait for
    /// their predecessors.
    pub edges: Option<Place>,
    /// The steps for each item, which they read as `item`.
    #[serde(rename = "do")]
    pub steps: Flow,
}

/// Steps that depend on a toggle.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct If {
    /// The toggle.
    pub enabled: Switch,
    /// Steps while it is on.
    #[serde(rename = "do", default)]
    pub steps: Flow,
    /// Steps while it is off.
    #[serde(default)]
    pub otherwise: Flow,
}

/// An operation on a store. Exactly one of `create`, `require`, `append`, `advance` and `read`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// Creates an entry with a random id, or with the id at `id`.
    pub create: Option<String>,
    /// Finds an entry; otherwise the request gets 404.
    pub require: Option<String>,
    /// Adds an item to the entry of a key, which is created if absent.
    pub append: Option<String>,
    /// Moves an entry to another state; otherwise the request gets 409.
    pub advance: Option<String>,
    /// Finds an entry; without one the flow continues.
    pub read: Option<String>,
    /// `create`: the name of the id in responses (`$name`). Otherwise the place of the id, such as
    /// `path.id`; absent: the entry that this request created or required.
    pub id: Option<String>,
    /// `create`: the first state.
    #[serde(rename = "as")]
    pub initial: Option<String>,
    /// `advance`: the next state.
    pub to: Option<String>,
    /// The place of the key chosen by the client, such as `body.session_id`.
    pub key: Option<Place>,
}

/// Steps after the response; their status is in a store.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Later {
    /// The store of jobs; a job's progress sets its first, middle and last states.
    pub store: String,
    /// The component of kind `workers`, which the steps visit.
    pub workers: String,
    /// The place of the flag that requests a response after the job is done, such as `query.wait`.
    pub wait: Option<Place>,
    /// The steps of the job.
    #[serde(rename = "do")]
    pub steps: Flow,
}

/// A response that ends the flow.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fail {
    /// 400 to 599.
    pub status: u16,
    /// The kind of error in the response and the metrics.
    #[serde(default = "injected")]
    pub error_type: String,
}

fn once() -> Expression {
    Expression::Number(1.0)
}

fn never() -> Switch {
    Switch::Fixed(false)
}

fn injected() -> String {
    "injected".to_owned()
}

impl Step {
    /// The inner flows, in the order of the file.
    pub fn inner(&self) -> Vec<&Flow> {
        match self {
            Self::Visit(visit) => vec![&visit.hold],
            Self::Parallel(parallel) => parallel.branches.iter().collect(),
            Self::Cached(cached) => vec![&cached.miss],
            Self::Using(using) => vec![&using.steps],
            Self::Either(choices) => choices.iter().map(|choice| &choice.steps).collect(),
            Self::When(when) => when.is.values().chain([&when.otherwise]).collect(),
            Self::Each(each) => vec![&each.steps],
            Self::If(one) => vec![&one.steps, &one.otherwise],
            Self::Later(later) => vec![&later.steps],
            Self::Publish(_) | Self::State(_) | Self::Fail(_) => Vec::new(),
        }
    }
}

/// Splits `component.operation`.
pub fn call(at: &str) -> Option<(&str, &str)> {
    at.split_once('.')
        .filter(|(component, operation)| !component.is_empty() && !operation.is_empty())
}
