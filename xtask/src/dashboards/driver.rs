//! Series of the load driver in dashboards are those that a run sends to Prometheus.

use std::collections::BTreeSet;
use std::path::Path;

use super::board::Dashboard;
use super::promql;

/// The percentiles that the stack is configured to send.
const PERCENTILES: [&str; 3] = ["p50", "p95", "p99"];

/// Where the driver's own metrics are declared, and those of the script of the stack.
const METRICS: &str = "crates/load-metrics/src/builtin.rs";
const SCRIPT: &str = "tests/k6/orchestration_load.js";

/// What the dashboards ask of runs that no run sends.
pub fn check_all(root: &Path, boards: &[Dashboard]) -> Vec<String> {
    let read = |file: &str| {
        let text = std::fs::read_to_string(root.join(file));
        text.map_err(|error| vec![format!("{file}: {error}")])
    };
    match (read(METRICS), read(SCRIPT)) {
        (Ok(metrics), Ok(script)) => check(&metrics, &script, boards),
        (Err(error), _) | (_, Err(error)) => error,
    }
}

/// Queries for series that no metric of the driver (the table in `load-metrics`) or of the script gives.
fn check(metrics: &str, script: &str, boards: &[Dashboard]) -> Vec<String> {
    let known: BTreeSet<String> = built_in(metrics)
        .chain(of_script(script))
        .flatten()
        .collect();
    let mut found = Vec::new();
    for board in boards {
        for (title, query) in board.queries() {
            let selectors = promql::selectors(query);
            let names = selectors.iter().filter_map(|it| it.split('{').next());
            let unknown = names.filter(|name| name.starts_with("k6_") && !known.contains(*name));
            found.extend(unknown.map(|name| {
                format!(
                    "{}: {title:?} asks for {name}, which no run sends",
                    board.name
                )
            }));
        }
    }
    found
}

/// Rows such as `HTTP_REQS = 7, "http_reqs", Counter, Default;`.
fn built_in(table: &str) -> impl Iterator<Item = Vec<String>> {
    table.lines().filter_map(|line| {
        let (_, rest) = line.split_once(", \"")?;
        let (name, rest) = rest.split_once("\", ")?;
        let (kind, contains) = rest.strip_suffix(';')?.split_once(", ")?;
        Some(series(name, kind, contains == "Time"))
    })
}

/// Lines such as `const a = new Trend('duration', true);`.
fn of_script(script: &str) -> impl Iterator<Item = Vec<String>> {
    script.lines().filter_map(|line| {
        let (_, made) = line.split_once("= new ")?;
        let (kind, rest) = made.split_once("('")?;
        let (name, rest) = rest.split_once('\'')?;
        Some(series(name, kind, rest.starts_with(", true")))
    })
}

fn series(name: &str, kind: &str, is_time: bool) -> Vec<String> {
    let unit = if is_time { "_seconds" } else { "" };
    match kind {
        "Counter" => vec![format!("k6_{name}_total")],
        "Gauge" => vec![format!("k6_{name}")],
        "Rate" => vec![format!("k6_{name}_rate")],
        "Trend" => PERCENTILES
            .iter()
            .map(|percentile| format!("k6_{name}_{percentile}"))
            .chain([format!("k6_{name}{unit}")])
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::board::{parse, read_all};
    use super::check;

    #[test]
    fn a_series_that_no_run_sends_is_named() {
        let metrics = "    VUS = 0, \"vus\", Gauge, Default;\n    D = 9, \"d\", Trend, Time;\n";
        let script = "const a = new Trend('a', true);\nconst b = new Counter('b');\n";
        let of = |query: &str| {
            let panel = json!({"title": "t", "targets": [{"expr": query}]});
            check(metrics, script, &[parse("x", &json!({"panels": [panel]}))])
        };
        let sent = "sum(k6_vus) + k6_d_p95 + rate(k6_d_seconds[1m]) + k6_a_seconds + k6_b_total";
        assert_eq!(of(sent), Vec::<String>::new());
        for unsent in ["k6_d", "k6_d_p90", "k6_vus_total", "k6_b", "k6_c"] {
            assert_eq!(of(unsent).len(), 1, "{unsent}");
        }
    }

    #[test]
    fn dashboards_ask_for_series_that_runs_send() {
        let root = crate::root();
        let boards = read_all(&root.join("grafana/dashboards")).expect("dashboards");
        assert_eq!(super::check_all(&root, &boards), Vec::<String>::new());
        let compared = boards.iter().find(|board| board.name == "compare-tests");
        let compared = compared.expect("the dashboard of two runs");
        for run in ["$baseline", "$candidate"] {
            let queries = compared.queries();
            assert!(
                queries.filter(|(_, it)| it.contains(run)).count() >= 15,
                "{run}"
            );
        }
    }
}
