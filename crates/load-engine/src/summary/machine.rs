//! The layout of `--new-machine-readable-summary`.

use load_metrics::Kind;
use serde_json::{Map, Value, json};

use super::data::number;
use super::{Check, MetricView, Summary};

/// The origin of a summary.
#[derive(Debug, Clone, Default)]
pub struct SummaryMetadata {
    /// The driver's version.
    pub version: String,
    /// Its time, as RFC 3339.
    pub generated_at: String,
    /// The script as named on the command line.
    pub script: Option<String>,
}

/// The summary in the newer machine-readable layout.
pub fn to_machine(summary: &Summary, metadata: &SummaryMetadata) -> Value {
    let mut config = Map::new();
    if let Some(script) = &metadata.script {
        config.insert("script".to_owned(), json!(script));
    }
    config.insert(
        "duration".to_owned(),
        number(summary.run_time.as_secs_f64()),
    );
    config.insert("execution".to_owned(), json!("local"));
    let mut results = Map::new();
    let checks: Vec<&Check> = summary.checks.iter().collect();
    if !checks.is_empty() {
        let names = ["checks_total", "checks_succeeded", "checks_failed"];
        let results_of = checks
            .iter()
            .map(|check| write_check(check))
            .collect::<Value>();
        let totals = check_totals(&checks);
        let metrics = names.iter().zip(totals).map(|(name, values)| {
            let kind = if *name == "checks_total" {
                "counter"
            } else {
                "rate"
            };
            json!({"name": name, "type": kind, "contains": "default", "values": values})
        });
        let metrics = metrics.collect::<Value>();
        results.insert(
            "checks".to_owned(),
            json!({"metrics": metrics, "results": results_of}),
        );
    }
    let metrics = summary
        .metrics
        .iter()
        .filter(|metric| metric.name != "checks");
    results.insert("metrics".to_owned(), metrics.map(write_metric).collect());
    json!({
        "version": "1.0.0",
        "metadata": {"k6Version": metadata.version, "generatedAt": metadata.generated_at},
        "config": config,
        "results": results,
    })
}

fn write_check(check: &Check) -> Value {
    json!({"name": check.name, "passes": check.passes, "fails": check.fails})
}

fn check_totals(checks: &[&Check]) -> [Value; 3] {
    let passes: u64 = checks.iter().map(|check| check.passes).sum();
    let fails: u64 = checks.iter().map(|check| check.fails).sum();
    let total = passes + fails;
    [
        json!({"count": total}),
        share(passes, total),
        share(fails, total),
    ]
}

fn share(matches: u64, total: u64) -> Value {
    let rate = if total == 0 {
        0.0
    } else {
        matches as f64 / total as f64
    };
    json!({"matches": matches, "total": total, "rate": number(rate)})
}

fn write_metric(metric: &MetricView) -> Value {
    let values = match metric.kind {
        Kind::Counter => json!({"count": number(metric.value("count"))}),
        Kind::Rate => {
            let (passes, fails) = (metric.value("passes"), metric.value("fails"));
            share(passes as u64, (passes + fails) as u64)
        }
        Kind::Gauge | Kind::Trend => {
            let values = metric.values.iter();
            Value::Object(
                values
                    .map(|(name, value)| (name.clone(), number(*value)))
                    .collect(),
            )
        }
    };
    let (kind, contains) = (metric.kind.to_string(), metric.contains.to_string());
    json!({"name": metric.name, "type": kind, "contains": contains, "values": values})
}
