//! Checks of the metrics that a system declares.

use std::collections::BTreeSet;

use super::super::{Document, Metric};
use super::report::Report;

/// Labels that a metric may have. `scenario` is the endpoint; `agent` and `tool` are the operation.
const LABELS: [&str; 17] = [
    "endpoint",
    "scenario",
    "method",
    "path",
    "route",
    "status",
    "error_type",
    "component",
    "operation",
    "agent",
    "tool",
    "host",
    "instance",
    "part",
    "pool",
    "store",
    "state",
];

pub(super) fn check(document: &Document, report: &mut Report) {
    let mut names = BTreeSet::new();
    for (index, metric) in document.metrics.iter().enumerate() {
        let path = format!("metrics[{index}]");
        if !is_metric_name(&metric.name) {
            report.add(
                &format!("{path}.name"),
                format!(
                    "`{}` is not a metric's name: letters, digits, `_` and `:`, no digit first",
                    metric.name
                ),
            );
        }
        if metric.name.starts_with("sparring_") {
            report.add(
                &format!("{path}.name"),
                "`sparring_` is for the metrics that every system has",
            );
        }
        if !names.insert(&metric.name) {
            report.add(
                &format!("{path}.name"),
                format!("`{}` is duplicated", metric.name),
            );
        }
        let kind = metric.of.kind();
        if metric.kind != kind {
            report.add(
                &format!("{path}.kind"),
                format!(
                    "is {}, which does not match `of`; use {}",
                    metric.kind.name(),
                    kind.name()
                ),
            );
        }
        check_where(document, &path, metric, report);
        let known: Vec<String> = LABELS.iter().map(|label| (*label).to_owned()).collect();
        for (index, label) in metric.labels.iter().enumerate() {
            report.known(&format!("{path}.labels[{index}]"), "label", label, &known);
        }
    }
}

fn check_where(document: &Document, path: &str, metric: &Metric, report: &mut Report) {
    for (key, value) in &metric.only {
        let path = format!("{path}.where.{key}");
        match key.as_str() {
            "component" => {
                report.known(&path, "component", value, document.components.keys());
            }
            "endpoint" => {
                report.known(&path, "endpoint", value, document.endpoints.keys());
            }
            "host" => {
                report.known(&path, "host", value, document.hosts.keys());
            }
            "pool" => {
                report.known(&path, "pool", value, document.pools.keys());
            }
            "store" => {
                report.known(&path, "store", value, document.stores.keys());
            }
            "operation" => {
                let all = document.components.values();
                let operations = all.flat_map(|component| component.operations.keys());
                report.known(&path, "operation", value, operations);
            }
            _ => report.add(
                &path,
                "unknown field; known here: component, operation, endpoint, host, pool, store",
            ),
        }
    }
}

fn is_metric_name(name: &str) -> bool {
    let mut characters = name.chars();
    let is_start = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    characters.next().is_some_and(is_start)
        && name.len() <= 200
        && characters.all(|c| is_start(c) || c.is_ascii_digit())
}
