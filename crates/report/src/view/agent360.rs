//! Agent360: the Markdown report with its headings, and its JSON records. Times are seconds, error rates
//! ratios, resource usage percentages.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{mean_and_largest, rates};
use crate::export::{Artefact, artefact, prefixes, pretty};
use crate::number::DASH;
use crate::record::{ResourceSample, RunRecord, Second, TestRecord};

/// `load_test_report.md` and `load_test_results.json`, one pair per test.
pub fn agent360(run: &RunRecord) -> Vec<Artefact> {
    let several = run.tests.len() > 1;
    prefixes(run, "load_test")
        .into_iter()
        .flat_map(|(prefix, test)| {
            let prefix = if several {
                format!("load_test_{prefix}")
            } else {
                prefix
            };
            [
                artefact(&format!("{prefix}_report.md"), markdown(test)),
                artefact(
                    &format!("{prefix}_results.json"),
                    pretty(&results(run, test)),
                ),
            ]
        })
        .collect()
}

fn or_dash(value: Option<f64>, unit: &str) -> String {
    value.map_or_else(|| DASH.to_owned(), |value| format!("{value:.2}{unit}"))
}

fn seconds(test: &TestRecord, key: &str) -> Option<f64> {
    test.figures.percentile(key).map(|ms| ms / 1000.0)
}

fn memory_bytes(sample: &ResourceSample) -> Option<f64> {
    sample.memory_bytes.map(|bytes| bytes as f64)
}

fn markdown(test: &TestRecord) -> String {
    let figures = &test.figures;
    let target = test.target_in_phases();
    let cpu = mean_and_largest(target.iter().copied(), |sample| sample.cpu_ratio);
    let memory = mean_and_largest(target.iter().copied(), memory_bytes);
    let peak = rates(test).into_iter().reduce(f64::max);
    let mut text = format!(
        "# Load Test Report\n\n## Summary\n- Test Duration: {:.0} seconds\n- Total Requests: {}\n- Error Rate: {}\n\n",
        test.duration_s,
        figures.requests,
        or_dash(figures.error_rate().map(|rate| 100.0 * rate), "%")
    );
    let _ = write!(
        text,
        "## Performance Metrics\n- Response Time (P95): {}\n- Response Time (P99): {}\n- Average RPS: {}\n- Peak RPS: {}\n\n",
        or_dash(seconds(test, "p95"), "s"),
        or_dash(seconds(test, "p99"), "s"),
        or_dash(figures.requests_per_s, ""),
        or_dash(peak, "")
    );
    let _ = write!(
        text,
        "## Resource Usage\n- Average CPU: {}\n- Peak Memory: {}\n\n## Recommendations\n",
        or_dash(cpu.map(|(mean, _)| 100.0 * mean), "%"),
        or_dash(memory.map(|(_, peak)| peak / 1e9), "GB")
    );
    for finding in &test.findings {
        let line = |text: &str| crate::escape::markdown(text);
        let _ = writeln!(text, "- {} {}", line(&finding.text), line(&finding.action));
    }
    text
}

fn results(run: &RunRecord, test: &TestRecord) -> Value {
    let figures = &test.figures;
    let target = test.target_in_phases();
    let percent = |of: fn(&ResourceSample) -> Option<f64>| {
        mean_and_largest(target.iter().copied(), of).map(|(mean, _)| 100.0 * mean)
    };
    let (cpu, memory) = (percent(|s| s.cpu_ratio), percent(|s| s.memory_ratio));
    let rates = rates(test);
    json!({
        "metrics": {
            "response_time_p95": seconds(test, "p95"),
            "response_time_p99": seconds(test, "p99"),
            "requests_per_second": figures.requests_per_s,
            "error_rate": figures.error_rate(),
            "cpu_usage": cpu,
            "memory_usage": memory,
        },
        "response_times": {
            "median": seconds(test, "p50"),
            "p95": seconds(test, "p95"),
            "p99": seconds(test, "p99"),
        },
        "throughput": {
            "avg_rps": figures.requests_per_s,
            "peak_rps": rates.iter().copied().reduce(f64::max),
            "std_rps": deviation(&rates),
        },
        "bottlenecks": bottlenecks(cpu, seconds(test, "p95")),
        "results": rows(run, test),
        "percentile_method": run.percentile_method,
    })
}

/// The standard deviation of a sample; `None` for fewer than two values.
fn deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// The document's two rules.
fn bottlenecks(cpu: Option<f64>, p95_s: Option<f64>) -> Vec<Value> {
    let mut found = Vec::new();
    if cpu.is_some_and(|percent| percent > 80.0) {
        found.push(json!({ "type": "CPU", "severity": "high", "recommendation": "Scale up CPU resources" }));
    }
    if p95_s.is_some_and(|seconds| seconds > 2.0) {
        found.push(json!({ "type": "Latency", "severity": "medium", "recommendation": "Optimize database queries" }));
    }
    found
}

/// The rows of the document's collector, one per second.
fn rows(run: &RunRecord, test: &TestRecord) -> Vec<Value> {
    let began = run.began.parse::<Timestamp>().ok();
    test.seconds
        .iter()
        .map(|second| row(began, test, second))
        .collect()
}

fn row(began: Option<Timestamp>, test: &TestRecord, second: &Second) -> Value {
    let at = began.and_then(|began| {
        let after = SignedDuration::try_from_secs_f64(test.begin_s + second.at_s).ok()?;
        began.checked_add(after).ok()
    });
    let samples = &test.observed.target;
    let from = samples.partition_point(|sample| sample.at_s < second.at_s);
    let now = || {
        samples[from..]
            .iter()
            .take_while(|sample| sample.at_s < second.at_s + 1.0)
    };
    let percent = |of: fn(&ResourceSample) -> Option<f64>| {
        mean_and_largest(now(), of).map(|(mean, _)| 100.0 * mean)
    };
    json!({
        "timestamp": at.map(|at| at.to_string()),
        "response_time": second.mean_ms.map(|ms| ms / 1000.0),
        "throughput": second.requests,
        "errors": second.failures,
        "resources": { "cpu": percent(|s| s.cpu_ratio), "memory": percent(|s| s.memory_ratio) },
    })
}
