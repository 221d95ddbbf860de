//! What a test does to its system over time.

use std::path::PathBuf;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::Span;

/// One phase. The level, which is users or, in an open test, arrivals per second, carries over to the next phase.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Phase {
    /// Keeps the level; never judged.
    WarmUp(Steady),
    /// Changes the level.
    Ramp(Ramp),
    /// Keeps the level; judged by default.
    Steady(Steady),
    /// Lowers the level evenly to zero.
    RampDown(Rest),
    /// No load; probes observe how the system recovers.
    Rest(Rest),
}

/// A change of level, by speed or by time.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ramp {
    /// Users, or arrivals per second in an open test.
    pub to: f64,
    /// Users that start or stop per second, like Locust's spawn rate.
    pub at_per_s: Option<f64>,
    /// The length of the change, instead of a speed.
    #[serde(rename = "for")]
    pub lasts: Option<Span>,
    /// Its name in reports.
    pub name: Option<String>,
}

/// A level that is held.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Steady {
    /// Its length.
    #[serde(rename = "for")]
    pub lasts: Span,
    /// Its name in reports.
    pub name: Option<String>,
    /// Whether a steady phase is judged; by default it is. A warm-up never is.
    pub judged: Option<bool>,
}

/// A time without a level.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rest {
    /// Its length.
    #[serde(rename = "for")]
    pub lasts: Span,
    /// Its name in reports.
    pub name: Option<String>,
}

/// The same step at each of several levels.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ladder {
    /// Levels in order: users or, in an open test, arrivals per second.
    pub levels: Vec<f64>,
    /// Users that start per second; the ramp is part of the step, as Locust counts it.
    pub at_per_s: f64,
    /// The length of a step.
    pub each: Span,
    /// The time without load between two steps.
    pub rest: Option<Span>,
    /// The ladder ends when one of these conditions is met in two consecutive steps: this grade or a worse one, or an
    /// expression.
    #[serde(default)]
    pub until: Vec<String>,
    /// A step at this level after the ladder, to observe the recovery of the system.
    pub back_to: Option<f64>,
}

/// What a search varies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SearchOf {
    /// The number of users.
    Users,
    /// Arrivals per second.
    RatePerS,
}

/// Doubling until a level fails, bisection, and a confirmation of twice the length.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// What the search varies: users, or arrivals per second.
    pub of: SearchOf,
    /// The first level.
    pub from: f64,
    /// The highest level that is tried.
    pub until: f64,
    /// The width of the result relative to its upper end.
    #[serde(default = "precision")]
    pub precision: f64,
    /// The time for which each level is held.
    pub each: Span,
    /// The time without load between two levels.
    pub rest: Span,
}

fn precision() -> f64 {
    0.05
}

/// A grid; every cell is a steady phase, or a search if `search` is given.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// Values of variables that the script reads.
    #[serde(default)]
    pub env: IndexMap<String, Vec<String>>,
    /// Limits of the system: host, resource, values.
    #[serde(default)]
    pub set: IndexMap<String, IndexMap<String, Vec<Value>>>,
    /// Levels of load, one per cell. Absent with `search`.
    #[serde(default)]
    pub levels: Vec<f64>,
    /// Users that start per second; the ramp is part of the cell. Absent: all at once.
    pub at_per_s: Option<f64>,
    /// The time for which each cell is held.
    pub each: Option<Span>,
    pub search: Option<Search>,
    /// The n-th level belongs to the n-th value of `set`, instead of all combinations.
    #[serde(default)]
    pub paired: bool,
}

/// A fixed number of iterations: the benchmarks that the documents run inside a process.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Samples {
    /// Measured iterations.
    pub iterations: u64,
    /// Users that share them.
    #[serde(default = "one")]
    pub users: u64,
    /// Iterations before them that are not measured.
    #[serde(default)]
    pub warm_up: u64,
    /// The time for which an iteration keeps its connection: the variable HOLD_S of the script, times the time scale.
    pub hold: Option<Span>,
    /// Files with data that the script opens, relative to the suite file.
    #[serde(default)]
    pub data: Vec<PathBuf>,
}

fn one() -> u64 {
    1
}
