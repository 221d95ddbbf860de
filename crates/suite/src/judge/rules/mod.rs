//! The rule catalogue: findings from the figures, and actions.
//!
//! Every finding includes the figures that its rule used, and the result that would refute it.

mod advice;
mod level;
mod performance;
mod scalability;

use report::record::{Finding, LoadModel, Severity};
use serde_json::{Value, json};

use super::figure::Figure;
use super::thresholds::Metric;
use super::verdict::Sheet;
use super::window::Window;
use super::{Case, window};

/// A finding before it has an id.
#[derive(Debug, Clone)]
struct Found {
    rule: &'static str,
    severity: Severity,
    text: String,
    evidence: Value,
    window_s: Option<[f64; 2]>,
    action: &'static str,
    falsified_by: &'static str,
}

/// The input of the rules.
struct Facts<'a> {
    case: &'a Case<'a>,
    sheet: &'a Sheet,
    /// The steady window at the highest level, otherwise the whole test.
    peak: Window<'a>,
    cpu: Option<f64>,
    memory: Option<f64>,
    disk: Option<f64>,
    network: Option<f64>,
    mean_ms: Option<f64>,
    p95_ms: Option<f64>,
    error_rate: Option<f64>,
    requests_per_s: Option<f64>,
    successes_per_s: Option<f64>,
}

pub(super) fn find(case: &Case<'_>, sheet: &mut Sheet) {
    let found = {
        let facts = Facts::of(case, sheet);
        let catalogues = [
            level::find(&facts),
            performance::find(&facts),
            scalability::find(&facts),
            advice::find(&facts),
        ];
        catalogues.into_iter().flatten().collect::<Vec<Found>>()
    };
    for one in found {
        let id = sheet.id("finding", one.rule, None);
        sheet.findings.push(Finding {
            id,
            rule: one.rule.to_owned(),
            severity: one.severity,
            text: one.text,
            evidence: one.evidence,
            window_s: one.window_s,
            action: one.action.to_owned(),
            falsified_by: one.falsified_by.to_owned(),
        });
    }
    sheet
        .findings
        .sort_by_key(|finding| std::cmp::Reverse(finding.severity));
}

impl<'a> Facts<'a> {
    fn of(case: &'a Case<'a>, sheet: &'a Sheet) -> Self {
        let steady = window::steady(case.test, case.record);
        let by_level = |a: &Window<'_>, b: &Window<'_>| {
            a.level.unwrap_or(0.0).total_cmp(&b.level.unwrap_or(0.0))
        };
        let peak = steady.into_iter().max_by(by_level);
        let peak = peak.unwrap_or_else(|| window::whole(case.test, case.record));
        let value = |figure: Figure| figure.value(&peak);
        let busy = |of: fn(&report::record::ResourceSample) -> Option<f64>| {
            super::figure::busiest(peak.target, super::figure::mean_of(of))
        };
        Self {
            cpu: value(Figure::Cpu),
            memory: value(Figure::Memory),
            disk: busy(|it| it.disk_ratio),
            network: busy(|it| it.network_ratio),
            mean_ms: value(Figure::Mean),
            p95_ms: Figure::named("p95_ms").and_then(value),
            error_rate: value(Figure::ErrorRate),
            requests_per_s: value(Figure::Requests),
            successes_per_s: value(Figure::Successes),
            case,
            sheet,
            peak,
        }
    }

    fn window_s(&self) -> Option<[f64; 2]> {
        Some(self.peak.span_s)
    }

    /// Requests per second that the load would send if the target responded immediately: users by think
    /// time, or the arrival rate. `None` if users do not wait, because the target then determines the rate.
    fn wanted_per_s(&self) -> Option<f64> {
        let level = self.peak.level?;
        if self.case.test.model == LoadModel::Open {
            return Some(level);
        }
        let think_s = super::workload::think_s(self.case, &self.peak)?;
        (think_s > 0.0).then(|| level / think_s)
    }

    /// A figure of a Trend of the scripts, in milliseconds.
    fn trend(&self, metric: &str, aggregate: &str) -> Option<f64> {
        Metric::find(&self.case.record.k6_summary, metric)?.value(aggregate)
    }

    /// A figure exported only by some targets, averaged over the window.
    fn other(&self, name: &str) -> Option<f64> {
        let values = self
            .peak
            .target
            .iter()
            .filter_map(|it| it.other.get(name).copied());
        let values: Vec<f64> = values.collect();
        super::figure::mean_value(&values)
    }

