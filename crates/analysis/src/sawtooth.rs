//! The floors of a sawtooth: the remaining value after each garbage collection.
//!
//! Memory under a garbage collector rises and drops. A slope fitted to all values depends on where the run
//! ended within the last tooth; the value after each collection does not.

use crate::outlier::median_absolute_deviation;
use crate::sorted::Sorted;

/// A drop is at least this many robust standard deviations below the usual step.
const STANDS_OUT: f64 = 8.0;
/// Turns a median absolute deviation into a standard deviation.
const NORMAL_CONSISTENCY: f64 = 1.4826;

/// The lowest point of each tooth, as (time, value), without the first tooth, whose beginning is unknown.
/// Empty if the series never drops.
///
/// A drop is a step down far outside the usual steps which the next value does not take back.
pub fn floors(times: &[f64], values: &[f64]) -> Vec<(f64, f64)> {
    let drops = drops(values);
    let ends = drops.iter().skip(1).copied().chain([values.len()]);
    drops
        .iter()
        .zip(ends)
        .filter_map(|(start, end)| {
            (*start..end)
                .min_by(|a, b| values[*a].total_cmp(&values[*b]))
                .map(|lowest| (times[lowest], values[lowest]))
        })
        .collect()
}

/// The indices of the first value after each drop.
fn drops(values: &[f64]) -> Vec<usize> {
    let steps: Vec<f64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let (Ok(sorted), Ok(deviation)) = (Sorted::new(&steps), median_absolute_deviation(&steps))
    else {
        return Vec::new();
    };
    let reach = STANDS_OUT * NORMAL_CONSISTENCY * deviation;
    let limit = (sorted.median() - reach).min(0.0);
    (1..values.len())
        .filter(|i| {
            let step = values[*i] - values[i - 1];
            let stays = values
                .get(i + 1)
                .is_none_or(|next| *next < values[i - 1] + step / 2.0);
            step < limit && stays
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floors_are_the_values_after_each_collection() {
        let times: Vec<f64> = (0..40).map(f64::from).collect();
        let values: Vec<f64> = (0..40).map(|i| 100.0 + f64::from(i % 10) * 5.0).collect();
        let found = floors(&times, &values);
        assert_eq!(found, [(10.0, 100.0), (20.0, 100.0), (30.0, 100.0)]);
    }

    #[test]
    fn a_single_low_value_is_not_a_tooth() {
        let times: Vec<f64> = (0..20).map(f64::from).collect();
        let mut values: Vec<f64> = (0..20).map(f64::from).collect();
        values[10] = -500.0;
        assert_eq!(floors(&times, &values), []);
    }

    #[test]
    fn a_rising_series_has_no_floors() {
        let times: Vec<f64> = (0..20).map(f64::from).collect();
        assert_eq!(floors(&times, &times), []);
    }
}
