//! k6's thresholds, from k6's summary: a figure of the sample, decided as k6 decides it.
//!
//! k6 passes `p(99)<200` on a single request. The judgement also states whether the sample proves it
//! (`proved`, `needs_more`, T-5), whatever statistics the script prints; the graded tables are
//! three-valued.

use analysis::threshold::Limit;
use report::record::{Standing, TestContent};
use serde_json::Value;

use super::Case;
use super::decide::{Decision, Quantiles};
use super::expression::{self, Bound};
use super::figure::Figure;
use super::verdict::{Question, Sheet, number};
use super::window;

const RULE: &str =
    "k6's threshold, a figure of the sample; the interval shows what it leaves open (N-01)";

pub(super) fn judge(case: &Case<'_>, sheet: &mut Sheet) {
    // The thresholds of a search decide whether a level passes; a drill is judged by itself.
    if [TestContent::Search, TestContent::Drills].contains(&case.test.content) {
        return;
    }
    for (metric, expressions) in &case.test.judge.thresholds {
        for expression in expressions {
            if !by_phase(case, sheet, metric, expression) {
                whole(case, sheet, metric, expression);
            }
        }
    }
}

/// Metrics of HTTP requests can be evaluated per phase if phases are named; others cover the whole test.
fn by_phase(case: &Case<'_>, sheet: &mut Sheet, metric: &str, expression: &str) -> bool {
    if case.test.judge.phases.is_empty() || case.record.phases.is_empty() {
        return false;
    }
    let Some((aggregate, bound)) = expression::split(expression) else {
        return false;
    };
    let figure = match (metric, aggregate) {
        ("http_req_failed", "rate") => Figure::ErrorRate,
        ("http_reqs", "rate") => Figure::Requests,
        ("http_req_duration", "avg") => Figure::Mean,
        ("http_req_duration", "med" | "p(50)") => Figure::Percentile("p50", 0.5),
        ("http_req_duration", "p(90)") => Figure::Percentile("p90", 0.9),
        ("http_req_duration", "p(95)") => Figure::Percentile("p95", 0.95),
        ("http_req_duration", "p(99)") => Figure::Percentile("p99", 0.99),
        _ => return false,
    };
    for window in window::judged(case.test, case.record) {
        let asked = format!("{metric} {expression} {}", window.place());
        let surely = figure.decide(&window, bound);
        let decision = as_sampled(Decision::plain(figure.value(&window), bound), surely);
        let question = Question {
            kind: "threshold",
            name: &format!("{metric}.{aggregate}"),
            phase: window.phase,
            unit: figure.unit(),
            rule: RULE,
        };
        sheet.answer(question, &asked, bound, decision);
    }
    true
}

fn whole(case: &Case<'_>, sheet: &mut Sheet, metric: &str, expression: &str) {
    let found = Metric::find(&case.record.k6_summary, metric);
    let split = expression::split(expression);
    let aggregate = split.map_or(expression, |(aggregate, _)| aggregate);
    let decision = match (&found, split) {
        (Some(found), Some((aggregate, bound))) => found.decide(aggregate, expression, bound),
        _ => Decision::NO_DATA,
    };
    let question = Question {
        kind: "threshold",
        name: &format!("{metric}.{aggregate}"),
        phase: None,
        unit: found.as_ref().map_or("", |found| found.unit(aggregate)),
        rule: RULE,
    };
    let asked = format!("{metric} {expression}");
    sheet.add(
        question,
        &asked,
        split.map(|(_, bound)| bound.value()),
        decision,
    );
}

/// The decision of the sample, with the requirements of a proof.
fn as_sampled(sample: Decision, surely: Decision) -> Decision {
    let open = surely.standing == Standing::Inconclusive;
    let is_decided = matches!(sample.standing, Standing::Held | Standing::Crossed);
    Decision {
        interval: surely.interval,
        needs_more: surely.needs_more.filter(|_| open),
        // A statement about the sample itself has no interval.
        proved: is_decided
            .then_some(!open)
            .filter(|_| open || surely.interval.is_some()),
        ..sample
    }
}

/// A metric of the summary.
pub(super) struct Metric<'a> {
    data: &'a Value,
    /// For a trend: facts that do not depend on what the script prints.
    trend: &'a Value,
    has_samples: bool,
    counts: u64,
}

