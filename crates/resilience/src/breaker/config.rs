//! When a breaker trips, how long it stays open and how it recovers.

use std::time::Duration;

use live_config::{Check, ConfigError};
use serde::{Deserialize, Serialize};

use super::Outcome;

/// Settings of one breaker. The defaults are those of the orchestrator's contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// False: the breaker counts nothing and never opens; only an operator opens it.
    pub enabled: bool,
    /// The calls that the rates are taken over.
    pub window: Window,
    /// The number of calls in the window before rates are evaluated.
    pub minimum_calls: u32,
    /// The breaker opens when this share of the window's calls failed, above 0 to 1.
    pub failure_rate: f64,
    /// A call that takes longer than this is slow, whatever its result. 0: no call is slow by its duration.
    pub slow_call_ms: u64,
    /// A call that the request's deadline cuts off after more than this time is slow, but not a failure.
    /// Absent: nine tenths of `sync_sla_ms`, nearly the whole time of a request. 0: never.
    pub slow_cut_off_ms: Option<u64>,
    /// The breaker opens when this share of the window's calls was slow, above 0 to 1.
    pub slow_call_rate: f64,
    /// The breaker opens after this many consecutive failures. 0: never for that reason.
    pub consecutive_failures: u32,
    /// How long it stays open the first time.
    pub open_ms: u64,
    /// The wait doubles with each failed recovery, up to this.
    pub max_open_ms: u64,
    /// The wait is lengthened by a random share of itself, up to this, 0 to 1.
    pub jitter: f64,
    /// Trial calls that decide about recovery.
    pub half_open_calls: u32,
    /// Trials that have not decided by then re-open it.
    pub half_open_max_ms: u64,
}

/// The calls that rates are taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Window {
    /// The last N calls.
    Count {
        /// Calls that count.
        calls: u32,
    },
    /// The calls of the last N milliseconds, in ten buckets.
    Time {
        /// Time that counts.
        ms: u64,
    },
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            window: Window::Count { calls: 100 },
            minimum_calls: 20,
            failure_rate: 0.5,
            slow_call_ms: 0,
            slow_cut_off_ms: None,
            slow_call_rate: 0.5,
            consecutive_failures: 5,
            open_ms: 60_000,
            max_open_ms: 300_000,
            jitter: 0.1,
            half_open_calls: 3,
            half_open_max_ms: 30_000,
        }
    }
}

impl Config {
    /// Whether a call with this outcome after `elapsed` was slow.
    pub(super) fn is_slow(&self, outcome: Outcome, elapsed: Duration) -> bool {
        let cut_off_ms = match outcome {
            Outcome::CutOff => self.slow_cut_off_ms.unwrap_or(0),
            _ => 0,
        };
        [self.slow_call_ms, cut_off_ms]
            .into_iter()
            .any(|ms| ms > 0 && elapsed > Duration::from_millis(ms))
    }
}

/// More calls than this in a count window would only cost memory.
const MAX_WINDOW_CALLS: u32 = 100_000;

impl Config {
    /// Adds an error for every invalid value.
    pub fn validate(&self, faults: &mut Vec<ConfigError>) {
        let mut check = Check::new(faults);
        check.share_above_0("failure_rate", self.failure_rate);
        check.share_above_0("slow_call_rate", self.slow_call_rate);
        check.share("jitter", self.jitter);
        check.at_least("minimum_calls", self.minimum_calls, 1);
        check.at_least("half_open_calls", self.half_open_calls, 1);
        check.at_least("open_ms", self.open_ms, 1);
        check.at_least("half_open_max_ms", self.half_open_max_ms, 1);
        if self.max_open_ms < self.open_ms {
            let hint = format!("{} is below open_ms ({})", self.max_open_ms, self.open_ms);
            check.error("max_open_ms", hint);
        }
        match self.window {
            Window::Count { calls } => {
                check.between("window.count.calls", calls, 1, MAX_WINDOW_CALLS);
                if (1..self.minimum_calls).contains(&calls) {
                    let hint = format!("the window holds {calls} calls and can never reach this");
                    check.error("minimum_calls", hint);
                }
            }
            Window::Time { ms } => check.at_least("window.time.ms", ms, 10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, paths: &[&str]) {
        let config: Config = serde_json::from_str(json).expect("the test's JSON is a config");
        let mut faults = Vec::new();
        config.validate(&mut faults);
        let found: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(found, paths, "{faults:?}");
    }

    #[test]
    fn the_defaults_are_valid() {
        check("{}", &[]);
    }

    #[test]
    fn every_bad_value_is_reported_at_once() {
        check(
            r#"{"failure_rate": 0, "jitter": 2, "open_ms": 0, "window": {"time": {"ms": 1}}}"#,
            &["failure_rate", "jitter", "open_ms", "window.time.ms"],
        );
    }

    #[test]
    fn a_minimum_that_the_window_cannot_hold_is_a_fault() {
        check(
            r#"{"window": {"count": {"calls": 10}}, "minimum_calls": 11}"#,
            &["minimum_calls"],
        );
    }

    #[test]
    fn an_unknown_field_is_an_error() {
        let error = serde_json::from_str::<Config>(r#"{"open_s": 1}"#).expect_err("unknown");
        assert!(error.to_string().contains("open_s"), "{error}");
    }
}
