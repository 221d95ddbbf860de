//! Correlated failures.

use live_config::Check;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The correlations of failures.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Correlation {
    /// A cause that this detector shares with others.
    pub group: Option<Group>,
    /// Bursts: a good and a bad state, each with a failure rate, instead of
    /// `success_rate`.
    pub gilbert_elliott: Option<GilbertElliott>,
}

/// A common cause. Two detectors of one group with the same failure rate and `share` fail with
/// the pairwise correlation (phi) `share`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Detectors with the same group name and the same `seed` belong together.
    pub name: String,
    /// Seed of the group's own draws.
    #[serde(default)]
    pub seed: u64,
    /// The share of requests for which the group draws, 0 to 1.
    pub share: f64,
    /// The unit for which the group draws.
    #[serde(default)]
    pub by: Step,
}

/// The unit of one draw.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// One request, by its key or its position in the stream.
    #[default]
    Request,
    /// All requests within this many milliseconds.
    SlotMs(f64),
}

/// The Gilbert–Elliott model. The mean length of a burst is 1 / `bad_to_good` steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GilbertElliott {
    /// Probability per step of leaving the good state.
    pub good_to_bad: f64,
    /// Probability per step of leaving the bad state.
    pub bad_to_good: f64,
    /// Share of requests that fail in the good state.
    #[serde(default)]
    pub failure_rate_good: f64,
    /// Share of requests that fail in the bad state.
    #[serde(default = "always")]
    pub failure_rate_bad: f64,
    /// `request` advances with each request of the stream.
    #[serde(default)]
    pub by: Step,
}

impl Correlation {
    pub(crate) fn check(&self, check: &mut Check<'_>) {
        if let Some(group) = &self.group {
            let mut check = check.at("group");
            if group.name.is_empty() {
                check.error("name", "must not be empty");
            }
            check.share("share", group.share);
            group.by.check(&mut check);
        }
        if let Some(states) = &self.gilbert_elliott {
            let mut check = check.at("gilbert_elliott");
            check.share("good_to_bad", states.good_to_bad);
            check.share("bad_to_good", states.bad_to_good);
            check.share("failure_rate_good", states.failure_rate_good);
            check.share("failure_rate_bad", states.failure_rate_bad);
            if states.good_to_bad + states.bad_to_good < 1e-6 {
                check.error(
                    "bad_to_good",
                    "both chances are (almost) 0: the state never changes",
                );
            }
            states.by.check(&mut check);
        }
    }
}

impl Step {
    fn check(self, check: &mut Check<'_>) {
        if let Self::SlotMs(slot_ms) = self {
            check.between("by.slot_ms", slot_ms, 1.0, 86_400_000.0);
        }
    }
}

fn always() -> f64 {
    1.0
}
