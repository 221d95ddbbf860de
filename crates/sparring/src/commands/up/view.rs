//! The figures of a running stack for the screen and the status line, from two readings of its metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use suite::metrics_text::samples;

/// The counters of `/metrics`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts {
    answers: f64,
    /// The partial responses among them, and the errors.
    partial: f64,
    errors: f64,
    in_flight: f64,
    /// Responses by upper bound of their time, in milliseconds.
    buckets: BTreeMap<u64, f64>,
    /// Failed attempts by detector and class.
    failures: BTreeMap<(String, String), f64>,
    /// Attempts by detector.
    attempts: BTreeMap<String, f64>,
    breakers: BTreeMap<String, String>,
}

/// The differences between two readings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    pub requests_per_s: f64,
    pub partial_share: f64,
    pub errors_per_s: f64,
    pub in_flight: f64,
    /// p50, p95 and p99 in milliseconds, by the upper bounds of their buckets; `None` without responses.
    pub percentiles: [Option<f64>; 3],
    /// Failed attempts per second, by class.
    pub failures: Vec<(String, f64)>,
    pub detectors: Vec<DetectorRow>,
}

/// The line of a detector.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DetectorRow {
    pub name: String,
    /// `closed`, `open` or `half_open`; a dash without calls.
    pub breaker: String,
    pub calls_per_s: f64,
    pub failures_per_s: f64,
    /// The names of the overlays over its profile.
    pub faults: Vec<String>,
}

impl Counts {
    pub fn read(text: &str) -> Self {
        let mut counts = Self::default();
        for sample in samples(text) {
            let label = |name| sample.label(name).unwrap_or_default().into_owned();
            match sample.name {
                "orchestrate_requests_total" => {
                    counts.answers += sample.value;
                    match sample.label("status").as_deref() {
                        Some("partial") => counts.partial += sample.value,
                        Some("success") => {}
                        _ => counts.errors += sample.value,
                    }
                }
                "orchestrate_in_flight" => counts.in_flight = sample.value,
                "orchestrate_request_duration_ms_bucket" => {
                    let bound = match sample.label("le").as_deref() {
                        Some("+Inf") | None => f64::INFINITY,
                        Some(bound) => bound.parse().unwrap_or(f64::INFINITY),
                    };
                    *counts.buckets.entry(bound.to_bits()).or_default() += sample.value;
                }
                "detector_latency_ms_count" => {
                    *counts.attempts.entry(label("detector")).or_default() += sample.value;
                }
                "detector_failures_total" => {
                    let key = (label("detector"), label("class"));
                    *counts.failures.entry(key).or_default() += sample.value;
                }
                "circuit_breaker_state" if sample.value > 0.5 => {
                    counts.breakers.insert(label("detector"), label("state"));
                }
                _ => {}
            }
        }
        counts
    }

    /// The differences for these detectors since `before`, which was `elapsed` ago.
    pub fn since(&self, before: &Self, elapsed: Duration, detectors: &[String]) -> View {
        let seconds = elapsed.as_secs_f64().max(1e-3);
        let answers = (self.answers - before.answers).max(0.0);
        let partial = (self.partial - before.partial).max(0.0);
        let errors = (self.errors - before.errors).max(0.0);
        let mut by_class: BTreeMap<&str, f64> = BTreeMap::new();
        let mut by_detector: BTreeMap<&str, f64> = BTreeMap::new();
        for ((detector, class), count) in &self.failures {
            let key = (detector.clone(), class.clone());
            let new = count - before.failures.get(&key).unwrap_or(&0.0);
            *by_class.entry(class).or_default() += new / seconds;
            *by_detector.entry(detector).or_default() += new / seconds;
        }
        let row = |name: &String| {
            let of = |counts: &Self| counts.attempts.get(name).copied().unwrap_or(0.0);
            DetectorRow {
                name: name.clone(),
                breaker: self
                    .breakers
                    .get(name)
                    .cloned()
                    .unwrap_or_else(|| "-".to_owned()),
                calls_per_s: (of(self) - of(before)).max(0.0) / seconds,
                failures_per_s: by_detector.get(name.as_str()).copied().unwrap_or(0.0),
                faults: Vec::new(),
            }
        };
        View {
            requests_per_s: answers / seconds,
            partial_share: if answers > 0.0 {
                partial / answers
            } else {
                0.0
            },
            errors_per_s: errors / seconds,
            in_flight: self.in_flight,
            percentiles: [0.5, 0.95, 0.99].map(|quantile| self.percentile(before, quantile)),
            failures: by_class
                .into_iter()
                .filter(|(_, rate)| *rate > 0.0)
                .map(|(class, rate)| (class.to_owned(), rate))
                .collect(),
            detectors: detectors.iter().map(row).collect(),
        }
    }

