//! Three-valued decisions about single figures.

use analysis::Interval;
use analysis::distribution::student_t_quantile;
use analysis::effective_size::Mean;
use analysis::order_interval::{rank_interval, smallest_sample};
use analysis::proportion::Count;
use analysis::threshold::{self, Limit, Needs, Side, ThresholdOutcome};
use report::record::{Latency, Standing};

use super::expression::Bound;

/// The confidence of every interval here.
pub(super) const CONFIDENCE: f64 = 0.95;

/// The decision about one figure and one bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Decision {
    pub standing: Standing,
    pub measured: Option<f64>,
    /// Both ends, where the sample bounds both.
    pub interval: Option<[f64; 2]>,
    /// Requests, or values of whatever is judged.
    pub needs_more: Option<u64>,
    /// For decisions by the sample alone: whether the whole interval leads to the same decision.
    pub proved: Option<bool>,
}

impl Decision {
    pub const NO_DATA: Self = Self {
        standing: Standing::NoData,
        measured: None,
        interval: None,
        needs_more: None,
        proved: None,
    };

    /// A figure without uncertainty: a count, or a requirement on the sample alone.
    pub fn plain(measured: Option<f64>, bound: Bound) -> Self {
        let Some(value) = measured.filter(|value| value.is_finite()) else {
            return Self::NO_DATA;
        };
        Self {
            standing: if bound.is_kept_by(value) {
                Standing::Held
            } else {
                Standing::Crossed
            },
            measured: Some(value),
            ..Self::NO_DATA
        }
    }

    /// A figure with a known interval.
    pub fn within(measured: f64, interval: &Interval, bound: Bound) -> Self {
        let Bound::Limit(limit) = bound else {
            return Self {
                interval: finite(interval),
                ..Self::plain(Some(measured), bound)
            };
        };
        if !measured.is_finite() {
            return Self::NO_DATA;
        }
        Self {
            standing: standing(limit.judge(interval)),
            measured: Some(measured),
            interval: finite(interval),
            ..Self::NO_DATA
        }
    }

    /// A share of independent trials, by its exact interval (Clopper and Pearson 1934). A sample can never
    /// prove a bound of 0 or 1, so such a bound is decided by the sample alone.
    pub fn share(hits: u64, trials: u64, bound: Bound) -> Self {
        if trials == 0 {
            return Self::NO_DATA;
        }
        let measured = hits as f64 / trials as f64;
        let limit = match bound {
            Bound::Limit(limit) if limit.value > 0.0 && limit.value < 1.0 => limit,
            _ => return Self::plain(Some(measured), bound),
        };
        match threshold::proportion(hits.min(trials), trials, limit, CONFIDENCE) {
            Ok(verdict) => Self {
                standing: standing(verdict.answer),
                measured: Some(measured),
                interval: finite(&verdict.interval),
                needs_more: more(verdict.needs),
                proved: None,
            },
            Err(_) => Self::NO_DATA,
        }
    }

    /// A percentile of `count` values, by its order-statistic interval (David and Nagaraja 7.1): the
    /// recorded one, or a wider one from the percentiles that are known.
    pub fn percentile(known: &Quantiles, key: &str, share: f64, bound: Bound) -> Self {
        let (Some(value), true) = (known.at(share), known.count > 0) else {
            return Self::NO_DATA;
        };
        let Bound::Limit(limit) = bound else {
            return Self::plain(Some(value), bound);
        };
        // The maximum describes the sample only: nothing bounds future values.
        if share >= 1.0 {
            return Self::plain(Some(value), bound);
        }
        let interval = known.interval(key, share);
        let mut decision = Self::within(value, &interval, bound);
        if decision.standing == Standing::Inconclusive {
            decision.needs_more = known.needs(share, limit);
        }
        decision
    }

    /// A mean of independent values from its moments, by Student's t.
    pub fn mean(mean: f64, deviation: f64, count: u64, bound: Bound) -> Self {
        if count == 0 {
            return Self::NO_DATA;
        }
        let Bound::Limit(limit) = bound else {
            return Self::plain(Some(mean), bound);
        };
        let n = count as f64;
        let error = if count == 1 {
            f64::INFINITY
        } else {
            deviation / n.sqrt()
        };
        let half_width = if count == 1 {
            f64::INFINITY
        } else {
            student_t_quantile(1.0 - (1.0 - CONFIDENCE) / 2.0, n - 1.0) * error
        };
        let estimate = Mean {
            mean,
            standard_error: error,
            interval: Interval::around(mean, half_width, CONFIDENCE),
            effective_size: n,
            batches: 1,
        };
        Self::estimate(&estimate, count, limit)
    }

