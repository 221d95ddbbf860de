//! Locust's four CSV files, header by header.
//!
//! Percentiles are exact, where Locust rounds to two digits. Missing values are `N/A` as in Locust, or
//! empty where Locust has a text.

use jiff::Timestamp;

use super::{Artefact, artefact};
use crate::record::{Figures, PERCENTILES, RunRecord, ScriptException, Second, TestRecord};

const STATS: &str = "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,\
Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,\
50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%";

const HISTORY: &str = "Timestamp,User Count,Type,Name,Requests/s,Failures/s,\
50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%,\
Total Request Count,Total Failure Count,Total Median Response Time,Total Average Response Time,\
Total Min Response Time,Total Max Response Time,Total Average Content Size";

const FAILURES: &str = "Method,Name,Error,Occurrences,First Seen,Last Seen";

const EXCEPTIONS: &str = "Count,Message,Traceback,Nodes";

/// Locust's name of the only generator.
pub const NODE: &str = "local";

const MISSING: &str = "N/A";

/// `PREFIX_stats.csv`, `_stats_history.csv`, `_failures.csv`, `_exceptions.csv`.
pub fn locust(run: &RunRecord, test: &TestRecord, prefix: &str) -> Vec<Artefact> {
    vec![
        artefact(&format!("{prefix}_stats.csv"), table(STATS, stats(test))),
        artefact(
            &format!("{prefix}_stats_history.csv"),
            table(HISTORY, history(run, test)),
        ),
        artefact(
            &format!("{prefix}_failures.csv"),
            table(FAILURES, failures(run, test)),
        ),
        artefact(
            &format!("{prefix}_exceptions.csv"),
            table(EXCEPTIONS, exceptions(test)),
        ),
    ]
}

/// The format of Python's csv module: quotes if needed, lines that end with CR LF.
fn table(header: &str, rows: Vec<Vec<String>>) -> String {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .flexible(true)
        .from_writer(Vec::new());
    let header = header.split(',').map(str::to_owned).collect();
    for row in std::iter::once(header).chain(rows) {
        let row: Vec<String> = row;
        writer.write_record(&row).expect("memory can be written");
    }
    let bytes = writer.into_inner().expect("memory can be written");
    String::from_utf8(bytes).expect("only text was written")
}

fn or_missing(value: Option<f64>) -> String {
    value
        .filter(|value| value.is_finite())
        .map_or_else(|| MISSING.to_owned(), |value| value.to_string())
}

fn percentiles(of: impl Fn(&str) -> Option<f64>) -> impl Iterator<Item = String> {
    PERCENTILES
        .into_iter()
        // Locust's files have no 60th percentile.
        .filter(|(key, _)| *key != "p60")
        .map(move |(key, _)| or_missing(of(key)))
}

fn stats(test: &TestRecord) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = test
        .endpoints
        .iter()
        .map(|endpoint| stats_row(&endpoint.method, &endpoint.name, &endpoint.figures))
        .collect();
    rows.push(stats_row("", "Aggregated", &test.figures));
    rows
}

fn stats_row(method: &str, name: &str, figures: &Figures) -> Vec<String> {
    let latency = figures.latency.as_ref();
    let requests = figures.requests;
    let failures_per_s = (figures.seconds > 0.0).then(|| figures.failures as f64 / figures.seconds);
    let mut row = vec![
        method.to_owned(),
        name.to_owned(),
        requests.to_string(),
        figures.failures.to_string(),
        or_missing(figures.percentile("p50")),
        or_missing(latency.map(|latency| latency.mean)),
        or_missing(latency.map(|latency| latency.min)),
        or_missing(latency.map(|latency| latency.max)),
        or_missing(figures.mean_content_bytes()),
        or_missing(figures.requests_per_s),
        or_missing(failures_per_s),
    ];
    row.extend(percentiles(|key| figures.percentile(key)));
    row
}

