//! Checks the histogram logs (`.hlog`) beside `report.json`: percentiles and counts by endpoint and by
//! second.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use interval_log::{IntervalLog, Key, percentile, read};

use super::{Computed, Verified};
use crate::record::{Endpoint, Figures, PERCENTILES, RunRecord, TestRecord};

/// Tolerance of means of histograms of three digits, and of percentiles of seconds, which come from the
/// values themselves.
const SLACK: f64 = 0.002;
/// Maximum number of endpoints of a test with a log.
const MOST_LOGS: usize = 200;

/// Compares every log with the record of its endpoint.
pub fn all(run: &RunRecord, file: &dyn Fn(&str) -> Option<Vec<u8>>, verified: &mut Verified) {
    let mut missing = 0;
    for (at, test) in run.tests.iter().enumerate() {
        let path = format!("tests[{at}]");
        let mut logs = Vec::new();
        for (place, endpoint) in test.endpoints.iter().enumerate().take(MOST_LOGS) {
            let name = name(test, place, endpoint);
            let Some(bytes) = file(&name) else {
                missing += 1;
                continue;
            };
            match read(&bytes) {
                Ok(log) => logs.push((place, log)),
                Err(error) => verified.holds(&name, false, || format!("is not read: {error}")),
            }
        }
        let begin = begin_ms(test, &logs);
        for (place, log) in &logs {
            let path = format!("{path}.endpoints[{place}]");
            endpoint(&test.endpoints[*place], log, begin, &path, verified);
        }
        if logs.len() == test.endpoints.len() && !logs.is_empty() {
            whole(test, &logs, begin, &path, verified);
        }
    }
    if missing > 0 {
        verified.remarks.push(format!(
            "{missing} endpoints have no histogram log: their percentiles are checked within the record only."
        ));
    }
}

/// The log of an endpoint, by its name in the run's folder.
fn name(test: &TestRecord, place: usize, endpoint: &Endpoint) -> String {
    let class = endpoint.class.as_deref().unwrap_or_default();
    let name = format!("{} {} {class}", endpoint.method, endpoint.name);
    format!(
        "{}.{place}.{}.hlog",
        file_name(&test.title()),
        file_name(name.trim())
    )
}

/// Letters, digits, dots and hyphens, at most 80.
fn file_name(text: &str) -> String {
    let letters = text.chars().map(|letter| match letter {
        letter if letter.is_ascii_alphanumeric() || letter == '.' => letter,
        _ => '-',
    });
    letters.take(80).collect()
}

/// The start of the test: the first second with requests is known from both.
fn begin_ms(test: &TestRecord, logs: &[(usize, IntervalLog)]) -> Option<u64> {
    let keys = logs.iter().flat_map(|(_, log)| log.keys());
    let first_ms = keys.map(|key| key.begin_ms).min()?;
    let first = test.seconds.iter().position(|second| second.requests > 0)?;
    first_ms.checked_sub(1000 * first as u64)
}

fn endpoint(
    endpoint: &Endpoint,
    log: &IntervalLog,
    begin: Option<u64>,
    path: &str,
    verified: &mut Verified,
) {
    if let Some(total) = log.total() {
        figures(
            &endpoint.figures,
            &total,
            &format!("{path}.figures"),
            verified,
        );
    }
    let Some(begin) = begin.filter(|_| !endpoint.seconds.is_empty()) else {
        return;
    };
    let seconds = by_second(log, begin);
    for (at, recorded) in endpoint.seconds.iter().enumerate() {
        let second = Second {
            requests: recorded.requests,
            percentiles: [recorded.p50_ms, recorded.p95_ms, recorded.p99_ms].map(Some),
            logged: seconds
                .get(&u64::from(recorded.at_s))
                .and_then(|key| log.histogram(key)),
        };
        second.verify(&format!("{path}.seconds[{at}]"), "its log", verified);
    }
}

/// Compares the whole test with all of its logs.
fn whole(
    test: &TestRecord,
    logs: &[(usize, IntervalLog)],
    begin: Option<u64>,
    path: &str,
    verified: &mut Verified,
) {
    let mut merged = IntervalLog::default();
    logs.iter().for_each(|(_, log)| merged.merge(log));
    if let Some(total) = merged.total() {
        figures(&test.figures, &total, &format!("{path}.figures"), verified);
    }
    let Some(begin) = begin else {
        return;
    };
    let seconds = by_second(&merged, begin);
    for (at, recorded) in test.seconds.iter().enumerate() {
        let second = Second {
            requests: recorded.requests,
            percentiles: [recorded.p50_ms, recorded.p95_ms, recorded.p99_ms],
            logged: seconds
                .get(&(at as u64))
                .and_then(|key| merged.histogram(key)),
        };
        second.verify(&format!("{path}.seconds[{at}]"), "its logs", verified);
    }
}

/// A second of the record, and of the log.
struct Second {
    requests: u64,
    /// The median, the 95th and the 99th percentile, in milliseconds.
    percentiles: [Option<f64>; 3],
    logged: Option<Histogram<u64>>,
}

impl Second {
    fn verify(&self, path: &str, source: &str, verified: &mut Verified) {
        let requests = self.logged.as_ref().map_or(0, Histogram::len);
        verified.equal(&format!("{path}.requests"), self.requests, requests, source);
        let keys = [("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)];
        for ((key, quantile), recorded) in keys.into_iter().zip(self.percentiles) {
            let logged = self.logged.as_ref().and_then(|it| percentile(it, quantile));
            let (Some(recorded), Some(micros)) = (recorded, logged) else {
                continue;
            };
            let computed = micros as f64 / 1e3;
            // A microsecond is the resolution of a log.
            let holds = (recorded - computed).abs() <= SLACK * recorded.max(computed) + 0.001;
            verified.holds(&format!("{path}.{key}"), holds, || {
                format!("is {recorded}, but its log gives {computed}")
            });
        }
    }
}

/// The indices of a log's intervals by second.
fn by_second(log: &IntervalLog, begin_ms: u64) -> BTreeMap<u64, &Key> {
    let second = |key: &Key| (key.begin_ms.saturating_sub(begin_ms) + 500) / 1000;
    log.keys().map(|key| (second(key), key)).collect()
}

/// Counts and percentiles equal those of the histogram exactly, means within its precision.
fn figures(figures: &Figures, total: &Histogram<u64>, path: &str, verified: &mut Verified) {
    verified.equal(
        &format!("{path}.requests"),
        figures.requests,
        total.len(),
        "its log",
    );
    let Some(latency) = &figures.latency else {
        return;
    };
    let mean = total.mean() / 1e3;
    let path = format!("{path}.latency");
    let holds = (latency.mean - mean).abs() <= SLACK * mean + 0.001;
    verified.holds(&format!("{path}.mean"), holds, || {
        format!("is {}, but its log gives {mean}", latency.mean)
    });
    for (key, quantile) in PERCENTILES {
        let recorded = latency.percentiles.get(key).copied();
        let Some((recorded, micros)) = recorded.zip(percentile(total, quantile)) else {
            continue;
        };
        // A percentile never exceeds the maximum, which the record contains exactly.
        let computed = Computed {
            value: (micros as f64 / 1e3).min(latency.max),
            slack: 1e-9,
            from: "its log",
        };
        verified.close(&format!("{path}.percentiles.{key}"), recorded, &computed);
    }
}
