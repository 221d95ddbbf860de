//! The messages of an agent, as JSON over HTTP.

use serde::{Deserialize, Serialize};

/// The identity of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Its version; archives and flags of other versions are rejected.
    pub version: String,
    /// Whether it is busy with a run.
    pub is_busy: bool,
}

/// A part of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The run's name.
    pub run: String,
    pub version: String,
    /// The collector's address from the agent's machine.
    pub collector: String,
    /// The runner's name.
    pub runner: String,
    /// Its segment, such as `0:1/3`, and the sequence of all segments, such as `0,1/3,2/3,1`.
    pub segment: String,
    pub sequence: String,
    /// Further flags of `sparring run`.
    pub flags: Vec<String>,
    /// The archive of the script, in base64.
    pub archive: String,
}

/// The status of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub state: RunState,
    /// The runner's output, from the requested line on.
    pub lines: Vec<String>,
    /// The next line to request.
    pub next: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    Running,
    /// The exit code; `None` after a signal.
    Ended(Option<i32>),
}