    /// The bound of the bucket in which this share of the new responses is reached.
    fn percentile(&self, before: &Self, quantile: f64) -> Option<f64> {
        // The bits of non-negative numbers have the same order as the numbers.
        let new = |(bits, count): (&u64, &f64)| {
            let old = before.buckets.get(bits).copied().unwrap_or(0.0);
            (f64::from_bits(*bits), count - old)
        };
        let buckets: Vec<(f64, f64)> = self.buckets.iter().map(new).collect();
        let all = buckets
            .last()
            .map(|(_, count)| *count)
            .filter(|count| *count > 0.0)?;
        let reached = buckets.iter().find(|(_, count)| *count >= quantile * all)?;
        Some(reached.0)
    }
}

impl View {
    /// The status line.
    pub fn line(&self) -> String {
        let is_not_closed =
            |row: &&DetectorRow| ["open", "half_open"].contains(&row.breaker.as_str());
        let breakers = self.detectors.iter().filter(is_not_closed);
        let breakers: Vec<String> = breakers
            .map(|row| format!("{} {}", row.name, row.breaker))
            .collect();
        let breakers = match breakers.as_slice() {
            [] => "all closed".to_owned(),
            some => some.join(", "),
        };
        format!(
            "{:.1} requests/s, p95 {}, {:.1} errors/s, {:.0} % partial, breakers: {breakers}",
            self.requests_per_s,
            bound(self.percentiles[1]),
            self.errors_per_s,
            100.0 * self.partial_share,
        )
    }
}

/// A percentile by the upper bound of its bucket.
pub fn bound(percentile: Option<f64>) -> String {
    match percentile {
        None => "-".to_owned(),
        Some(value) if value.is_infinite() => "beyond the buckets".to_owned(),
        Some(value) => format!("≤ {value} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "orchestrate_requests_total{status=\"success\"} 10\n\
        orchestrate_request_duration_ms_bucket{le=\"10\"} 10\n\
        orchestrate_request_duration_ms_bucket{le=\"50\"} 10\n\
        orchestrate_request_duration_ms_bucket{le=\"+Inf\"} 10\n";
    const AFTER: &str = "orchestrate_requests_total{status=\"success\"} 100\n\
        orchestrate_requests_total{status=\"partial\"} 10\n\
        orchestrate_requests_total{status=\"error\"} 4\n\
        orchestrate_in_flight 3\n\
        orchestrate_request_duration_ms_bucket{le=\"10\"} 70\n\
        orchestrate_request_duration_ms_bucket{le=\"50\"} 106\n\
        orchestrate_request_duration_ms_bucket{le=\"+Inf\"} 110\n\
        detector_latency_ms_count{detector=\"a\",status=\"ok\"} 40\n\
        detector_failures_total{detector=\"a\",class=\"timeout\"} 4\n\
        circuit_breaker_state{detector=\"a\",state=\"open\"} 1\n\
        circuit_breaker_state{detector=\"a\",state=\"closed\"} 0\n";

    #[test]
    fn rates_percentiles_and_failures_are_those_of_the_time_between() {
        let names = ["a".to_owned(), "b".to_owned()];
        let view = Counts::read(AFTER).since(&Counts::read(BEFORE), Duration::from_secs(2), &names);
        assert_eq!(
            (view.requests_per_s, view.errors_per_s, view.in_flight),
            (52.0, 2.0, 3.0)
        );
        assert_eq!(
            view.percentiles,
            [Some(10.0), Some(50.0), Some(f64::INFINITY)]
        );
        assert_eq!(view.failures, [("timeout".to_owned(), 2.0)]);
        assert_eq!(
            (
                view.detectors[0].breaker.as_str(),
                view.detectors[0].calls_per_s
            ),
            ("open", 20.0)
        );
        assert_eq!(view.detectors[1].breaker, "-");
        assert_eq!(
            view.line(),
            "52.0 requests/s, p95 ≤ 50 ms, 2.0 errors/s, 10 % partial, breakers: a open"
        );
    }

    #[test]
    fn without_answers_there_are_no_percentiles() {
        let same = Counts::read(AFTER);
        let view = same.since(&same, Duration::from_secs(1), &[]);
        assert_eq!(view.percentiles, [None; 3]);
        assert_eq!(
            view.line(),
            "0.0 requests/s, p95 -, 0.0 errors/s, 0 % partial, breakers: all closed"
        );
    }
}
