//! How a failed call is repeated: backoff with full jitter, and the budget's settings.

use std::time::Duration;

use live_config::{Check, ConfigError};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// Settings of backoff and budget. The caller limits the number of retries of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The maximum wait before the first retry.
    pub base_ms: u64,
    /// The maximum wait before any retry.
    pub cap_ms: u64,
    /// Retries and hedges that each first attempt adds to the budget, 0 to 1.
    pub budget_ratio: f64,
    /// Retries and hedges per second that are always allowed.
    pub budget_floor_per_s: f64,
    /// How long unused allowance is kept.
    pub budget_window_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            base_ms: 25,
            cap_ms: 1_000,
            budget_ratio: 0.2,
            budget_floor_per_s: 1.0,
            budget_window_ms: 10_000,
        }
    }
}

impl Config {
    /// Adds an error for every invalid value.
    pub fn validate(&self, faults: &mut Vec<ConfigError>) {
        let mut check = Check::new(faults);
        if self.cap_ms < self.base_ms {
            let hint = format!("{} is below base_ms ({})", self.cap_ms, self.base_ms);
            check.error("cap_ms", hint);
        }
        check.share("budget_ratio", self.budget_ratio);
        check.between("budget_floor_per_s", self.budget_floor_per_s, 0.0, 1_000.0);
        check.between("budget_window_ms", self.budget_window_ms, 1, 600_000);
    }

    /// The wait before retry number `retry` (counted from 1): uniform between nothing and
    /// `base · 2^(retry − 1)`, at most the cap ("full jitter").
    pub fn backoff(&self, retry: u32, rng: &mut impl Rng) -> Duration {
        let factor = 1_u64
            .checked_shl(retry.saturating_sub(1))
            .unwrap_or(u64::MAX);
        let ceiling_ms = self.base_ms.saturating_mul(factor).min(self.cap_ms);
        Duration::from_secs_f64(rng.random::<f64>() * (ceiling_ms as f64 / 1e3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    #[test]
    fn the_defaults_are_valid() {
        let mut faults = Vec::new();
        Config::default().validate(&mut faults);
        assert_eq!(faults, []);
    }

    #[test]
    fn every_bad_value_is_reported_at_once() {
        let config = Config {
            cap_ms: 1,
            budget_ratio: f64::NAN,
            ..Config::default()
        };
        let mut faults = Vec::new();
        config.validate(&mut faults);
        let paths: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(paths, ["cap_ms", "budget_ratio"]);
    }

    proptest! {
        #[test]
        fn a_wait_never_exceeds_the_doubled_base_nor_the_cap(
            seed: u64, retry in 1_u32..200, base_ms in 0_u64..5_000, more_ms in 0_u64..5_000,
        ) {
            let config = Config { base_ms, cap_ms: base_ms + more_ms, ..Config::default() };
            let wait = config.backoff(retry, &mut SmallRng::seed_from_u64(seed));
            prop_assert!(wait <= Duration::from_millis(config.cap_ms));
            if retry == 1 {
                prop_assert!(wait <= Duration::from_millis(base_ms));
            }
        }
    }

    #[test]
    fn waits_fill_the_whole_range() {
        let config = Config {
            base_ms: 100,
            cap_ms: 100,
            ..Config::default()
        };
        let mut rng = SmallRng::seed_from_u64(7);
        let waits: Vec<_> = (0..1_000).map(|_| config.backoff(1, &mut rng)).collect();
        let mean = waits.iter().sum::<Duration>() / 1_000;
        assert!((45..55).contains(&mean.as_millis()), "mean {mean:?}");
    }
}
