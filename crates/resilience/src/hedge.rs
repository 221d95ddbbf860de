//! A second call when the first takes unusually long; the first answer wins.

use std::time::{Duration, Instant};

use live_config::{Check, ConfigError};
use serde::{Deserialize, Serialize};

use crate::latency::Latency;

/// When a call is hedged. Off by default, because it doubles calls: the callee has to tolerate that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether second attempts start before the first has failed.
    pub enabled: bool,
    /// The second call starts when the first has taken longer than this quantile of successful calls,
    /// above 0 to below 1.
    pub quantile: f64,
    /// The minimum delay of the second call.
    pub floor_ms: u64,
    /// The number of successful calls that are needed before hedging.
    pub minimum_calls: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: false,
            quantile: 0.95,
            floor_ms: 1,
            minimum_calls: 100,
        }
    }
}

impl Config {
    /// Adds an error for every invalid value.
    pub fn validate(&self, faults: &mut Vec<ConfigError>) {
        Check::new(faults).inner_share("quantile", self.quantile);
    }

    /// How long to wait for the first call alone; `None`: no second one.
    pub fn delay(&self, latency: &mut Latency, now: Instant) -> Option<Duration> {
        if !self.enabled {
            return None;
        }
        let usual = latency.quantile(now, self.quantile, self.minimum_calls)?;
        Some(usual.max(Duration::from_millis(self.floor_ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_hedged_unless_wanted_and_known() {
        let now = Instant::now();
        let mut latency = Latency::new(Duration::from_secs(60), now);
        let on = Config {
            enabled: true,
            minimum_calls: 2,
            ..Config::default()
        };
        latency.record(now, Duration::from_millis(10));
        assert_eq!(on.delay(&mut latency, now), None);
        latency.record(now, Duration::from_millis(10));
        let delay = on.delay(&mut latency, now).expect("two calls were seen");
        assert!((9..=11).contains(&delay.as_millis()), "{delay:?}");
        let floored = Config { floor_ms: 50, ..on };
        assert_eq!(
            floored.delay(&mut latency, now),
            Some(Duration::from_millis(50))
        );
        assert_eq!(Config::default().delay(&mut latency, now), None);
    }
}
