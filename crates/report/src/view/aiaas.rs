//! The summary, the alerts and the regression record of the AIaaS platform. Times are milliseconds.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{main_test, mean_and_largest, rates};
use crate::record::{RunRecord, TestRecord};

/// `performance_baseline.json`, in the document's format: the summary of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    pub latency: BaselineLatency,
    pub throughput: BaselineThroughput,
    #[serde(default)]
    pub error_rate: Option<BaselineErrors>,
}

impl Baseline {
    /// The name of the file: among the baselines, and in the folder of a run that was compared with it.
    pub const FILE: &str = "performance_baseline.json";

    /// Reads such a file; `None` if it is invalid.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// Milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BaselineLatency {
    pub p50: f64,
    #[serde(default)]
    pub p95: Option<f64>,
    #[serde(default)]
    pub p99: Option<f64>,
    #[serde(default)]
    pub avg: Option<f64>,
}

/// Requests per second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BaselineThroughput {
    pub avg: f64,
    #[serde(default)]
    pub max: Option<f64>,
    #[serde(default)]
    pub min: Option<f64>,
}

/// Ratios.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BaselineErrors {
    #[serde(default)]
    pub current: Option<f64>,
    #[serde(default)]
    pub avg: Option<f64>,
}

/// `{summary, alerts, regression}` of the test with the most requests.
pub fn aiaas(run: &RunRecord, baseline: Option<&Baseline>) -> Value {
    let test = main_test(run);
    let summary = summary_of(run);
    json!({
        "summary": summary,
        "alerts": test.map(|test| alerts(test, &summary)).unwrap_or_default(),
        "regression": regression(&summary, baseline),
    })
}

/// The baseline that a run would become; `None` without requests.
pub fn baseline(run: &RunRecord) -> Option<Baseline> {
    serde_json::from_value(summary_of(run)).ok()
}

/// The summary alone; empty without requests.
pub(crate) fn summary_of(run: &RunRecord) -> Value {
    main_test(run).map_or_else(|| json!({}), summary)
}

fn summary(test: &TestRecord) -> Value {
    let figures = &test.figures;
    let rates = rates(test);
    let last = test.seconds.iter().rev().find(|second| second.requests > 0);
    json!({
        "latency": {
            "p50": figures.percentile("p50"),
            "p95": figures.percentile("p95"),
            "p99": figures.percentile("p99"),
            "avg": figures.latency.as_ref().map(|latency| latency.mean),
        },
        "throughput": {
            "avg": figures.requests_per_s,
            "max": rates.iter().copied().reduce(f64::max),
            "min": under_load(&rates).iter().copied().reduce(f64::min),
        },
        "error_rate": {
            "current": last.map(|second| second.failures as f64 / second.requests as f64),
            "avg": figures.error_rate(),
        },
    })
}

/// The seconds before the last one with requests, which is rarely whole; all of them if there is no other.
fn under_load(rates: &[f64]) -> &[f64] {
    let last = rates.iter().rposition(|rate| *rate > 0.0).unwrap_or(0);
    match &rates[..last] {
        [] => rates,
        whole => whole,
    }
}

#[test]
fn a_second_that_is_not_whole_is_not_the_smallest_rate() {
    assert_eq!(under_load(&[8.0, 9.0, 3.0, 0.0]), [8.0, 9.0]);
    assert_eq!(under_load(&[4.0]), [4.0]);
    assert!(under_load(&[]).is_empty());
}

/// The document's thresholds. It names six and checks three; here all are checked.
fn alerts(test: &TestRecord, summary: &Value) -> Vec<Value> {
    let judged = test.analysis.get("alerts").and_then(Value::as_array);
    let mut alerts = judged.map_or_else(|| of_figures(test), |raised| of_latency(raised));
    // The document checks the current rate, that of the last second with requests.
    let current = summary
        .pointer("/error_rate/current")
        .and_then(Value::as_f64);
    if let Some(rate) = current.filter(|rate| *rate > 0.05) {
        alerts.push(json!({
            "type": "error_rate_high",
            "message": format!("Error rate {:.2}% exceeds 5.00% threshold", 100.0 * rate),
            "severity": "critical",
        }));
    }
    let target = test.target_in_phases();
    let usages = [
        (
            "cpu_usage",
            "CPU",
            mean_and_largest(target.iter().copied(), |sample| sample.cpu_ratio),
        ),
        (
            "memory_usage",
            "Memory",
            mean_and_largest(target.iter().copied(), |sample| sample.memory_ratio),
        ),
    ];
    for (kind, name, usage) in usages {
        if let Some((mean, _)) = usage.filter(|(mean, _)| *mean > 0.8) {
            alerts.push(json!({
                "type": format!("{kind}_high"),
                "message": format!("{name} usage {:.2}% exceeds 80% threshold", 100.0 * mean),
                "severity": "warning",
            }));
        }
    }
    alerts
}

/// The latency alerts raised during the test, each kind once: the suite determines which latency they use.
fn of_latency(raised: &[Value]) -> Vec<Value> {
    let mut alerts: Vec<Value> = Vec::new();
    for one in raised {
        let kind = one["type"].as_str().unwrap_or_default();
        if kind.starts_with("latency_") && !alerts.iter().any(|it| it["type"] == kind) {
            let [message, severity] = ["message", "severity"].map(|key| &one[key]);
            alerts.push(json!({ "type": kind, "message": message, "severity": severity }));
        }
    }
    alerts
}

/// The same from the figures of the whole test, if alerts were not judged.
fn of_figures(test: &TestRecord) -> Vec<Value> {
    let mut alerts = Vec::new();
    for (key, limit, severity) in [
        ("p50", 50.0, "warning"),
        ("p95", 100.0, "critical"),
        ("p99", 200.0, "critical"),
    ] {
        let value = test.figures.percentile(key);
        if let Some(value) = value.filter(|value| *value > limit) {
            alerts.push(json!({
                "type": format!("latency_{key}_high"),
                "message": format!("{key} latency {value:.2}ms exceeds {limit:.0}ms threshold"),
                "severity": severity,
            }));
        }
    }
    alerts
}

/// p50 above 1.2 times the baseline's, or mean throughput below 0.8 times.
fn regression(summary: &Value, baseline: Option<&Baseline>) -> Value {
    let Some(baseline) = baseline else {
        return json!({ "regression": false, "message": "No baseline metrics available" });
    };
    let mut found = Vec::new();
    let current = |path: &str| summary.pointer(path).and_then(Value::as_f64);
    let (p50, throughput) = (baseline.latency.p50, baseline.throughput.avg);
    if let Some(now) = current("/latency/p50").filter(|now| *now > 1.2 * p50) {
        found.push(record("latency_p50", p50, now, (now - p50) / p50));
    }
    if let Some(now) = current("/throughput/avg").filter(|now| *now < 0.8 * throughput) {
        found.push(record(
            "throughput",
            throughput,
            now,
            (throughput - now) / throughput,
        ));
    }
    let message = match found.len() {
        0 => "No performance regressions detected".to_owned(),
        n => format!("Found {n} performance regressions"),
    };
    json!({ "regression": !found.is_empty(), "regressions": found, "message": message })
}

/// `regression` is a percentage.
fn record(metric: &str, baseline: f64, current: f64, worse: f64) -> Value {
    json!({
        "metric": metric,
        "baseline": baseline,
        "current": current,
        "regression": (baseline > 0.0).then_some(100.0 * worse),
    })
}
