//! Detection of outliers among the runners.

use analysis::order_interval::rank_interval;
use analysis::proportion::proportion_interval;
use hdrhistogram::Histogram;

/// Permitted difference between runners, as a factor and in microseconds, independent of the number of requests.
const FACTOR: f64 = 1.2;
const LEAST_MICROS: f64 = 1000.0;
const CONFIDENCE: f64 = 0.95;
/// Permitted difference of error rates.
const LEAST_RATE: f64 = 0.01;

/// The measurements of one runner.
#[derive(Debug, Clone, Copy)]
pub struct Measured<'a> {
    pub latencies: &'a Histogram<u64>,
    pub failures: u64,
}

/// For each runner the reason why it is an outlier, if it is one: a percentile whose interval is a fifth away from the
/// runners' median, or errors that the others do not have. If two runners differ, both are outliers.
pub fn odd(runners: &[Measured<'_>]) -> Vec<Vec<String>> {
    let mut reasons: Vec<Vec<String>> = vec![Vec::new(); runners.len()];
    if runners.len() < 2 {
        return reasons;
    }
    for (name, quantile) in [("p50", 0.5), ("p95", 0.95)] {
        let intervals: Vec<Option<[f64; 2]>> = runners
            .iter()
            .map(|runner| interval(runner.latencies, quantile))
            .collect();
        // The median has the uncertainty of the runners that it is computed from.
        let ends = |end: usize| median(intervals.iter().flatten().map(|ends| ends[end]).collect());
        let Some((lowest, highest)) = ends(0).zip(ends(1)) else {
            continue;
        };
        for (found, reasons) in intervals.iter().zip(&mut reasons) {
            let Some([low, high]) = *found else {
                continue;
            };
            let is_slow = low > highest * FACTOR && low - highest > LEAST_MICROS;
            let is_fast = high * FACTOR < lowest && lowest - high > LEAST_MICROS;
            if is_slow || is_fast {
                let ms = |micros: f64| format!("{:.1}", micros / 1e3);
                reasons.push(format!(
                    "its {name} lies between {} and {} ms (95 % interval), the median of the runners between {} and {} ms",
                    ms(low),
                    ms(high),
                    ms(lowest),
                    ms(highest)
                ));
            }
        }
    }
    let rate = |runner: &Measured<'_>| {
        let requests = runner.latencies.len();
        (requests > 0).then(|| runner.failures as f64 / requests as f64)
    };
    let rates: Vec<f64> = runners.iter().filter_map(rate).collect();
    let Some(median) = median(rates) else {
        return reasons;
    };
    for (runner, reasons) in runners.iter().zip(&mut reasons) {
        let requests = runner.latencies.len();
        let failures = runner.failures.min(requests);
        // The lower end, because a few more failures are chance.
        let interval = proportion_interval(failures, requests, CONFIDENCE);
        if interval.is_ok_and(|interval| interval.lower - median > LEAST_RATE) {
            reasons.push(format!(
                "{:.1} % of its requests failed; the median of the runners is {:.1} %",
                100.0 * failures as f64 / requests as f64,
                100.0 * median
            ));
        }
    }
    reasons
}

fn value(histogram: &Histogram<u64>, quantile: f64) -> Option<f64> {
    interval_log::percentile(histogram, quantile).map(|micros| micros as f64)
}

/// The order-statistic interval of a percentile, in microseconds; `None` where there are too few values.
fn interval(histogram: &Histogram<u64>, quantile: f64) -> Option<[f64; 2]> {
    let count = histogram.len();
    let ranks = rank_interval(count, quantile, CONFIDENCE).ok()?;
    let (lower, upper) = ranks.lower.zip(ranks.upper)?;
    let at = |rank: u64| value(histogram, rank as f64 / count as f64);
    Some([at(lower)?, at(upper)?])
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests around a latency, spread by a tenth.
    fn around(millis: u64, requests: u64) -> Histogram<u64> {
        let mut histogram = interval_log::histogram();
        for number in 0..requests {
            let micros = millis * 1000 * (950 + number % 100) / 1000;
            histogram.record(micros).expect("within the bounds");
        }
        histogram
    }

    fn check(millis: &[u64], requests: u64, failures: &[u64], expected: &[bool]) {
        let all: Vec<Histogram<u64>> = millis
            .iter()
            .map(|millis| around(*millis, requests))
            .collect();
        let measured: Vec<Measured<'_>> = all
            .iter()
            .zip(failures)
            .map(|(latencies, failures)| Measured {
                latencies,
                failures: *failures,
            })
            .collect();
        let found: Vec<bool> = odd(&measured)
            .iter()
            .map(|reasons| !reasons.is_empty())
            .collect();
        assert_eq!(found, expected, "{millis:?} {requests} {failures:?}");
    }

    #[test]
    fn the_slow_one_of_three_is_odd_and_only_that_one() {
        check(&[10, 10, 60], 500, &[0, 0, 0], &[false, false, true]);
        check(&[10, 11, 10], 500, &[0, 0, 0], &[false, false, false]);
        check(&[100, 10, 100], 500, &[0, 0, 0], &[false, true, false]);
    }

    #[test]
    fn a_handful_of_requests_decides_nothing() {
        check(&[10, 10, 60], 4, &[0, 0, 0], &[false, false, false]);
        check(&[10], 500, &[0], &[false]);
    }

    #[test]
    fn of_two_that_differ_both_are_odd() {
        check(&[10, 60], 500, &[0, 0], &[true, true]);
    }

    #[test]
    fn errors_that_the_others_do_not_have_are_odd() {
        check(&[10, 10, 10], 500, &[0, 50, 0], &[false, true, false]);
        check(&[10, 10, 10], 80, &[5, 7, 0], &[false, false, false]);
    }
}
