//! Durations under a time scale, and their minimum.

use std::time::Duration;

/// The minimum length of a phase, whatever the time scale.
pub(crate) const SHORTEST: Duration = Duration::from_secs(1);

/// The time scale of a test.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub factor: f64,
    /// The maximum length of an iteration of the test's users, including their waits. Users and their waits are never
    /// scaled, so a level that is held for less time shows only a part of an iteration.
    iteration: Duration,
}

impl Scale {
    /// For users that wait up to `longest_wait`; zero for arrivals, which do not wait.
    pub fn new(factor: f64, longest_wait: Duration) -> Self {
        Self {
            factor,
            iteration: longest_wait + SHORTEST,
        }
    }

    /// Scales without a minimum.
    pub fn exactly(self, whole: Duration) -> Duration {
        whole.mul_f64(self.factor)
    }

    /// Scales; a duration above 0 becomes at least a second.
    pub fn any(self, whole: Duration) -> Duration {
        scaled(whole, self.factor)
    }

    /// Scales the time of a held level, to at least one iteration.
    pub fn held(self, whole: Duration) -> Duration {
        self.any(whole).max(self.least(whole))
    }

    /// The minimum time of a held level; never more than its unscaled time.
    pub fn least(self, whole: Duration) -> Duration {
        self.iteration.min(whole)
    }

    /// Scales the time of a held level together with the ramp to it, whose scaled length is `ramp`.
    pub fn with_ramp(self, whole: Duration, ramp: Duration) -> Duration {
        self.any(whole).max((ramp + self.iteration).min(whole))
    }
}

/// Scales a duration; one above 0 becomes at least a second.
pub(crate) fn scaled(whole: Duration, time_scale: f64) -> Duration {
    match whole {
        Duration::ZERO => Duration::ZERO,
        whole => whole.mul_f64(time_scale).max(SHORTEST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_held_for_an_iteration_and_never_longer_than_it_was_written() {
        let seconds = Duration::from_secs;
        let scale = Scale::new(0.02, seconds(6));
        assert_eq!(scale.any(seconds(55)), Duration::from_millis(1100));
        assert_eq!(scale.any(seconds(10)), SHORTEST);
        assert_eq!(scale.any(Duration::ZERO), Duration::ZERO);
        assert_eq!(scale.held(seconds(55)), seconds(7));
        assert_eq!(scale.held(seconds(600)), seconds(12));
        assert_eq!(scale.held(seconds(5)), seconds(5));
        assert_eq!(scale.with_ramp(seconds(60), seconds(2)), seconds(9));
        assert_eq!(scale.with_ramp(seconds(8), seconds(2)), seconds(8));
        let whole = Scale::new(1.0, seconds(6));
        assert_eq!(whole.held(seconds(3)), seconds(3));
        assert_eq!(whole.with_ramp(seconds(3), seconds(2)), seconds(3));
    }
}
