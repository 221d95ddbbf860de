//! Shares of a count: error rates, success rates, availability.

use crate::distribution::beta_quantile;
use crate::input::{self, InputError};
use crate::interval::Interval;

/// Hits among independent trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub hits: u64,
    pub trials: u64,
}

impl Count {
    pub fn new(hits: u64, trials: u64) -> Self {
        Self { hits, trials }
    }

    pub fn share(self) -> f64 {
        self.hits as f64 / self.trials as f64
    }
}

/// The interval of a probability, given `hits` in `trials` independent trials, as a share in 0..=1.
///
/// Source: Clopper and Pearson (1934): exact, never below the confidence; also for no hits at all
/// (0 of 100 is up to 3.6 %).
///
/// # Errors
/// `Empty` without trials, `OutOfRange` for more hits than trials or a confidence outside (0, 1).
pub fn proportion_interval(
    hits: u64,
    trials: u64,
    confidence: f64,
) -> Result<Interval, InputError> {
    if trials == 0 {
        return Err(InputError::Empty { what: "the trials" });
    }
    input::holds(
        "the number of hits",
        hits as f64,
        hits <= trials,
        "at most the number of trials",
    )?;
    input::open_unit("the confidence", confidence)?;
    let tail = (1.0 - confidence) / 2.0;
    let (h, n) = (hits as f64, trials as f64);
    Ok(Interval {
        lower: if hits == 0 {
            0.0
        } else {
            beta_quantile(h, n - h + 1.0, tail)
        },
        upper: if hits == trials {
            1.0
        } else {
            beta_quantile(h + 1.0, n - h, 1.0 - tail)
        },
        confidence,
    })
}

/// The interval of `share of b` minus `share of a`.
///
/// Source: Newcombe, "Interval estimation for the difference between independent proportions"
/// (1998), method 10: two Wilson intervals, joined; holds its confidence at shares near 0 and 1.
///
/// # Errors
/// As [`proportion_interval`].
pub fn proportion_difference(a: Count, b: Count, confidence: f64) -> Result<Interval, InputError> {
    let from = wilson(a, confidence)?;
    let to = wilson(b, confidence)?;
    let (p, q) = (a.share(), b.share());
    let difference = q - p;
    Ok(Interval {
        lower: difference - (q - to.lower).hypot(from.upper - p),
        upper: difference + (to.upper - q).hypot(p - from.lower),
        confidence,
    })
}

/// Wilson's score interval (1927).
fn wilson(count: Count, confidence: f64) -> Result<Interval, InputError> {
    // The same input is valid for both.
    proportion_interval(count.hits, count.trials, confidence)?;
    let z = crate::distribution::normal_quantile(1.0 - (1.0 - confidence) / 2.0);
    let (n, p) = (count.trials as f64, count.share());
    let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    let centre = p + z * z / (2.0 * n);
    Ok(Interval {
        lower: ((centre - spread) / scale).max(0.0),
        upper: ((centre + spread) / scale).min(1.0),
        confidence,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: Interval, lower: f64, upper: f64) {
        assert!(
            (found.lower - lower).abs() < 5e-5 && (found.upper - upper).abs() < 5e-5,
            "{found:?}, not {lower} to {upper}"
        );
    }

    #[test]
    fn no_error_in_a_hundred_is_up_to_three_and_a_half_percent() {
        let found = proportion_interval(0, 100, 0.95).expect("valid input");
        check(found, 0.0, 0.03622);
        let found = proportion_interval(100, 100, 0.95).expect("valid input");
        check(found, 0.96378, 1.0);
    }

    #[test]
    fn ten_of_a_hundred_is_what_clopper_and_pearson_say() {
        // R: binom.test(10, 100)$conf.int
        let found = proportion_interval(10, 100, 0.95).expect("valid input");
        check(found, 0.04900, 0.17622);
    }

    #[test]
    fn the_difference_is_newcombes_example() {
        // Newcombe 1998, table II (a), method 10: 56/70 - 48/80 is 0.0524 to 0.3339.
        let found = proportion_difference(Count::new(48, 80), Count::new(56, 70), 0.95)
            .expect("valid input");
        check(found, 0.0524, 0.3339);
    }

    #[test]
    fn more_hits_than_trials_are_refused() {
        assert!(proportion_interval(2, 1, 0.95).is_err());
        assert!(proportion_interval(0, 0, 0.95).is_err());
    }
}