    /// A mean with its interval, of `count` values.
    pub fn estimate(estimate: &Mean, count: u64, limit: Limit) -> Self {
        let mut decision = Self::within(estimate.mean, &estimate.interval, Bound::Limit(limit));
        if decision.standing == Standing::Inconclusive && estimate.standard_error.is_finite() {
            decision.needs_more = more(threshold::mean(estimate, count, limit).needs);
        }
        decision
    }
}

/// Known points of a distribution.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Quantiles {
    pub count: u64,
    /// (share, value), ascending.
    points: Vec<(f64, f64)>,
    /// Recorded intervals by key.
    recorded: Vec<(String, [f64; 2])>,
}

impl Quantiles {
    pub fn new(count: u64, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut points: Vec<(f64, f64)> = points
            .into_iter()
            .filter(|(_, value)| value.is_finite())
            .collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self {
            count,
            points,
            recorded: Vec::new(),
        }
    }

    /// Adds intervals by key, which are narrower than those that the points enclose.
    pub fn with_intervals(
        mut self,
        recorded: impl IntoIterator<Item = (String, [f64; 2])>,
    ) -> Self {
        self.recorded = recorded.into_iter().collect();
        self
    }

    pub fn of(latency: &Latency, count: u64) -> Self {
        let points = report::record::PERCENTILES
            .iter()
            .filter_map(|(key, share)| Some((*share, *latency.percentiles.get(*key)?)));
        let ends = [(0.0, latency.min), (1.0, latency.max)];
        let recorded = latency.intervals.iter();
        Self::new(count, points.chain(ends))
            .with_intervals(recorded.map(|(key, ends)| (key.clone(), *ends)))
    }

    /// The value at exactly this share, if it is known.
    pub fn at(&self, share: f64) -> Option<f64> {
        let point = self.points.iter().rev();
        let mut found = point.filter(|(at, _)| (at - share).abs() < 1e-9);
        found.next().map(|(_, value)| *value)
    }

    /// The recorded interval, otherwise the narrowest one enclosed by the known points; open-ended if they
    /// do not enclose one.
    fn interval(&self, key: &str, share: f64) -> Interval {
        if let Some((_, [lower, upper])) = self.recorded.iter().find(|(known, _)| known == key) {
            return Interval {
                lower: *lower,
                upper: *upper,
                confidence: CONFIDENCE,
            };
        }
        let Ok(ranks) = rank_interval(self.count, share, CONFIDENCE) else {
            return Interval::unbounded(CONFIDENCE);
        };
        // By the rank method the value at a share is that of rank ⌈share · n⌉, the smallest's rank is 1.
        let rank = |at: f64| ((at * self.count as f64 - 1e-9).ceil() as u64).max(1);
        let below = |limit: u64| {
            let mut points = self.points.iter().rev();
            points.find(|(at, _)| rank(*at) <= limit)
        };
        let above = |limit: u64| self.points.iter().find(|(at, _)| rank(*at) >= limit);
        Interval {
            lower: ranks
                .lower
                .and_then(below)
                .map_or(f64::NEG_INFINITY, |p| p.1),
            upper: ranks.upper.and_then(above).map_or(f64::INFINITY, |p| p.1),
            confidence: CONFIDENCE,
        }
    }

    /// The number of further values that a decision needs, at the share below the limit that the known
    /// points suggest.
    fn needs(&self, share: f64, limit: Limit) -> Option<u64> {
        let below = (self.share_below(limit.value)? * self.count as f64).round() as u64;
        let judged = threshold::quantile_counts(
            Count::new(below.min(self.count), self.count),
            self.count as f64,
            share,
            limit,
            CONFIDENCE,
        );
        match judged {
            Ok((ThresholdOutcome::Inconclusive, needs)) => more(needs),
            _ => {
                let least = smallest_sample(share, CONFIDENCE).ok()?;
                Some(least.saturating_sub(self.count)).filter(|more| *more > 0)
            }
        }
    }