    fn number(&self, pointer: &str) -> Option<f64> {
        self.sheet.found(pointer).and_then(Value::as_f64)
    }

    fn bottleneck(&self) -> Option<(&str, Option<&str>)> {
        let found = self.sheet.found("bottleneck")?;
        let class = found.get("class").and_then(Value::as_str)?;
        Some((class, found.get("of").and_then(Value::as_str)))
    }
}

/// Whether a measured value is above a bound.
fn above(value: Option<f64>, bound: f64) -> Option<f64> {
    value.filter(|value| *value > bound)
}

fn evidence(name: &str, value: f64, bound: f64) -> Value {
    json!({ name: value, "bound": bound })
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;

    /// Each rule on both sides of its bound.
    fn check(rule: &str, fires: bool, sample: Sample) {
        let record = sample.judged();
        let rules: Vec<&str> = record.findings.iter().map(|it| it.rule.as_str()).collect();
        assert_eq!(rules.contains(&rule), fires, "{rule}: {rules:?}");
        for finding in &record.findings {
            assert!(finding.text.ends_with('.'), "{}", finding.text);
            assert!(finding.action.ends_with('.'), "{}", finding.action);
            assert!(!finding.evidence.is_null() && !finding.falsified_by.is_empty());
        }
    }

    fn sample() -> Sample {
        Sample::of("agent360", "smoke")
    }

    #[test]
    fn a360_17_and_19_processors() {
        check("cpu_bottleneck", false, sample().cpu(0.80));
        check("cpu_bottleneck", true, sample().cpu(0.801));
        check("scale_out", false, sample().cpu(0.70));
        check("scale_out", true, sample().cpu(0.701));
    }

    #[test]
    fn a360_18_latency() {
        check("latency_bottleneck", false, sample().latency(2000.0));
        check("latency_bottleneck", true, sample().latency(2001.0));
    }

    #[test]
    fn a360_20_and_21_caches_and_databases() {
        check(
            "cache_hit_rate",
            false,
            sample().other("cache_hit_ratio", 0.8),
        );
        check(
            "cache_hit_rate",
            true,
            sample().other("cache_hit_ratio", 0.799),
        );
        check(
            "database_latency",
            false,
            sample().trend("database_query_ms", 100.0),
        );
        check(
            "database_latency",
            true,
            sample().trend("database_query_ms", 100.1),
        );
    }

    #[test]
    fn acso_35_warns_and_then_is_critical() {
        let acso = || Sample::of("acso", "smoke");
        check("cpu_level", false, acso().cpu(0.70));
        check("cpu_level", true, acso().cpu(0.71));
        check("memory_level", false, acso().memory(0.70));
        check("memory_level", true, acso().memory(0.71));
        let severity = |memory| {
            let record = acso().memory(memory).judged();
            let mut found = record
                .findings
                .iter()
                .filter(|it| it.rule == "memory_level");
            found.next().map(|it| it.severity)
        };
        assert_eq!(severity(0.85), Some(report::record::Severity::Warning));
        assert_eq!(severity(0.851), Some(report::record::Severity::Critical));
    }

    #[test]
    fn acis_17_18_and_19() {
        check("high_response", false, sample().latency(2000.0));
        check("high_response", true, sample().latency(2000.1));
        check("high_errors", false, sample().failing(0.05));
        check("high_errors", true, sample().failing(0.06));
        // Five users with a think time of one second send fewer than 20 requests a second.
        check("low_throughput", false, sample().level(5.0).rate(5.0));
        check("low_throughput", true, sample().level(500.0).rate(19.0));
        check("low_throughput", false, sample().level(500.0).rate(20.0));
    }

    #[test]
    fn acso_52_exhaustion() {
        check("io_exhausted", false, sample().disk(0.85));
        check("io_exhausted", true, sample().disk(0.86));
        check(
            "network_latency",
            true,
            sample().network(0.9).latency(2500.0),
        );
        check(
            "network_latency",
            false,
            sample().network(0.5).latency(2500.0),
        );
        check(
            "slow_database",
            true,
            sample().latency(2500.0).trend("database_query_ms", 900.0),
        );
        check(
            "slow_database",
            false,
            sample().latency(2500.0).trend("database_query_ms", 90.0),
        );
    }
}
