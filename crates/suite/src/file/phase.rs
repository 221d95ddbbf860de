//! What a test does to its system over time.

use std::path::PathBuf;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::Span;

/// One phase. Users or, in an open test, arrivals per second hold from one phase to the next.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Phase {
    /// The level so far, never judged.
    WarmUp(Steady),
    /// To another level.
    Ramp(Ramp),
    /// The level so far, judged unless it says otherwise.
    Steady(Steady),
    /// Evenly down to nothing.
    RampDown(Rest),
    /// No load; probes see how the system recovers.
    Rest(Rest),
}

/// A change of level, by speed or by time.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ramp {
    /// Users, or arrivals per second in an open test.
    pub to: f64,
    /// Users that start or stop per second, as Locust's spawn rate.
    pub at_per_s: Option<f64>,
    /// Instead of a speed: how long it takes.
    #[serde(rename = "for")]
    pub lasts: Option<Span>,
    /// What reports call it.
    pub name: Option<String>,
}

/// A level that is held.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Steady {
    /// How long it lasts.
    #[serde(rename = "for")]
    pub lasts: Span,
    /// What reports call it.
    pub name: Option<String>,
    /// Whether a steady phase is judged; it is where this is left out. A warm-up never is.
    pub judged: Option<bool>,
}

/// A time without a level of its own.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rest {
    /// How long it lasts.
    #[serde(rename = "for")]
    pub lasts: Span,
    /// What reports call it.
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
    /// The whole step.
    pub each: Span,
    /// Without load between two steps.
    pub rest: Option<Span>,
    /// The ladder ends when this grade or worse, or one of these expressions, holds in two steps in
    /// a row.
    #[serde(default)]
    pub until: Vec<String>,
    /// A step at this level after the ladder, to see the system recover.
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

/// Doubling until the judgement fails, bisection, and a confirmation of twice the length.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// What is raised: users, or arrivals per second.
    pub of: SearchOf,
    /// The level to begin with.
    pub from: f64,
    /// The highest level that is tried.
    pub until: f64,
    /// The width of the result relative to its upper end.
    #[serde(default = "precision")]
    pub precision: f64,
    /// How long each level is held.
    pub each: Span,
    /// Without load between two levels.
    pub rest: Span,
}

fn precision() -> f64 {
    0.05
}

/// A grid; every cell is a steady phase, or a search where `search` is given.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// Values of variables that the script reads.
    #[serde(default)]
    pub env: IndexMap<String, Vec<String>>,
    /// Limits of the system: host, resource, values.
    #[serde(default)]
    pub set: IndexMap<String, IndexMap<String, Vec<Value>>>,
    /// Levels of load; each cell has one. Absent with `search`.
    #[serde(default)]
    pub levels: Vec<f64>,
    /// Users that start per second; the ramp is part of the cell. Absent: all at once.
    pub at_per_s: Option<f64>,
    /// How long each cell is held.
    pub each: Option<Span>,
    pub search: Option<Search>,
    /// Levels belong to the values of `set` one by one instead of being combined with each.
    #[serde(default)]
    pub paired: bool,
}

/// Exactly so many iterations: the benchmarks that the documents run inside a process.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Samples {
    /// Iterations that are measured.
    pub iterations: u64,
    /// Users that share them.
    #[serde(default = "one")]
    pub users: u64,
    /// Iterations before, not counted.
    #[serde(default)]
    pub warm_up: u64,
    /// How long an iteration keeps its connection: the variable HOLD_S of the script, times the time scale.
    pub hold: Option<Span>,
    /// Files with data that the script opens, relative to the suite file.
    #[serde(default)]
    pub data: Vec<PathBuf>,
}

fn one() -> u64 {
    1
}