impl<'a> Metric<'a> {
    /// `None` if the summary lacks it. A counter without samples is 0 if iterations ended.
    pub fn find(summary: &'a Value, name: &str) -> Option<Self> {
        let metrics = summary.get("metrics")?;
        let ended = number_at(metrics, &["iterations", "values", "count"]).unwrap_or(0.0) > 0.0;
        let without = summary.get("without_samples").and_then(Value::as_array);
        let listed = without.is_some_and(|names| names.iter().any(|it| it == name));
        let data = match metrics.get(name) {
            Some(data) => data,
            // k6 omits metrics without samples from the summary.
            None if ended && is_builtin_counter(name) => &NEVER_COUNTED,
            None => return None,
        };
        let kind = data.get("type").and_then(Value::as_str).unwrap_or("");
        let values = data.get("values").unwrap_or(&Value::Null);
        let value = |key: &str| values.get(key).and_then(Value::as_f64);
        let trend = summary
            .get("trends")
            .and_then(|trends| trends.get(name))
            .unwrap_or(&Value::Null);
        let count = trend.get("count").and_then(Value::as_f64);
        let trials = value("passes").unwrap_or(0.0) + value("fails").unwrap_or(0.0);
        let (has_samples, counts) = match kind {
            "counter" => (ended || value("count").unwrap_or(0.0) > 0.0, 0),
            "rate" => (!listed && trials > 0.0, trials as u64),
            _ => (
                !listed
                    && (count.is_some() || values.as_object().is_some_and(|all| !all.is_empty())),
                count.or(value("count")).unwrap_or(0.0) as u64,
            ),
        };
        Some(Self {
            data,
            trend,
            has_samples,
            counts,
        })
    }

    /// A value by its aggregate, such as `p(95)`, `avg`, `rate`, `count`.
    pub fn value(&self, aggregate: &str) -> Option<f64> {
        let key = if aggregate == "p(50)" {
            "med"
        } else {
            aggregate
        };
        let mut known = [self.data, self.trend].into_iter();
        let value = known.find_map(|of| {
            let values = of.get("values")?;
            values.get(aggregate).or_else(|| values.get(key))?.as_f64()
        });
        value.filter(|_| self.has_samples)
    }

    /// The known points of a trend's distribution.
    pub fn quantiles(&self) -> Quantiles {
        let of = |of: &'a Value, what: &str| of.get(what).and_then(Value::as_object);
        let values = [of(self.data, "values"), of(self.trend, "values")];
        let points = values.into_iter().flatten().flatten();
        let points = points.filter_map(|(key, value)| Some((share(key)?, value.as_f64()?)));
        let intervals = of(self.trend, "intervals").into_iter().flatten();
        let recorded = intervals.filter_map(|(key, ends)| {
            let ends = [ends.get(0)?.as_f64()?, ends.get(1)?.as_f64()?];
            Some((percentile_key(share(key)? * 100.0), ends))
        });
        Quantiles::new(self.counts, points).with_intervals(recorded)
    }

    pub fn unit(&self, aggregate: &str) -> &'static str {
        match self.data.get("type").and_then(Value::as_str) {
            Some("rate") => "ratio",
            Some("counter") if aggregate == "rate" => "per second",
            _ if self.data.get("contains").and_then(Value::as_str) == Some("time") => "ms",
            _ => "",
        }
    }

    fn decide(&self, aggregate: &str, expression: &str, bound: Bound) -> Decision {
        if !self.has_samples {
            return Decision::NO_DATA;
        }
        let measured = self.value(aggregate);
        let flag = self
            .data
            .pointer("/thresholds")
            .and_then(|thresholds| thresholds.get(expression)?.get("ok")?.as_bool());
        let mut decision = match (flag, measured) {
            // The driver's own comparison, which uses unrounded values.
            (Some(held), _) => Decision {
                standing: if held {
                    Standing::Held
                } else {
                    Standing::Crossed
                },
                measured,
                ..Decision::NO_DATA
            },
            (None, measured) => Decision::plain(measured, bound),
        };
        if let Some(surely) = self.surely(aggregate, bound) {
            decision = as_sampled(decision, surely);
        }
        decision
    }

    /// The decision of the whole interval, if counts are known.
    fn surely(&self, aggregate: &str, bound: Bound) -> Option<Decision> {
        if self.counts == 0 {
            return None;
        }
        if aggregate == "rate" {
            let passes = number_at(self.data, &["values", "passes"])? as u64;
            return Some(Decision::share(passes, self.counts, bound));
        }
        if aggregate == "avg" {
            let deviation = self.trend.get("deviation")?.as_f64()?;
            let mean = self.value("avg")?;
            return Some(Decision::mean(mean, deviation, self.counts, bound));
        }
        let share = share(aggregate).filter(|share| *share > 0.0 && *share < 1.0)?;
        let key = percentile_key(share * 100.0);
        Some(Decision::percentile(&self.quantiles(), &key, share, bound))
    }
}

/// The share of values that an aggregate of a trend denotes.
fn share(aggregate: &str) -> Option<f64> {
    let percent: f64 = match aggregate {
        "min" => 0.0,
        "med" => 50.0,
        "max" => 100.0,
        other => other.strip_prefix("p(")?.strip_suffix(')')?.parse().ok()?,
    };
    Some(percent / 100.0)
}

fn percentile_key(percent: f64) -> String {
    format!("p{percent}")
}

static NEVER_COUNTED: std::sync::LazyLock<Value> = std::sync::LazyLock::new(
    || serde_json::json!({ "type": "counter", "contains": "default", "values": { "count": 0, "rate": 0 } }),
);

/// k6's own counters: one that is missing from a summary was never incremented.
fn is_builtin_counter(name: &str) -> bool {
    [
        "dropped_iterations",
        "http_reqs",
        "iterations",
        "data_sent",
        "data_received",
    ]
    .contains(&name)
}

