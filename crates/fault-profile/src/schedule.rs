//! Changes of a profile over time, in their written form.

use live_config::Check;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Stages in time. Stages may overlap; a later one in the list wins.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// Time zero in milliseconds since 1970, so that several processes can share it. Absent: the time at
    /// which the profile takes effect.
    pub start_unix_ms: Option<u64>,
    /// The whole schedule repeats after this time.
    pub loop_every_ms: Option<u64>,
    /// The length of a step of a ramp. At most 10 000 steps in all.
    pub resolution_ms: Option<u64>,
    pub stages: Vec<Stage>,
}

/// A temporary change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// For people; shown in plans and journals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The start, relative to time zero.
    #[serde(default)]
    pub at_ms: u64,
    /// Length.
    pub for_ms: u64,
    /// For bursts: the stage occurs `times` times with this period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repeat>,
    /// Merge patch on the profile while the stage lasts, such as `{ success_rate: 0 }`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub set: Value,
    /// Parameters that change gradually while the stage lasts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ramps: Vec<Ramp>,
    /// The share of request keys to which the stage applies. The keys at 10 % are also among those at 20 %.
    #[serde(default = "all_keys")]
    pub keys: f64,
}

/// The repetition of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// From one start to the next; at least the length of the stage.
    pub every_ms: u64,
    /// The total number of occurrences.
    pub times: u32,
}

/// A number that changes gradually from one value to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ramp {
    /// Path of a number in the profile, such as `latency.uniform.max_ms` or `failures[1].weight`;
    /// whole numbers such as `queue.workers` are rounded. `keys` is the stage's own share.
    pub parameter: String,
    /// The value at the start of the stage.
    pub from: f64,
    /// The value at its end.
    pub to: f64,
    #[serde(default)]
    pub curve: Curve,
}

/// The shape of a ramp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Curve {
    /// A straight line.
    #[default]
    Linear,
    /// A number of equal steps.
    Steps(u32),
    /// Slow, fast, slow: 3x² − 2x³.
    SCurve,
}

impl Schedule {
    pub(crate) fn check(&self, check: &mut Check<'_>) {
        if let Some(every_ms) = self.loop_every_ms {
            check.at_least("loop_every_ms", every_ms, 1);
        }
        if let Some(resolution_ms) = self.resolution_ms {
            check.at_least("resolution_ms", resolution_ms, 1);
        }
        let mut check = check.at("stages");
        for (index, stage) in self.stages.iter().enumerate() {
            stage.check(&mut check.index(index));
        }
    }
}

impl Stage {
    fn check(&self, check: &mut Check<'_>) {
        check.share("keys", self.keys);
        check.at_least("for_ms", self.for_ms, 1);
        if !(self.set.is_null() || self.set.is_object()) {
            check.error(
                "set",
                "must be a map of what changes, such as { success_rate: 0 }",
            );
        }
        for fixed in ["seed", "schedule"] {
            if self.set.get(fixed).is_some() {
                check.error(
                    &format!("set.{fixed}"),
                    "cannot change while a schedule runs",
                );
            }
        }
        if let Some(repeat) = self.repeat {
            check.at_least("repeat.times", repeat.times, 1);
            if repeat.every_ms < self.for_ms {
                check.error(
                    "repeat.every_ms",
                    format!("is shorter than for_ms ({})", self.for_ms),
                );
            }
        }
        let mut check = check.at("ramps");
        for (index, ramp) in self.ramps.iter().enumerate() {
            let mut check = check.index(index);
            if ramp.parameter.is_empty() || ramp.parameter.split('.').count() > 16 {
                check.error(
                    "parameter",
                    "must name a number, such as latency.uniform.max_ms",
                );
            }
            for fixed in ["seed", "schedule"] {
                if ramp.parameter.split(['.', '[']).next() == Some(fixed) {
                    check.error(
                        "parameter",
                        format!("{fixed} cannot change while a schedule runs"),
                    );
                }
            }
            if !(ramp.from.is_finite() && ramp.to.is_finite()) {
                check.error("from", "from and to must be finite numbers");
            }
        }
    }
}

fn all_keys() -> f64 {
    1.0
}
