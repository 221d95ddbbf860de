//! Detection of leaks in a long run: memory, descriptors, threads, response times.

use crate::distribution::normal_quantile;
use crate::input::{self, InputError};
use crate::sawtooth;
use crate::trend::{Trend, trend};

/// Minimum number of floors for a trend of their own.
const ENOUGH_FLOORS: usize = 8;

/// The criteria for a long run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    pub confidence: f64,
    /// The probability of detecting a leak of the detectable size.
    pub power: f64,
    /// Growth up to this is not a leak, in the values' unit per unit of time.
    pub harmless_slope: f64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            confidence: 0.95,
            power: 0.95,
            harmless_slope: 0.0,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It grows, and continues to grow in the second half.
    Leak,
    /// It grew, but significantly more slowly in the second half: a warm-up that ends.
    Settling,
    /// No growth above the harmless one was found; see [`Soak::detectable_slope`].
    NoLeak,
    /// It rises and drops, but too rarely to determine the remaining growth.
    TooFewTeeth,
}

/// The judged points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    Values,
    /// The lowest point of each tooth of a sawtooth, and their number.
    Floors(usize),
}

/// A judged series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Soak {
    pub verdict: Verdict,
    pub basis: Basis,
    pub trend: Trend,
    /// Growth of this size would have been detected with the plan's power: "no leak above this".
    pub detectable_slope: f64,
    /// The line's value at the end of the run.
    pub level: f64,
}

/// The time from the end of the run until a limit is reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeToLimit {
    pub expected: f64,
    /// With the upper end of the slope's interval.
    pub earliest: f64,
    /// With the lower end; `None`: never.
    pub latest: Option<f64>,
}

/// Judges values at ascending times, without the warm-up. A sawtooth is reduced to its floors.
///
/// # Errors
/// As [`trend`]; `OutOfRange` for a plan outside its limits.
pub fn soak(times: &[f64], values: &[f64], plan: &Plan) -> Result<Soak, InputError> {
    input::open_unit("the confidence", plan.confidence)?;
    input::open_unit("the power", plan.power)?;
    input::not_negative("the harmless slope", plan.harmless_slope)?;
    let all = trend(times, values, plan.confidence)?;
    let floors = sawtooth::floors(times, values);
    let (floor_times, floor_values): (Vec<f64>, Vec<f64>) = floors.into_iter().unzip();
    let end = times[times.len() - 1];
    let enough = floor_times.len() >= ENOUGH_FLOORS;
    let judged = if enough {
        let trend = trend(&floor_times, &floor_values, plan.confidence)?;
        let verdict = verdict(&floor_times, &floor_values, &trend, plan);
        (verdict, Basis::Floors(floor_times.len()), trend)
    } else if floor_times.is_empty() {
        (verdict(times, values, &all, plan), Basis::Values, all)
    } else {
        (Verdict::TooFewTeeth, Basis::Values, all)
    };
    let (verdict, basis, trend) = judged;
    Ok(Soak {
        verdict,
        basis,
        trend,
        detectable_slope: detectable(&trend, plan),
        level: trend.at(end),
    })
}

impl Soak {
    /// When `limit`, in the values' unit, is reached; `None` without growth. Immediately if the level has
    /// already reached it.
    pub fn time_to_limit(&self, limit: f64) -> Option<TimeToLimit> {
        let room = (limit - self.level).max(0.0);
        (self.trend.slope > 0.0).then(|| TimeToLimit {
            expected: room / self.trend.slope,
            earliest: room / self.trend.interval.upper,
            latest: (self.trend.interval.lower > 0.0).then(|| room / self.trend.interval.lower),
        })
    }
}

fn verdict(times: &[f64], values: &[f64], whole: &Trend, plan: &Plan) -> Verdict {
    let significant = whole.p_value <= 1.0 - plan.confidence;
    if !significant || whole.interval.lower <= plan.harmless_slope {
        return Verdict::NoLeak;
    }
    // The second half is judged only if it is long enough for a trend.
    let half = values.len() / 2;
    match trend(&times[half..], &values[half..], plan.confidence) {
        Ok(second) if second.interval.upper < whole.interval.lower => Verdict::Settling,
        _ => Verdict::Leak,
    }
}

fn detectable(trend: &Trend, plan: &Plan) -> f64 {
    let z = normal_quantile(1.0 - (1.0 - plan.confidence) / 2.0);
    let standard_error = trend.interval.half_width() / z;
    plan.harmless_slope + (z + normal_quantile(plan.power)) * standard_error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(count: u32) -> Vec<f64> {
        (0..count).map(f64::from).collect()
    }

    /// A little noise that repeats, without any trend of its own.
    fn noise(i: usize) -> f64 {
        f64::from((i as u32).wrapping_mul(2_654_435_769) >> 20) / 4096.0 - 0.5
    }

    fn judge(values: &[f64]) -> Soak {
        soak(&minutes(values.len() as u32), values, &Plan::default()).expect("valid input")
    }

    #[test]
    fn a_megabyte_a_minute_is_a_leak_and_its_end_is_foreseen() {
        let values: Vec<f64> = (0..240)
            .map(|i| 500.0 + i as f64 + 4.0 * noise(i))
            .collect();
        let found = judge(&values);
        assert_eq!(found.verdict, Verdict::Leak, "{found:?}");
        assert!((found.trend.slope - 1.0).abs() < 0.1, "{found:?}");
        let time = found.time_to_limit(4096.0).expect("it grows");
        assert!((time.expected - (4096.0 - 739.0)).abs() < 100.0, "{time:?}");
        assert!(time.earliest <= time.expected && time.latest.is_some_and(|t| t >= time.expected));
    }

    #[test]
    fn a_saw_without_a_trend_is_no_leak_and_one_that_climbs_is() {
        let saw = |leak: f64| -> Vec<f64> {
            (0..300)
                .map(|i| 300.0 + 10.0 * (i % 25) as f64 + leak * i as f64 + noise(i))
                .collect()
        };
        let flat = judge(&saw(0.0));
        assert_eq!(flat.verdict, Verdict::NoLeak, "{flat:?}");
        assert_eq!(flat.basis, Basis::Floors(11));
        let climbing = judge(&saw(1.0));
        assert_eq!(climbing.verdict, Verdict::Leak, "{climbing:?}");
        assert!((climbing.trend.slope - 1.0).abs() < 0.1, "{climbing:?}");
    }

    #[test]
    fn two_teeth_are_too_few_for_a_verdict() {
        let values: Vec<f64> = (0..90).map(|i| 10.0 * (i % 40) as f64 + noise(i)).collect();
        assert_eq!(judge(&values).verdict, Verdict::TooFewTeeth);
    }

    #[test]
    fn a_warm_up_that_ends_is_settling() {
        let values: Vec<f64> = (0..200)
            .map(|i| 500.0 * (1.0 - (-(i as f64) / 25.0).exp()) + noise(i))
            .collect();
        assert_eq!(judge(&values).verdict, Verdict::Settling);
    }

    #[test]
    fn nothing_detectable_is_said_with_a_size() {
        let values: Vec<f64> = (0..240).map(|i| 500.0 + 4.0 * noise(i)).collect();
        let found = judge(&values);
        assert_eq!(found.verdict, Verdict::NoLeak, "{found:?}");
        assert!(
            found.detectable_slope > 0.0 && found.detectable_slope < 0.02,
            "{found:?}"
        );
    }
}
