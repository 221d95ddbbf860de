//! Detects steps of the wall clock against the monotonic clock: durations come from the latter, times of day
//! from the former.

use std::time::Instant;

/// Reads both clocks repeatedly.
#[derive(Debug, Default)]
pub struct Clocks {
    before: Option<(Instant, f64)>,
}

impl Clocks {
    /// By how many seconds the wall clock has stepped since the last reading, forwards or backwards; `None` at the
    /// order. `wall_s` is its time now, in seconds since 1970.
    pub fn step(&mut self, now: Instant, wall_s: f64) -> Option<f64> {
        let (then, wall_then_s) = self.before.replace((now, wall_s))?;
        let elapsed_s = now.saturating_duration_since(then).as_secs_f64();
        Some(wall_s - wall_then_s - elapsed_s)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_step_is_the_difference_of_wall_and_monotonic_time() {
        let mut clocks = Clocks::default();
        let begin = Instant::now();
        let mut step = |after_s: u64, wall_s: f64| {
            let found = clocks.step(begin + Duration::from_secs(after_s), wall_s);
            found.map(|it| (it * 1e3).round() / 1e3)
        };
        assert_eq!(step(0, 1000.0), None, "nothing to compare with");
        assert_eq!(step(1, 1001.0), Some(0.0));
        assert_eq!(step(2, 998.0), Some(-4.0));
        assert_eq!(step(3, 1059.0), Some(60.0));
    }
}
