//! Components: what is visited.

use std::borrow::Cow;
use std::fmt;

use fault_profile::Profile;
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::host::{ComponentUsl, Host};
use super::operation::Operation;

/// A part of the system: slots with a queue in front, on a host.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Component {
    pub kind: Kind,
    /// The name of a host, or a host of its own. Absent: a host of its own without limits.
    pub host: Option<HostChoice>,
    /// Workers of an instance, held for the whole visit.
    #[serde(default = "default_slots")]
    pub slots: u32,
    /// What waits for a slot.
    #[serde(default)]
    pub queue: Queue,
    /// Which instance of the host is visited.
    #[serde(default)]
    pub balance: Balance,
    /// Loss of speed with the number of concurrent visits.
    pub usl: Option<ComponentUsl>,
    /// What can be visited, by name, with the demands of a visit.
    pub operations: IndexMap<String, Operation>,
    /// Failures and latency on purpose. Wire faults belong to mock detectors.
    #[schemars(with = "Option<serde_json::Value>")]
    pub faults: Option<Profile>,
    /// What is promised of the component's visits.
    pub slo: Option<Slo>,

    /// Bus: several messages share a slot.
    pub batch: Option<Batch>,
    /// Bus: smaller messages for more CPU time.
    pub compress: Option<Compress>,
    /// Bus: time of a connection for each publish; 0 with a pool of connections.
    #[serde(default)]
    pub connect_ms: f64,

    /// Cache: which keys are asked for, where the request's own key is not used.
    pub population: Option<Population>,
    /// Cache: entries at most.
    pub capacity: Option<u64>,
    /// Cache: lifetime of an entry. Absent: for ever.
    pub ttl_s: Option<f64>,
    /// Cache: memory of an entry, in kB of 2^10 B.
    #[serde(default)]
    pub entry_kb: f64,

    /// Hub: sockets at most.
    pub max_connections: Option<u64>,
    /// Hub: memory of a socket, in kB of 2^10 B.
    #[serde(default)]
    pub per_connection_kb: f64,
    /// Hub: receivers of a message at most.
    pub fan_out: Option<u32>,
}

/// What a component is. `service`, `router`, `agent`, `tool`, `database`, `workflow` and
/// `workers` differ in their label alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A service.
    Service,
    /// A service that passes requests on.
    Router,
    /// An agent.
    Agent,
    /// A tool that agents use.
    Tool,
    /// A database.
    Database,
    /// Entries of `population` that steps `cached` look up.
    Cache,
    /// Messages of steps `publish`.
    Bus,
    /// A workflow.
    Workflow,
    /// Open WebSockets.
    Hub,
    /// What does the work of steps `later`.
    Workers,
}

impl Kind {
    /// The name in files, metrics and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Router => "router",
            Self::Agent => "agent",
            Self::Tool => "tool",
            Self::Database => "database",
            Self::Cache => "cache",
            Self::Bus => "bus",
            Self::Workflow => "workflow",
            Self::Hub => "hub",
            Self::Workers => "workers",
        }
    }
}

/// Where a component runs.
#[derive(Debug, Clone, PartialEq)]
pub enum HostChoice {
    Named(String),
    Own(Box<Host>),
}

impl<'de> Deserialize<'de> for HostChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = HostChoice;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a host or a map such as { cpu_cores: 1 }")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<HostChoice, E> {
                Ok(HostChoice::Named(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<HostChoice, A::Error> {
                Host::deserialize(MapAccessDeserializer::new(map))
                    .map(|host| HostChoice::Own(Box::new(host)))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for HostChoice {
    fn schema_name() -> Cow<'static, str> {
        "HostChoice".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let host = generator.subschema_for::<Host>();
        json_schema!({
            "description": "The name of a host, or a host of the component's own.",
            "anyOf": [{ "type": "string" }, host],
        })
    }
}

/// What waits for a slot.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Queue {
    /// Visits that wait at most, for each instance.
    pub capacity: u64,
    pub discipline: Discipline,
    /// Time that a visit waits at most. Absent: for ever.
    pub patience_ms: Option<f64>,
    /// What a visit gets that finds the queue full.
    pub overflow: Overflow,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            capacity: 1_000,
            discipline: Discipline::default(),
            patience_ms: None,
            overflow: Overflow::default(),
        }
    }
}

/// The order in which waiting requests are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Discipline {
    /// The request that arrived first.
    #[default]
    Fifo,
    /// The request that arrived last.
    Lifo,
}

/// What a visit gets that finds the queue full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Overflow {
    /// An answer at once.
    Reject {
        /// Its status.
        #[serde(default = "unavailable")]
        status: u16,
    },
    /// No answer until the deadline.
    Hang {},
}

impl Default for Overflow {
    fn default() -> Self {
        Self::Reject {
            status: unavailable(),
        }
    }
}

/// Which instance is visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// One after the other.
    #[default]
    RoundRobin,
    /// A drawn one.
    Random,
    /// The one with the fewest visits.
    LeastInFlight,
    /// One line in front of all instances.
    SharedQueue,
}

/// What is promised of visits.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Slo {
    /// The median at most.
    pub p50_ms: Option<f64>,
    /// The 95th percentile at most.
    pub p95_ms: Option<f64>,
    /// The 99th percentile at most.
    pub p99_ms: Option<f64>,
    /// Share of visits that succeed, 0 to 1.
    pub success: Option<f64>,
}

/// A batch of messages takes `overhead_ms` and the sum of its services in one slot.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// Messages that share a slot, at most.
    pub max_items: u32,
    /// Time that an incomplete batch waits for more.
    #[serde(default)]
    pub wait_ms: f64,
    /// Time that a batch takes beside its messages.
    #[serde(default)]
    pub overhead_ms: f64,
}

/// Compression of messages.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Compress {
    /// Size behind by size before, 0 to 1.
    pub ratio: f64,
    /// Time of a core for each kB before compression.
    #[serde(default)]
    pub cpu_ms_per_kb: f64,
}

/// Keys that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// The number of different keys.
    pub keys: u64,
    #[serde(default)]
    pub popularity: Popularity,
}

/// How often each key is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Popularity {
    /// All keys alike.
    #[default]
    Uniform,
    /// Key k in proportion to k^−s.
    Zipf(f64),
}

fn default_slots() -> u32 {
    1
}

fn unavailable() -> u16 {
    503
}
