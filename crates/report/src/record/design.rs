//! The design of a test: how load is generated, the form of the load, and the kinds of its phases.
//!
//! A value of another version is read as `Unknown`, so that its record is still readable.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether users wait for responses, or requests arrive at a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoadModel {
    /// Users wait for a response before they continue.
    Closed,
    /// Requests arrive at a rate, whether or not earlier ones were answered.
    Open,
    /// A number of iterations.
    Samples,
    /// Not recorded, or a value of another version.
    #[default]
    #[serde(rename = "", other)]
    Unknown,
}

/// The form of a test's load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TestContent {
    /// Ramps and steady phases.
    Phases,
    /// Rising steps.
    Ladder,
    /// Levels that are chosen while it runs.
    Search,
    /// A number of iterations.
    Samples,
    /// Drills: faults of mock detectors.
    Drills,
    /// Not recorded, or a value of another version.
    #[default]
    #[serde(rename = "", other)]
    Unknown,
}

/// The kind of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PhaseKind {
    WarmUp,
    Ramp,
    Steady,
    RampDown,
    Rest,
    /// Not recorded, as on the live page, or a value of another version.
    #[default]
    #[serde(rename = "", other)]
    Unknown,
}

impl LoadModel {
    /// The value in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::Samples => "samples",
            Self::Unknown => "",
        }
    }
}

impl TestContent {
    /// The value in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Phases => "phases",
            Self::Ladder => "ladder",
            Self::Search => "search",
            Self::Samples => "samples",
            Self::Drills => "drills",
            Self::Unknown => "",
        }
    }
}

impl PhaseKind {
    /// The value in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WarmUp => "warm_up",
            Self::Ramp => "ramp",
            Self::Steady => "steady",
            Self::RampDown => "ramp_down",
            Self::Rest => "rest",
            Self::Unknown => "",
        }
    }
}

impl fmt::Display for LoadModel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl fmt::Display for TestContent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{from_value, json};

    use super::*;

    fn check<T>(values: &[T], name: fn(T) -> &'static str)
    where
        T: Copy + fmt::Debug + PartialEq + Default + Serialize + DeserializeOwned,
    {
        for value in values {
            assert_eq!(json!(value), json!(name(*value)));
            assert_eq!(from_value::<T>(json!(value)).expect("known"), *value);
        }
        assert_eq!(
            from_value::<T>(json!("of 2030")).expect("any text"),
            T::default()
        );
    }

    #[test]
    fn the_name_is_the_value_in_json_and_another_text_is_unknown() {
        let models = [
            LoadModel::Closed,
            LoadModel::Open,
            LoadModel::Samples,
            LoadModel::Unknown,
        ];
        check(&models, LoadModel::name);
        let contents = [
            TestContent::Phases,
            TestContent::Ladder,
            TestContent::Search,
            TestContent::Samples,
            TestContent::Drills,
            TestContent::Unknown,
        ];
        check(&contents, TestContent::name);
        let kinds = [
            PhaseKind::WarmUp,
            PhaseKind::Ramp,
            PhaseKind::Steady,
            PhaseKind::RampDown,
            PhaseKind::Rest,
            PhaseKind::Unknown,
        ];
        check(&kinds, PhaseKind::name);
    }
}