fn history(run: &RunRecord, test: &TestRecord) -> Vec<Vec<String>> {
    let began = run.began.parse::<Timestamp>().ok();
    let mut so_far = SoFar::default();
    test.seconds
        .iter()
        .map(|second| {
            so_far.add(second);
            history_row(
                second,
                &so_far,
                began.map(|began| epoch(began, test.begin_s + second.at_s)),
            )
        })
        .collect()
}

fn epoch(began: Timestamp, after_s: f64) -> i64 {
    began.as_second() + after_s as i64
}

/// Totals of the seconds so far.
#[derive(Default)]
struct SoFar {
    requests: u64,
    failures: u64,
    mean_sum_ms: f64,
    with_mean: u64,
    min_ms: Option<f64>,
    max_ms: Option<f64>,
    content_bytes: Option<u64>,
}

impl SoFar {
    fn add(&mut self, second: &Second) {
        self.requests += second.requests;
        self.failures += second.failures;
        if let Some(mean) = second.mean_ms {
            self.mean_sum_ms += mean * second.requests as f64;
            self.with_mean += second.requests;
        }
        self.min_ms = self
            .min_ms
            .into_iter()
            .chain(second.min_ms)
            .reduce(f64::min);
        self.max_ms = self
            .max_ms
            .into_iter()
            .chain(second.max_ms)
            .reduce(f64::max);
        if let Some(bytes) = second.content_bytes {
            *self.content_bytes.get_or_insert(0) += bytes;
        }
    }

    fn mean_ms(&self) -> Option<f64> {
        (self.with_mean > 0).then(|| self.mean_sum_ms / self.with_mean as f64)
    }

    fn mean_content_bytes(&self) -> Option<f64> {
        let bytes = self.content_bytes.filter(|_| self.requests > 0)?;
        Some(bytes as f64 / self.requests as f64)
    }
}

fn history_row(second: &Second, so_far: &SoFar, at: Option<i64>) -> Vec<String> {
    let mut row = vec![
        at.map_or_else(|| MISSING.to_owned(), |at| at.to_string()),
        or_missing(second.users),
        String::new(),
        "Aggregated".to_owned(),
        second.requests.to_string(),
        second.failures.to_string(),
    ];
    row.extend(percentiles(|key| match key {
        "p50" => second.p50_ms,
        "p95" => second.p95_ms,
        "p99" => second.p99_ms,
        _ => None,
    }));
    row.extend([
        so_far.requests.to_string(),
        so_far.failures.to_string(),
        // The record has the median of each second, but not of all so far.
        MISSING.to_owned(),
        or_missing(so_far.mean_ms()),
        or_missing(so_far.min_ms),
        or_missing(so_far.max_ms),
        or_missing(so_far.mean_content_bytes()),
    ]);
    row
}

fn failures(run: &RunRecord, test: &TestRecord) -> Vec<Vec<String>> {
    let began = run.began.parse::<Timestamp>().ok();
    // To the second, as in Locust.
    let at = |after_s: f64| {
        let at = began
            .and_then(|began| Timestamp::from_second(epoch(began, test.begin_s + after_s)).ok());
        at.map_or_else(String::new, |at| at.to_string())
    };
    let mut rows = Vec::new();
    for endpoint in &test.endpoints {
        for (error, times) in &endpoint.errors {
            let seen = endpoint.error_times.get(error);
            rows.push(vec![
                endpoint.method.clone(),
                endpoint.name.clone(),
                error.clone(),
                times.to_string(),
                seen.map_or_else(String::new, |[first, _]| at(*first)),
                seen.map_or_else(String::new, |[_, last]| at(*last)),
            ]);
        }
    }
    rows
}

fn exceptions(test: &TestRecord) -> Vec<Vec<String>> {
    let row = |it: &ScriptException| {
        vec![
            it.count.to_string(),
            it.message.clone(),
            it.traceback.clone(),
            NODE.to_owned(),
        ]
    };
    test.exceptions.iter().map(row).collect()
}
