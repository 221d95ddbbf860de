//! Facts about a run's trends, whatever statistics its script makes k6 print.
//!
//! The uncertainty of a percentile is unknown without a count (N-01), and `summaryTrendStats` may omit the
//! count, or the percentile that a threshold uses.

use std::collections::BTreeSet;

use analysis::order_interval::rank_interval;
use load_driver::Trend;
use serde_json::{Map, Value, json};

const CONFIDENCE: f64 = 0.95;
/// The percentiles recorded for each trend, in addition to those of its thresholds.
const PERCENTS: [&str; 4] = ["p(50)", "p(90)", "p(95)", "p(99)"];

/// By metric, its `count` and `deviation`; by aggregate, its `values`, and the `intervals` of percentiles.
pub fn shown(trends: &[Trend]) -> Value {
    let each = trends.iter();
    each.map(|trend| (trend.name.clone(), one(trend)))
        .collect::<Map<String, Value>>()
        .into()
}

fn one(trend: &Trend) -> Value {
    let sink = &trend.values;
    let count = sink.count() as u64;
    let mut values = Map::new();
    let mut intervals = Map::new();
    for (name, value) in [
        ("avg", sink.average()),
        ("min", sink.min()),
        ("max", sink.max()),
    ] {
        values.insert(name.to_owned(), json!(value));
    }
    let asked = trend.observed.iter().map(|(name, _)| name.as_str());
    let names: BTreeSet<&str> = PERCENTS.into_iter().chain(asked).collect();
    for (name, percent) in names
        .iter()
        .filter_map(|name| Some((*name, percent(name)?)))
    {
        let observed = trend.observed.iter().find(|(known, _)| known == name);
        let value = observed.map_or_else(|| sink.percentile(percent), |(_, value)| *value);
        values.insert(name.to_owned(), json!(value));
        let Ok(ranks) = rank_interval(count, percent / 100.0, CONFIDENCE) else {
            continue;
        };
        let at = |rank: Option<u64>| sink.nth(rank? - 1);
        if let Some((lower, upper)) = at(ranks.lower).zip(at(ranks.upper)) {
            // Ends from buckets may differ by half a bucket from the exact value between them.
            let ends = [lower.min(value), upper.max(value)];
            intervals.insert(name.to_owned(), json!(ends));
        }
    }
    json!({ "count": count, "deviation": sink.deviation(), "values": values, "intervals": intervals })
}

/// The percentile that an aggregate denotes.
fn percent(aggregate: &str) -> Option<f64> {
    match aggregate {
        "med" => Some(50.0),
        other => other.strip_prefix("p(")?.strip_suffix(')')?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use load_metrics::{Kind, Sink};

    use super::*;

    fn trend(values: impl Iterator<Item = f64>, asked: &[(&str, f64)]) -> Trend {
        let mut sink = Sink::new(Kind::Trend);
        values.for_each(|value| sink.add(value));
        sink.sort();
        let Sink::Trend(values) = sink else {
            unreachable!("it is a trend")
        };
        Trend {
            name: "wait".to_owned(),
            values: values.digest(),
            observed: asked
                .iter()
                .map(|(name, value)| ((*name).to_owned(), *value))
                .collect(),
        }
    }

    /// Ranks of p95 among 100 values at 95 %: 90 and 100 (David and Nagaraja 7.1).
    #[test]
    fn percentiles_have_intervals_of_their_ranks() {
        let values = (1..=100).map(f64::from);
        let shown = shown(&[trend(values, &[("p(95)", 95.05), ("p(10)", 10.9)])]);
        let wait = &shown["wait"];
        assert_eq!(wait["count"], 100);
        assert_eq!(wait["values"]["p(95)"], 95.05);
        assert_eq!(wait["values"]["p(10)"], 10.9);
        assert_eq!(wait["intervals"]["p(95)"], json!([90.0, 100.0]));
        assert!(wait["intervals"]["p(99)"].is_null(), "too few for an end");
    }

    #[test]
    fn the_intervals_of_many_values_enclose_what_was_compared() {
        let values = (1..=10_000).map(|n| f64::from(n) / 10.0);
        let shown = shown(&[trend(values, &[("p(95)", 950.005)])]);
        let ends = shown["wait"]["intervals"]["p(95)"].clone();
        let [lower, upper]: [f64; 2] = serde_json::from_value(ends).expect("two ends");
        assert!(lower < 950.005 && 950.005 < upper, "{lower} {upper}");
        assert!(upper - lower < 12.0, "{lower} {upper}");
    }
}
