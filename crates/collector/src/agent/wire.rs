//! What is said to an agent and by it, as JSON over HTTP.

use serde::{Deserialize, Serialize};

/// Who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Archives and flags are those of a version: others are refused.
    pub version: String,
    /// Whether it is at work for somebody.
    pub is_busy: bool,
}

/// A part of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The run's name; answers are only about this one.
    pub run: String,
    pub version: String,
    /// Where the collector is, as the agent's machine reaches it.
    pub collector: String,
    /// The runner's name among the others.
    pub runner: String,
    /// Its part, as `0:1/3`, and all parts, as `0,1/3,2/3,1`.
    pub segment: String,
    pub sequence: String,
    /// Further flags of `sparring run`.
    pub flags: Vec<String>,
    /// The archive of the script, in base64.
    pub archive: String,
}

/// How the run of an order stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub state: RunState,
    /// What the runner said, from the line on that was asked for.
    pub lines: Vec<String>,
    /// The next line to ask for.
    pub next: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    Running,
    /// With the exit code; `None` where a signal ended it.
    Ended(Option<i32>),
}