    /// Values below the limit / all values, interpolated between the known points.
    pub fn share_below(&self, limit: f64) -> Option<f64> {
        let (first, last) = (self.points.first()?, self.points.last()?);
        if limit <= first.1 {
            return Some(0.0);
        }
        if limit > last.1 {
            return Some(1.0);
        }
        self.points.windows(2).find_map(|pair| {
            let ((from, low), (to, high)) = (pair[0], pair[1]);
            let inside = low < limit && limit <= high;
            inside.then(|| from + (to - from) * (limit - low) / (high - low))
        })
    }
}

fn standing(answer: ThresholdOutcome) -> Standing {
    match answer {
        ThresholdOutcome::Pass => Standing::Held,
        ThresholdOutcome::Fail => Standing::Crossed,
        ThresholdOutcome::Inconclusive => Standing::Inconclusive,
    }
}

fn more(needs: Needs) -> Option<u64> {
    match needs {
        Needs::Values { more, .. } => Some(more),
        Needs::Nothing | Needs::OnTheLimit => None,
    }
}

fn finite(interval: &Interval) -> Option<[f64; 2]> {
    interval
        .is_bounded()
        .then_some([interval.lower, interval.upper])
}

/// The limit on the good side of a figure.
pub(super) fn limit(rises: bool, value: f64) -> Limit {
    let side = if rises { Side::AtLeast } else { Side::Below };
    Limit { side, value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(value: f64) -> Bound {
        Bound::Limit(Limit::below(value))
    }

    /// N-01: 99 of 100 values below the bound prove nothing about the 99th percentile.
    #[test]
    fn a_hundred_values_do_not_decide_a_99th_percentile() {
        let points = [(0.0, 1.0), (0.5, 50.0), (0.99, 99.0), (1.0, 100.0)];
        let decision =
            Decision::percentile(&Quantiles::new(100, points), "p99", 0.99, below(200.0));
        assert_eq!(decision.standing, Standing::Inconclusive);
        assert_eq!(decision.needs_more, Some(268), "368 altogether");
        let decision =
            Decision::percentile(&Quantiles::new(400, points), "p99", 0.99, below(200.0));
        assert_eq!(decision.standing, Standing::Held);
        assert_eq!(decision.interval, Some([50.0, 100.0]));
        let decision =
            Decision::percentile(&Quantiles::new(4000, points), "p99", 0.99, below(50.0));
        assert_eq!(decision.standing, Standing::Crossed);
    }

    #[test]
    fn a_recorded_interval_is_used() {
        let latency = Latency {
            max: 900.0,
            percentiles: [("p95".to_owned(), 480.0)].into(),
            intervals: [("p95".to_owned(), [470.0, 495.0])].into(),
            ..Latency::default()
        };
        let known = Quantiles::of(&latency, 1000);
        let standing = |bound| Decision::percentile(&known, "p95", 0.95, below(bound)).standing;
        assert_eq!(standing(500.0), Standing::Held);
        assert_eq!(standing(495.0), Standing::Inconclusive);
        assert_eq!(standing(470.0), Standing::Crossed);
    }

    #[test]
    fn shares_are_decided_by_their_exact_interval() {
        let check = |hits, trials, bound, expected| {
            let decision = Decision::share(hits, trials, bound);
            assert_eq!(decision.standing, expected, "{hits} of {trials} {bound:?}");
        };
        check(0, 100, below(0.05), Standing::Held);
        check(0, 50, below(0.05), Standing::Inconclusive);
        check(20, 100, below(0.05), Standing::Crossed);
        check(0, 0, below(0.05), Standing::NoData);
        check(0, 3, Bound::Equal(0.0), Standing::Held);
        check(3, 3, Bound::Limit(Limit::at_least(1.0)), Standing::Held);
        check(2, 3, Bound::Limit(Limit::at_least(1.0)), Standing::Crossed);
    }

    #[test]
    fn one_value_has_no_mean_and_many_have() {
        let standing = |count| Decision::mean(10.0, 5.0, count, below(12.0)).standing;
        assert_eq!(standing(0), Standing::NoData);
        assert_eq!(standing(1), Standing::Inconclusive);
        assert_eq!(standing(10), Standing::Inconclusive);
        assert_eq!(standing(1000), Standing::Held);
        assert_eq!(
            Decision::mean(10.0, 5.0, 1000, below(9.0)).standing,
            Standing::Crossed
        );
    }
}