fn number_at(value: &Value, path: &[&str]) -> Option<f64> {
    let found = path.iter().try_fold(value, |value, step| value.get(step));
    found?.as_f64()
}

/// A percentile of a trend of the summary against a bound, three-valued.
pub(super) fn trend(summary: &Value, metric: &str, percent: f64, limit: Limit) -> Decision {
    let Some(found) = Metric::find(summary, metric).filter(|found| found.has_samples) else {
        return Decision::NO_DATA;
    };
    let aggregate = format!("p({})", number(percent));
    let bound = Bound::Limit(limit);
    let sample = Decision::plain(found.value(&aggregate), bound);
    if sample.standing == Standing::NoData {
        return sample;
    }
    // Without a count, the uncertainty of the percentile is unknown: then it describes the sample.
    found.surely(&aggregate, bound).unwrap_or(sample)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(summary: &Value, metric: &str, expression: &str, expected: Standing) {
        let (aggregate, bound) = expression::split(expression).expect("an expression");
        let found = Metric::find(summary, metric);
        let decision = found.map_or(Decision::NO_DATA, |found| {
            found.decide(aggregate, expression, bound)
        });
        assert_eq!(decision.standing, expected, "{metric} {expression}");
    }

    #[test]
    fn flags_are_obeyed_and_nothing_measured_is_never_held() {
        let summary = json!({
            "without_samples": ["coverage"],
            "metrics": {
                "iterations": { "type": "counter", "values": { "count": 9, "rate": 1 } },
                "wait": { "type": "trend", "contains": "time",
                    "values": { "med": 100, "p(95)": 190, "max": 300, "count": 1000 },
                    "thresholds": { "p(95)<200": { "ok": true }, "p(95)<190": { "ok": false } } },
                "coverage": { "type": "trend", "values": { "med": 0 }, "thresholds": { "med<1": { "ok": true } } },
                "good": { "type": "rate", "values": { "rate": 0, "passes": 0, "fails": 0 },
                    "thresholds": { "rate<0.1": { "ok": true } } },
                "lost": { "type": "counter", "values": { "count": 0 }, "thresholds": { "count==0": { "ok": true } } },
            }
        });
        check(&summary, "wait", "p(95)<200", Standing::Held);
        check(&summary, "wait", "p(95)<190", Standing::Crossed);
        check(&summary, "wait", "med<100", Standing::Crossed);
        check(&summary, "coverage", "med<1", Standing::NoData);
        check(&summary, "good", "rate<0.1", Standing::NoData);
        check(&summary, "lost", "count==0", Standing::Held);
        check(&summary, "dropped_iterations", "count==0", Standing::Held);
        check(&summary, "missing", "p(95)<1", Standing::NoData);
        check(
            &json!({}),
            "dropped_iterations",
            "count==0",
            Standing::NoData,
        );
    }

    /// T-5, AIA-33: a hundred samples meet `p(99)<200` as written, and 268 more would prove it.
    #[test]
    fn a_threshold_that_the_sample_does_not_prove_says_so() {
        let summary = json!({ "metrics": { "wait": { "type": "trend", "contains": "time",
            "values": { "min": 5, "med": 9, "p(95)": 60, "p(99)": 90, "max": 95, "count": 100 },
            "thresholds": { "p(99)<200": { "ok": true } } } } });
        let found = Metric::find(&summary, "wait").expect("a metric");
        let bound = Bound::Limit(Limit::below(200.0));
        let decision = found.decide("p(99)", "p(99)<200", bound);
        assert_eq!(decision.standing, Standing::Held);
        assert_eq!(decision.needs_more, Some(268));
        assert_eq!(decision.proved, Some(false));
    }

    /// N-01: a script that prints neither the count nor the percentile is judged as well as one that does.
    #[test]
    fn the_printed_statistics_of_a_trend_do_not_matter() {
        let summary = json!({
            "metrics": { "wait": { "type": "trend", "contains": "time", "values": { "avg": 40.0 },
                "thresholds": { "p(95)<200": { "ok": true }, "avg<41": { "ok": true }, "max<300": { "ok": true } } } },
            "trends": { "wait": { "count": 1000, "deviation": 30.0,
                "values": { "min": 5.0, "p(50)": 30.0, "p(95)": 100.0, "max": 210.0 },
                "intervals": { "p(95)": [90.0, 120.0] } } },
        });
        let found = Metric::find(&summary, "wait").expect("a metric");
        let of = |aggregate: &str, bound: f64| {
            let bound = Bound::Limit(Limit::below(bound));
            found.decide(aggregate, &format!("{aggregate}<{}", bound.value()), bound)
        };
        let percentile = of("p(95)", 200.0);
        assert_eq!(percentile.measured, Some(100.0));
        assert_eq!(percentile.interval, Some([90.0, 120.0]));
        assert_eq!(percentile.proved, Some(true));
        let mean = of("avg", 41.0);
        assert_eq!((mean.standing, mean.proved), (Standing::Held, Some(false)));
        assert!(mean.needs_more.is_some());
        // Nothing bounds the largest future value.
        let largest = of("max", 300.0);
        assert_eq!((largest.measured, largest.proved), (Some(210.0), None));
    }
}
