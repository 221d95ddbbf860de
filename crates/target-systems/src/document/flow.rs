//! Flows: what a request does, step by step.

use std::borrow::Cow;
use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::amount::Switch;
use super::expression::{Expression, Place};

/// Steps in their order.
pub type Flow = Vec<Step>;

/// One step; its key names the kind.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A visit of an operation.
    Visit(Visit),
    /// Branches at once.
    Parallel(Parallel),
    /// A look into a cache.
    Cached(Cached),
    /// Steps with a connection of a pool.
    Using(Using),
    /// Messages on a bus.
    Publish(Publish),
    /// One of several, by share.
    Either(Vec<Choice>),
    /// One of several, by a value of the request.
    When(When),
    /// Steps for each item of a list.
    Each(Each),
    /// Steps that depend on a toggle.
    If(If),
    /// An entry of a store.
    State(State),
    /// Steps behind the answer.
    Later(Later),
    /// An answer that ends the flow.
    Fail(Fail),
}

/// A visit: `component.operation`, or a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Visit {
    /// `component.operation`.
    pub at: String,
    /// How many in sequence.
    pub times: Expression,
    /// Steps during which the slot is kept.
    pub hold: Flow,
    pub timeout_ms: Option<f64>,
    /// Further attempts behind a failure.
    pub retries: u32,
    pub on_error: OnError,
}

/// A visit with more than its operation.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LongVisit {
    /// `component.operation`.
    at: String,
    /// How many in sequence.
    #[serde(default = "once")]
    times: Expression,
    /// Steps during which the slot is kept.
    #[serde(default)]
    hold: Flow,
    /// Time after which the visit has failed. Absent: none.
    timeout_ms: Option<f64>,
    /// Further attempts behind a failure.
    #[serde(default)]
    retries: u32,
    /// What a failed visit means for its request.
    #[serde(default)]
    on_error: OnError,
}

/// What a failed visit means for its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The request fails, too.
    #[default]
    Fail,
    /// The request goes on.
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

/// Branches at once and joined; one behind the other when not enabled.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parallel {
    /// Whether the branches are at once.
    #[serde(default)]
    pub enabled: Switch,
    /// The steps of each branch.
    pub branches: Vec<Flow>,
}

/// A look into a cache, and what a miss does. When not enabled, only what a miss does.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cached {
    /// A component of kind `cache`.
    #[serde(rename = "in")]
    pub component: String,
    /// Which key is looked up.
    #[serde(default)]
    pub key: CacheKey,
    /// Whether the cache is used.
    #[serde(default)]
    pub enabled: Switch,
    /// Steps where the key is not there.
    #[serde(default)]
    pub miss: Flow,
}

/// Which key is looked up.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum CacheKey {
    /// One drawn from the cache's population.
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
    /// Steps during which the connection is kept.
    #[serde(rename = "do")]
    pub steps: Flow,
}

/// Messages on a bus.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// A component of kind `bus`.
    pub to: String,
    /// How many.
    #[serde(default = "once")]
    pub messages: Expression,
    /// `component.operation` that each message visits.
    pub consume: Option<String>,
    /// Whether the request waits for acknowledgement and consumer.
    #[serde(default = "never")]
    pub wait: Switch,
}

/// One of the choices of `either`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Share of requests, 0 to 1; what is missing to 1 does nothing.
    pub share: f64,
    /// The steps of this choice.
    #[serde(rename = "do", default)]
    pub steps: Flow,
}

/// A case by a value of the request.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Where the value is.
    pub value: Place,
    /// Steps by value.
    pub is: IndexMap<String, Flow>,
    /// Steps for all other values.
    #[serde(default)]
    pub otherwise: Flow,
}

/// Steps for each item of a list (or as often as a number says), one behind the other, or at once.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Each {
    /// Where the list or the number is. What a client sends needs a bound in `request`.
    #[serde(rename = "in")]
    pub list: Place,
    /// Whether the items are done at once.
    #[serde(default = "never")]
    pub parallel: Switch,
    /// Where a list of `{ from, to }` is that joins items by their `id`: items that are done at
    /// once wait for those that lead to them.
    pub edges: Option<Place>,
    /// The steps for each item, which is `item` in them.
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

/// What happens in a store. Exactly one of `create`, `require`, `append`, `advance` and `read`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// Makes an entry with a drawn id, or the one at `id`.
    pub create: Option<String>,
    /// Finds an entry, or the request gets 404.
    pub require: Option<String>,
    /// Adds an item to the entry of a key, which is made when absent.
    pub append: Option<String>,
    /// Moves an entry to another state, or the request gets 409.
    pub advance: Option<String>,
    /// Finds an entry, or goes on without.
    pub read: Option<String>,
    /// `create`: the name under which answers have the id (`$name`). Else where the id is, such as
    /// `path.id`; absent: the entry that this request made or required.
    pub id: Option<String>,
    /// `create`: the first state.
    #[serde(rename = "as")]
    pub initial: Option<String>,
    /// `advance`: the state that follows.
    pub to: Option<String>,
    /// Where the key that the client chose is, such as `body.session_id`.
    pub key: Option<Place>,
}

/// Steps behind the answer; their status is in a store.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Later {
    /// The store of jobs; its first, middle and last states are set by the job's progress.
    pub store: String,
    /// The component of kind `workers` that the steps visit.
    pub workers: String,
    /// Where a request asks for its answer when the job is done, such as `query.wait`.
    pub wait: Option<Place>,
    /// The steps of the job.
    #[serde(rename = "do")]
    pub steps: Flow,
}

/// An answer that ends the flow.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fail {
    /// 400 to 599.
    pub status: u16,
    /// The kind of error that the answer and the metrics name.
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
    /// The flows inside, in the order of the file.
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

/// `component.operation`, taken apart.
pub fn call(at: &str) -> Option<(&str, &str)> {
    at.split_once('.')
        .filter(|(component, operation)| !component.is_empty() && !operation.is_empty())
}
