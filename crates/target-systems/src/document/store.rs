//! Stores, pools and toggles: what lives beside the components.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// Entries that requests make and find again; always bounded.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Entries at most, over all keys.
    pub capacity: u64,
    /// Lifetime of an entry. Absent: for ever.
    pub ttl_s: Option<f64>,
    /// Lifetime of an entry behind its last state.
    pub retain_after_end_s: Option<f64>,
    /// Items of a key at most; the oldest make room.
    pub per_key: Option<u32>,
    /// Memory of an entry, in kB of 2^10 B.
    #[serde(default)]
    pub per_entry_kb: f64,
    /// The host whose memory holds the entries and whose crash loses them. Absent: none.
    pub host: Option<String>,
    /// States of an entry, in order.
    #[serde(default)]
    pub states: Vec<String>,
    /// Rows that are there from the start.
    #[serde(default)]
    pub populate: u64,
    #[serde(default)]
    pub at_capacity: AtCapacity,
}

/// What a full store does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AtCapacity {
    /// No new entry: the request gets 507.
    #[default]
    Refuse,
    /// The oldest entry makes room.
    Evict,
}

/// Connections that requests take and give back.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// Connections.
    pub size: u32,
    /// Time that a request waits for a connection at most. Absent: for ever.
    pub wait_ms: Option<f64>,
}

/// A part of the system that can be switched. The document is written in the state "on"; a toggle
/// that is off adds its patch.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Toggle {
    /// Its state at the start.
    #[serde(default = "yes")]
    pub on: bool,
    /// A merge patch of the document, applied while the toggle is off.
    pub off: Option<Value>,
    /// Toggles of a group are switched together.
    pub group: Option<String>,
    /// What switching it is expected to change, for people.
    pub expect: Option<String>,
}

fn yes() -> bool {
    true
}
