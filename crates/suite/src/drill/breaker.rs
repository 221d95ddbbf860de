//! The states of breakers.

use std::fmt;

use serde::Serialize;

/// The state of a detector's breaker, as the orchestrator's metrics name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    Closed,
    Open,
    HalfOpen,
    /// A state that this version does not know; it is recorded as it was read.
    #[serde(untagged)]
    Other(String),
}

impl From<&str> for BreakerState {
    fn from(label: &str) -> Self {
        match label {
            "closed" => Self::Closed,
            "open" => Self::Open,
            "half_open" => Self::HalfOpen,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for BreakerState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::Other(other) => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_state_is_recorded_as_its_label() {
        for label in ["closed", "open", "half_open", "isolated"] {
            let state = BreakerState::from(label);
            assert_eq!(state.to_string(), label);
            assert_eq!(json!(state), json!(label));
        }
    }
}
