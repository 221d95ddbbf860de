//! Components: the parts that requests visit.

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

/// A part of the system: slots with a queue, on a host.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Component {
    pub kind: Kind,
    /// The name of a host, or the component's own host. Absent: its own host without limits.
    pub host: Option<HostChoice>,
    /// Workers of an instance, held for the whole visit.
    #[serde(default = "default_slots")]
    pub slots: u32,
    /// The queue for a slot.
    #[serde(default)]
    pub queue: Queue,
    /// How the instance of the host is chosen.
    #[serde(default)]
    pub balance: Balance,
    /// Loss of speed with the number of concurrent visits.
    pub usl: Option<ComponentUsl>,
    /// Operations by name, with the demands of a visit.
    pub operations: IndexMap<String, Operation>,
    /// Injected failures and latency. Wire faults belong to mock detectors.
    #[schemars(with = "Option<serde_json::Value>")]
    pub faults: Option<Profile>,
    /// Service-level objectives of the component's visits.
    pub slo: Option<Slo>,

    /// Bus: several messages share a slot.
    pub batch: Option<Batch>,
    /// Bus: smaller messages for more CPU time.
    pub compress: Option<Compress>,
    /// Bus: time to open a connection for each publish; 0 with a connection pool.
    #[serde(default)]
    pub connect_ms: f64,

    /// Cache: the keys that are looked up, unless the request's own key is used.
    pub population: Option<Population>,
    /// Cache: maximum number of entries.
    pub capacity: Option<u64>,
    /// Cache: lifetime of an entry. Absent: unlimited.
    pub ttl_s: Option<f64>,
    /// Cache: memory of an entry, in kB of 2^10 B.
    #[serde(default)]
    pub entry_kb: f64,

    /// Hub: maximum number of sockets.
    pub max_connections: Option<u64>,
    /// Hub: memory of a socket, in kB of 2^10 B.
    #[serde(default)]
    pub per_connection_kb: f64,
    /// Hub: maximum number of receivers of a message.
    pub fan_out: Option<u32>,
}

/// The kind of a component. `service`, `router`, `agent`, `tool`, `database`, `workflow` and `workers`
/// differ only in their label.
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
    /// Entries of `population`, which `cached` steps look up.
    Cache,
    /// Messages of `publish` steps.
    Bus,
    /// A workflow.
    Workflow,
    /// Open WebSockets.
    Hub,
    /// Workers of the jobs of `later` steps.
    Workers,
}

impl Kind {
    /// The name in files, metrics and responses.
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

/// The host of a component.
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

/// The queue for a slot.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Queue {
    /// Maximum number of waiting visits, per instance.
    pub capacity: u64,
    pub discipline: Discipline,
    /// Maximum waiting time of a visit. Absent: unlimited.
    pub patience_ms: Option<f64>,
    /// The result of a visit that finds the queue full.
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

/// The result of a visit that finds the queue full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Overflow {
    /// An immediate response.
    Reject {
        /// Its status.
        #[serde(default = "unavailable")]
        status: u16,
    },
    /// No response until the deadline.
    Hang {},
}

impl Default for Overflow {
    fn default() -> Self {
        Self::Reject {
            status: unavailable(),
        }
    }
}

/// How the instance of a visit is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// One after the other.
    #[default]
    RoundRobin,
    /// A random one.
    Random,
    /// The one with the fewest visits.
    LeastInFlight,
    /// One queue for all instances.
    SharedQueue,
}

/// Service-level objectives of visits.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Slo {
    /// Upper bound on the median.
    pub p50_ms: Option<f64>,
    /// Upper bound on the 95th percentile.
    pub p95_ms: Option<f64>,
    /// Upper bound on the 99th percentile.
    pub p99_ms: Option<f64>,
    /// Lower bound on the share of successful visits, 0 to 1.
    pub success: Option<f64>,
}

/// A batch of messages takes `overhead_ms` and the sum of its services in one slot.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// Maximum number of messages that share a slot.
    pub max_items: u32,
    /// Time that an incomplete batch waits for further messages.
    #[serde(default)]
    pub wait_ms: f64,
    /// Time that a batch takes in addition to its messages.
    #[serde(default)]
    pub overhead_ms: f64,
}

/// Compression of messages.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Compress {
    /// Compressed size / original size, 0 to 1.
    pub ratio: f64,
    /// CPU time of a core per kB before compression.
    #[serde(default)]
    pub cpu_ms_per_kb: f64,
}

/// The keys that are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// The number of different keys.
    pub keys: u64,
    #[serde(default)]
    pub popularity: Popularity,
}

/// How often each key is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Popularity {
    /// All keys equally often.
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
