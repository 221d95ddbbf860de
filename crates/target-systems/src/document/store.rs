//! Stores, pools and toggles: the parts beside the components.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// Entries that requests create and find; always bounded.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Maximum number of entries, over all keys.
    pub capacity: u64,
    /// Lifetime of an entry. Absent: unlimited.
    pub ttl_s: Option<f64>,
    /// Lifetime of an entry after reaching its last state.
    pub retain_after_end_s: Option<f64>,
    /// Maximum number of items of a key; beyond it the oldest are removed.
    pub per_key: Option<u32>,
    /// Memory of an entry, in kB of 2^10 B.
    #[serde(default)]
    pub per_entry_kb: f64,
    /// The host whose memory holds the entries; its crash loses them. Absent: none.
    pub host: Option<String>,
    /// States of an entry, in order.
    #[serde(default)]
    pub states: Vec<String>,
    /// Number of initial rows.
    #[serde(default)]
    pub populate: u64,
    #[serde(default)]
    pub at_capacity: AtCapacity,
}

/// The behaviour of a full store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AtCapacity {
    /// New entries are rejected: the request gets 507.
    #[default]
    Refuse,
    /// The oldest entry is evicted.
    Evict,
}

/// Connections that requests acquire and release.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// Number of connections.
    pub size: u32,
    /// Maximum time that a request waits for a connection. Absent: unlimited.
    pub wait_ms: Option<f64>,
}

/// A feature of the system that can be switched. The document describes the state "on"; a toggle that is
/// off adds its patch.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Toggle {
    /// Its initial state.
    #[serde(default = "yes")]
    pub on: bool,
    /// A merge patch of the document, applied while the toggle is off.
    pub off: Option<Value>,
    /// The group of toggles that are switched together.
    pub group: Option<String>,
    /// The expected effect of switching it, for people.
    pub expect: Option<String>,
}

fn yes() -> bool {
    true
}
